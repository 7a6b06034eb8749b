using System.Text.Json;
using System.Text.Json.Nodes;

namespace Hazumu.Gateway.Translation;

/// <summary>Finds the message in an engine's error.</summary>
/// <remarks>
/// OpenAI's form is <c>{"error":{"message":"…"}}</c>. Older vLLM answers <c>{"object":"error","message":"…"}</c>, and FastAPI, which vLLM
/// and SGLang are built on, <c>{"detail":…}</c>.
/// </remarks>
internal static class EngineError
{
    /// <summary>The message; <see langword="null"/> where it is no error.</summary>
    public static string? Find(JsonNode? answer) => answer.Value("error") switch
    {
        JsonObject error => error.Text("message") ?? error.ToJsonString(),
        { } error => error.AsText() ?? error.ToJsonString(),
        _ => answer.Text("object") == "error" ? answer.Text("message") : null,
    };

    /// <summary>The message of an answer whose status is an error.</summary>
    public static string Read(byte[] body, int status)
    {
        try
        {
            var answer = JsonReading.Parse(body);
            return Find(answer) ?? answer.Text("message") ?? answer.Text("detail") ?? answer.Value("detail")?.ToJsonString() ?? Fallback(status);
        }
        catch (JsonException)
        {
            return Fallback(status);
        }
    }

    private static string Fallback(int status) => $"The model server answered with the status {status}.";
}
