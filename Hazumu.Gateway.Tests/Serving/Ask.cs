using System.Net;
using System.Text;
using System.Text.Json;

namespace Hazumu.Gateway.Tests.Serving;

/// <summary>Requests as clients of the three dialects make them, and the errors that those clients know.</summary>
internal static class Ask
{
    /// <summary>A chat in Ollama's dialect.</summary>
    public const string Native = "/api/chat";

    /// <summary>A chat in OpenAI's dialect.</summary>
    public const string OpenAI = "/v1/chat/completions";

    /// <summary>A chat in Anthropic's dialect.</summary>
    public const string Anthropic = "/v1/messages";

    /// <summary>All three.</summary>
    public static TheoryData<string> Dialects => [Native, OpenAI, Anthropic];

    /// <summary>The body of a chat; what it says last lets a test find it again at the engine.</summary>
    public static string Body(string says = "hi", string model = "mock", bool streams = true) =>
        $$"""{"model":"{{model}}","max_tokens":100,"stream":{{(streams ? "true" : "false")}},"messages":[{"role":"user","content":"{{says}}"}]}""";

    /// <summary>A chat whose answer is given as soon as its head is there.</summary>
    public static async Task<HttpResponseMessage> BeginAsync(
        this HttpClient http, string path = Native, string? body = null, string? key = null, CancellationToken cancellationToken = default)
    {
        using var request = Request(HttpMethod.Post, path, body ?? Body(), key);
        request.Version = http.DefaultRequestVersion;
        request.VersionPolicy = http.DefaultVersionPolicy;
        return await http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, cancellationToken);
    }

    /// <summary>A chat and its whole answer.</summary>
    public static Task<ChatAnswer> ChatAsync(this HttpClient http, string path = Native, string? body = null, string? key = null, CancellationToken cancellationToken = default) =>
        http.AnswerAsync(HttpMethod.Post, path, body ?? Body(), key, cancellationToken);

    /// <summary>Any request and its whole answer.</summary>
    public static async Task<ChatAnswer> AnswerAsync(
        this HttpClient http, HttpMethod method, string path, string? body = null, string? key = null, CancellationToken cancellationToken = default)
    {
        using var request = Request(method, path, body, key);
        request.Version = http.DefaultRequestVersion;
        request.VersionPolicy = http.DefaultVersionPolicy;
        using var response = await http.SendAsync(request, cancellationToken);
        return new ChatAnswer(
            (int)response.StatusCode,
            await response.Content.ReadAsStringAsync(cancellationToken),
            response.Headers.Concat(response.Content.Headers).ToDictionary(header => header.Key, header => string.Join(", ", header.Value), StringComparer.OrdinalIgnoreCase));
    }

    /// <summary>Has the gateway refuse in the client's own dialect, in one sentence.</summary>
    public static void IsRefusal(this ChatAnswer answer, string path, HttpStatusCode status, string type, string sentence)
    {
        Assert.True((int)status == answer.Status, $"{answer}");
        var body = JsonSerializer.Deserialize<JsonElement>(answer.Text);
        string? message;
        if (path.StartsWith("/api/", StringComparison.Ordinal))
        {
            message = body.GetProperty("error").GetString();
        }
        else
        {
            var error = body.GetProperty("error");
            message = error.GetProperty("message").GetString();
            Assert.Equal(type, error.GetProperty("type").GetString());
            Assert.Equal(path == Anthropic, body.TryGetProperty("type", out var kind) && kind.GetString() == "error");
            Assert.Equal(path != Anthropic, error.TryGetProperty("code", out _));
        }

        Assert.Contains(sentence, message, StringComparison.Ordinal);
        Assert.StartsWith("application/json", answer["Content-Type"], StringComparison.Ordinal);
    }

    /// <summary>Has the refusal tell when to come back, in whole seconds.</summary>
    public static void TellsWhenToComeBack(this ChatAnswer answer, int least = 1, int most = 60) =>
        Assert.InRange(int.Parse(answer["Retry-After"] ?? "-1", null), least, most);

    private static HttpRequestMessage Request(HttpMethod method, string path, string? body, string? key)
    {
        var request = new HttpRequestMessage(method, new Uri(path, UriKind.Relative));
        if (body is not null)
        {
            request.Content = new StringContent(body, Encoding.UTF8, "application/json");
        }

        if (key is not null)
        {
            request.Headers.Authorization = new("Bearer", key);
        }

        return request;
    }
}

/// <summary>An answer that has come whole.</summary>
internal sealed record ChatAnswer(int Status, string Text, IReadOnlyDictionary<string, string> Headers)
{
    /// <summary>The instance that gave it.</summary>
    public string? Instance => this["Hazumu-Instance"];

    /// <summary>The place in the queue when its request joined.</summary>
    public string? Position => this["Hazumu-Queue-Position"];

    /// <summary>A header's value; <see langword="null"/> where there is none.</summary>
    public string? this[string name] => Headers.GetValueOrDefault(name);

    public override string ToString() => $"{Status} {Text} {string.Join("; ", Headers.Select(header => $"{header.Key}: {header.Value}"))}";
}
