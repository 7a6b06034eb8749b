using System.Buffers;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace Hazumu.Gateway.Streams;

/// <summary>An error in the shape that each dialect's clients know.</summary>
/// <remarks>
/// Ollama: <c>{"error":"…"}</c>; OpenAI: <c>{"error":{"message","type","param","code"}}</c>; Anthropic:
/// <c>{"type":"error","error":{"type","message"},"request_id"}</c> (https://docs.anthropic.com/en/api/errors).
/// </remarks>
internal static class ErrorBody
{
    private static readonly JsonWriterOptions s_options = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>The media type of an error that is an answer of its own.</summary>
    public static string MediaTypeOf(Dialect dialect) => dialect == Dialect.Native ? "application/json; charset=utf-8" : "application/json";

    /// <summary>Writes an error.</summary>
    /// <param name="dialect">The client's dialect.</param>
    /// <param name="status">400 to 599.</param>
    /// <param name="message">One sentence: what is wrong and what to do.</param>
    /// <param name="requestId">The request's id.</param>
    public static ArrayBufferWriter<byte> Write(Dialect dialect, int status, string message, string requestId)
    {
        var buffer = new ArrayBufferWriter<byte>(256);
        using var json = new Utf8JsonWriter(buffer, s_options);
        json.WriteStartObject();
        switch (dialect)
        {
            case Dialect.OpenAI:
                json.WriteStartObject("error");
                json.WriteString("message", message);
                json.WriteString("type", OpenAIType(status));
                json.WriteNull("param");
                json.WriteNull("code");
                json.WriteEndObject();
                break;
            case Dialect.Anthropic:
                json.WriteString("type", "error");
                json.WriteStartObject("error");
                json.WriteString("type", AnthropicType(status));
                json.WriteString("message", message);
                json.WriteEndObject();
                json.WriteString("request_id", requestId);
                break;
            default:
                json.WriteString("error", message);
                break;
        }

        json.WriteEndObject();
        json.Flush();
        return buffer;
    }

    private static string OpenAIType(int status) => status switch
    {
        401 => "authentication_error",
        403 => "permission_error",
        404 => "not_found_error",
        429 => "rate_limit_error",
        < 500 => "invalid_request_error",
        503 => "overloaded_error",
        _ => "api_error",
    };

    private static string AnthropicType(int status) => status switch
    {
        401 => "authentication_error",
        403 => "permission_error",
        404 => "not_found_error",
        413 => "request_too_large",
        429 => "rate_limit_error",
        < 500 => "invalid_request_error",
        503 => "overloaded_error",
        504 => "timeout_error",
        _ => "api_error",
    };
}
