using System.Buffers;
using System.Globalization;
using System.Text.Encodings.Web;
using System.Text.Json;
using Hazumu.Gateway.Pipeline.Forwarding;
using Hazumu.Gateway.Streams;
using Microsoft.AspNetCore.Http.Features;

namespace Hazumu.Gateway.Pipeline.Requests;

/// <summary>Answers of the gateway's own, in the shape that each dialect's clients know.</summary>
/// <remarks>
/// Ollama: <c>{"error":"…"}</c>; OpenAI: <c>{"error":{"message","type","param","code"}}</c>; Anthropic:
/// <c>{"type":"error","error":{"type","message"},"request_id"}</c> (https://docs.anthropic.com/en/api/errors).
/// </remarks>
internal static class DialectError
{
    private const string ShouldRetry = "x-should-retry";

    private static readonly JsonWriterOptions s_options = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>Writes an error, unless an answer has begun.</summary>
    /// <param name="context">The request.</param>
    /// <param name="dialect">The client's dialect.</param>
    /// <param name="status">400 to 599.</param>
    /// <param name="message">One sentence: what is wrong and what to do.</param>
    /// <param name="retryAfter">When to try again; sent as <c>Retry-After</c>.</param>
    public static async ValueTask WriteAsync(HttpContext context, Dialect dialect, int status, string message, TimeSpan? retryAfter = null)
    {
        var response = context.Response;
        if (response.HasStarted || context.RequestAborted.IsCancellationRequested)
        {
            return;
        }

        response.Clear();
        context.Features.Get<IHttpResponseFeature>()!.ReasonPhrase = null;
        response.StatusCode = status;
        response.ContentType = dialect == Dialect.Native ? "application/json; charset=utf-8" : "application/json";
        if (retryAfter is { } wait)
        {
            response.Headers.RetryAfter = Math.Max(1, (long)Math.Ceiling(wait.TotalSeconds)).ToString(CultureInfo.InvariantCulture);
        }

        if (status == StatusCodes.Status401Unauthorized)
        {
            response.Headers.WWWAuthenticate = "Bearer";
        }

        if (status is StatusCodes.Status401Unauthorized or StatusCodes.Status403Forbidden)
        {
            // Read by OpenAI's and Anthropic's clients: Claude Code retries a 401 for three minutes without it.
            response.Headers[ShouldRetry] = "false";
        }

        var body = Body(dialect, status, message, context.TraceIdentifier);
        response.ContentLength = body.WrittenCount;

        // Kestrel takes "head" for a method of its own, whose answer has a body; HttpMethods.IsHead does not.
        if (context.Request.Method != HttpMethods.Head)
        {
            await response.Body.WriteAsync(body.WrittenMemory, context.RequestAborted);
        }
    }

    /// <summary>Writes an error into a stream that has begun, in place of its last object: a line of NDJSON, or an event <c>error</c>.</summary>
    /// <returns>Bytes written.</returns>
    public static int WriteInStream(IBufferWriter<byte> output, HttpContext context, Dialect dialect, string message, int status = StatusCodes.Status502BadGateway) =>
        WriteInStream(output, dialect, Body(dialect, status, message, context.TraceIdentifier).WrittenSpan);

    /// <summary>Writes an error of the engine's into a stream that has begun.</summary>
    /// <returns>Bytes written.</returns>
    public static int WriteInStream(IBufferWriter<byte> output, Dialect dialect, ReadOnlySpan<byte> error)
    {
        // One line: between the parts of a JSON text, the end of a line means as much as a space.
        var body = error.ToArray();
        body.AsSpan().Replace((byte)'\n', (byte)' ');
        body.AsSpan().Replace((byte)'\r', (byte)' ');

        // A blank line ends an event that was cut off behind its data; another one means nothing.
        var before = dialect == Dialect.Native ? ""u8 : "\nevent: error\ndata: "u8;
        var after = dialect == Dialect.Native ? "\n"u8 : "\n\n"u8;
        output.Write(before);
        output.Write(body);
        output.Write(after);
        return before.Length + body.Length + after.Length;
    }

    private static ArrayBufferWriter<byte> Body(Dialect dialect, int status, string message, string requestId)
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
