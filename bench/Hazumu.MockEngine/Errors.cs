using System.Globalization;

namespace Hazumu.Mocks;

/// <summary>Errors in the words of each dialect.</summary>
internal static class Errors
{
    public static string Document(AnswerKind kind, int status, string message)
    {
        message = AnswerShape.Escape(message);
        return kind switch
        {
            AnswerKind.Chat or AnswerKind.Generate => $$"""{"error":"{{message}}"}""",
            AnswerKind.AnthropicMessages =>
                $$"""{"type":"error","error":{"type":"{{AnthropicType(status)}}","message":"{{message}}"},"request_id":"req_{{status.ToString(CultureInfo.InvariantCulture)}}"}""",
            _ => $$$"""{"error":{"message":"{{{message}}}","type":"{{{OpenAIType(status)}}}","param":null,"code":null}}""",
        };
    }

    /// <summary>The dialect of a path's errors.</summary>
    public static AnswerKind KindOf(string path) =>
        path.StartsWith("/v1/messages", StringComparison.Ordinal) ? AnswerKind.AnthropicMessages
        : path.StartsWith("/v1/", StringComparison.Ordinal) ? AnswerKind.OpenAIChat
        : AnswerKind.Chat;

    private static string OpenAIType(int status) => status switch
    {
        400 => "invalid_request_error",
        404 => "not_found_error",
        _ => "api_error",
    };

    private static string AnthropicType(int status) => status switch
    {
        400 => "invalid_request_error",
        401 => "authentication_error",
        403 => "permission_error",
        404 => "not_found_error",
        429 => "rate_limit_error",
        503 => "overloaded_error",
        _ => "api_error",
    };
}
