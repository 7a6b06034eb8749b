using System.Text;
using System.Text.RegularExpressions;
using Hazumu.Settings;
using Hazumu.Testing;
using Hazumu.Gateway.Tests.Streams;

namespace Hazumu.Gateway.Tests.Engines;

/// <summary>Real engines: what they answer directly and through the gateway is the same, but for ids and times.</summary>
public abstract partial class EngineTests
{
    private static readonly string[] s_streams = ["true", "false"];

    // What the gateway sets itself, and what differs from answer to answer.
    private static readonly HashSet<string> s_passedOver = new(
        ["Date", "Content-Length", "Hazumu-Instance", "Hazumu-Queue-Position", "X-Request-Id", "request-id", "Keep-Alive", "Connection"], StringComparer.OrdinalIgnoreCase);

    /// <summary>Asks directly and through the gateway, and compares.</summary>
    private protected static async Task CompareAsync(Uri engine, TestGateway gateway, string method, string path, string? body)
    {
        // A connection for each request: llama.cpp's server closes some unsaid after their answer, and a client that has one sent on then has lost it.
        using var http = TestGateway.Client(engine);
        http.DefaultRequestHeaders.ConnectionClose = true;

        // The first finds the prompt new, all others find it in the cache.
        await AskAsync(http, method, path, body);
        var direct = await AskAsync(http, method, path, body);
        var through = await AskAsync(gateway.Http, method, path, body);
        Assert.Equal(direct, through);
    }

    /// <summary>Every way to ask a model: streamed and in one piece, with usage asked for and not.</summary>
    private protected static IEnumerable<(string Path, string Body)> Questions(string model, bool native)
    {
        const string messages = """ "messages":[{"role":"user","content":"bala ke"}] """;
        foreach (var stream in s_streams)
        {
            if (native)
            {
                yield return ("/api/chat", $$"""{"model":"{{model}}",{{messages}},"stream":{{stream}},"options":{"temperature":0,"seed":1,"num_predict":12} }""");
                yield return ("/api/generate", $$"""{"model":"{{model}}","prompt":"bala ke","stream":{{stream}},"options":{"temperature":0,"seed":1,"num_predict":12} }""");
            }

            yield return ("/v1/chat/completions", $$"""{"model":"{{model}}",{{messages}},"stream":{{stream}},"temperature":0,"seed":1,"max_tokens":12}""");
            yield return ("/v1/completions", $$"""{"model":"{{model}}","prompt":"bala ke","stream":{{stream}},"temperature":0,"seed":1,"max_tokens":12}""");
            yield return ("/v1/messages", $$"""{"model":"{{model}}",{{messages}},"stream":{{stream}},"temperature":0,"max_tokens":12}""");
        }

        yield return ("/v1/chat/completions", $$"""{"model":"{{model}}",{{messages}},"stream":true,"stream_options":{"include_usage":true},"temperature":0,"seed":1,"max_tokens":12}""");
        yield return ("/v1/chat/completions", $$"""{"model":"{{model}}","max_tokens":1}""");
    }

    private static async Task<string> AskAsync(HttpClient http, string method, string path, string? body)
    {
        using var request = new HttpRequestMessage(new HttpMethod(method), path) { Content = body is null ? null : new StringContent(body, Encoding.UTF8, "application/json") };
        using var answer = await http.SendAsync(request);
        var headers = answer.Headers.Concat(answer.Content.Headers)
            .Where(header => !s_passedOver.Contains(header.Key))
            .Where(header => !header.Key.StartsWith("Access-Control-", StringComparison.Ordinal))
            .Select(header => $"{header.Key}: {string.Join(", ", header.Value)}").Order(StringComparer.Ordinal);
        var text = Volatile().Replace(await answer.Content.ReadAsStringAsync(), "$1*");
        return $"{(int)answer.StatusCode}\n{string.Join('\n', headers)}\n\n{text}";
    }

    [GeneratedRegex("""("(?:id|created|created_at|modified_at|expires_at|[a-z_]*duration|[a-z_]*_ms|[a-z_]*_per_second)":\s*)("[^"]*"|[-0-9.e+]+)""")]
    private static partial Regex Volatile();
}

/// <summary>Ollama, in all three dialects.</summary>
public sealed class OllamaTests : EngineTests
{
    private const string Image = "ollama/ollama:0.32.15";

    [Fact]
    public async Task Ollama_answers_the_same_through_the_gateway()
    {
        Skip.If(EngineContainer.WhyMissing(Image));

        await using var engine = await EngineContainer.StartAsync(Image, 11434, "/api/version", model: null);
        await using var gateway = await TestGateway.StartAsync(engine.Address);

        // The model is brought in through the gateway as well, as `ollama create` does it.
        using var blob = new ByteArrayContent(TinyModel.File);
        using var uploaded = await gateway.Http.PostAsync(new Uri($"/api/blobs/{TinyModel.Digest}", UriKind.Relative), blob);
        Assert.Equal(201, (int)uploaded.StatusCode);
        using var create = new StringContent($$$"""{"model":"tiny","files":{"tiny.gguf":"{{{TinyModel.Digest}}}"},"template":"{{ .Prompt }}"}""");
        using var created = await gateway.Http.PostAsync(new Uri("/api/create", UriKind.Relative), create);
        Assert.Contains("\"success\"", await created.Content.ReadAsStringAsync(), StringComparison.Ordinal);

        foreach (var (path, body) in Questions("tiny", native: true))
        {
            await CompareAsync(engine.Address, gateway, "POST", path, body);
        }

        foreach (var (method, path, body) in ((string, string, string?)[])
        [
            ("GET", "/", null), ("GET", "/api/version", null), ("GET", "/api/tags", null), ("GET", "/api/ps", null), ("GET", "/v1/models", null), ("GET", "/v1/models/tiny", null),
            ("GET", "/nobody", null), ("POST", "/api/show", """{"model":"tiny"}"""), ("POST", "/api/chat", """{"model":"nobody"}"""), ("POST", "/api/generate", """{"model":"tiny"}"""),
            ("HEAD", $"/api/blobs/{TinyModel.Digest}", null), ("HEAD", "/api/blobs/sha256:0", null), ("POST", "/api/blobs/sha256:0", "x"), ("DELETE", "/api/delete", """{"model":"nobody"}"""),
        ])
        {
            await CompareAsync(engine.Address, gateway, method, path, body);
        }

        await Wait.UntilAsync(() => Assert.True(gateway.Measured.Sum("gen_ai.client.inference.usage.output_tokens") >= 11, "No tokens were counted."));
        Assert.Equal(0, gateway.Measured.Sum("hazumu.gateway.requests", ("outcome", "stream_truncated")) + gateway.Measured.Sum("hazumu.gateway.requests", ("outcome", "gateway_error")));
    }
}

/// <summary>llama.cpp's server, in the dialects of OpenAI and Anthropic.</summary>
public sealed class LlamaServerTests : EngineTests
{
    private const string Image = "ghcr.io/ggml-org/llama.cpp:server";

    [Fact]
    public async Task Llama_cpp_answers_the_same_through_the_gateway()
    {
        Skip.If(EngineContainer.WhyMissing(Image));

        await using var engine = await EngineContainer.StartAsync(Image, 8080, "/health", "/tmp/tiny.gguf", "--model", "/tmp/tiny.gguf", "--alias", "tiny", "--ctx-size", "512", "--threads", "1", "--parallel", "1");
        await using var gateway = await TestGateway.StartAsync(engine.Address);
        foreach (var (path, body) in Questions("tiny", native: false))
        {
            await CompareAsync(engine.Address, gateway, "POST", path, body);
        }

        await CompareAsync(engine.Address, gateway, "POST", "/v1/messages/count_tokens", """{"model":"tiny","messages":[{"role":"user","content":"hi"}]}""");
        await Wait.UntilAsync(() => Assert.True(gateway.Measured.Sum("gen_ai.client.inference.usage.output_tokens") >= 8, "No tokens were counted."));
        Assert.Equal(0, gateway.Measured.Sum("hazumu.gateway.requests", ("outcome", "stream_truncated")) + gateway.Measured.Sum("hazumu.gateway.requests", ("outcome", "gateway_error")));
    }

    [Fact]
    public async Task Llama_server_is_read_by_its_own_API_and_comes_back_after_an_outage()
    {
        Skip.If(EngineContainer.WhyMissing(Image));

        await using var engine = await EngineContainer.StartAsync(
            Image, 8080, "/health", "/tmp/tiny.gguf", "--model", "/tmp/tiny.gguf", "--alias", "tiny", "--ctx-size", "1536", "--threads", "1", "--parallel", "3");
        await using var gateway = await TestGateway.StartAsync(engine.Address, "--Gateway:Fleet:ProbeInterval=200ms");
        var instance = Assert.Single(gateway.Fleet.Instances);
        await Wait.UntilAsync(() => Assert.True(instance.IsUp));

        Assert.Equal((EngineKind.LlamaServer, 3, 3), (instance.Kind, instance.ReportedSlots, instance.LimitOf("tiny:latest", 1)));
        Assert.Equal(512, instance.SlotsOf("tiny:latest").Resident!.ContextLength);
        Assert.Matches("^b[0-9]+", instance.Version);
        Assert.Equal(3, gateway.Measured.Now("hazumu.gateway.slots", ("hazumu.instance", "engine")));

        await engine.StopAsync();
        await Wait.UntilAsync(() => Assert.False(instance.IsUp));
        await engine.RestartAsync();
        await Wait.UntilAsync(() => Assert.True(instance.IsUp), TimeSpan.FromSeconds(30));
        using var question = new StringContent("""{"model":"tiny","messages":[{"role":"user","content":"hi"}],"max_tokens":4}""");
        using var answer = await gateway.Http.PostAsync(new Uri("/v1/chat/completions", UriKind.Relative), question);
        Assert.Equal(200, (int)answer.StatusCode);
    }
}
