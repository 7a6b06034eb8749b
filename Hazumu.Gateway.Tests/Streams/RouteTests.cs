using System.Globalization;
using System.Text;
using Hazumu.Gateway.Pipeline.Operations;
using Hazumu.Mocks;

namespace Hazumu.Gateway.Tests.Streams;

/// <summary>Every route, in front of an engine: nothing that goes either way is altered.</summary>
public abstract class RouteTests
{
    private const string Marker = "X-Marker";
    private const string Json = "application/json";
    private const string Digest = "sha256:2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881"; // of "x"

    // What differs from one answer to the next, or is between two hops only.
    private static readonly string[] s_volatile = ["Date", "Content-Length", "Connection", "Keep-Alive"];

    private static readonly Dictionary<string, Sample> s_samples = new()
    {
        ["native chat"] = new("POST", "/api/chat", """{"model":"mock","messages":[{"role":"user","content":"hi"}]}"""),
        ["native chat in one piece"] = new("POST", "/api/chat", """{"model":"mock","messages":[{"role":"user","content":"hi"}],"stream":false}"""),
        ["native generate"] = new("POST", "/api/generate", """{"prompt":"hi","model":"mock:latest"}"""),
        ["native generate in one piece"] = new("POST", "/api/generate", """{"prompt":"hi","stream":false,"model":"mock"}"""),
        ["native load"] = new("POST", "/api/generate", """{"model":"mock"}"""),
        ["native unload"] = new("POST", "/api/generate", """{"model":"mock","keep_alive":0}"""),
        ["native embed"] = new("POST", "/api/embed", """{"model":"mock","input":["a","b"]}"""),
        ["native embeddings"] = new("POST", "/api/embeddings", """{"model":"mock","prompt":"a"}"""),
        ["native chat with a model that is not there"] = new("POST", "/api/chat", """{"model":"nobody","messages":[{"role":"user","content":"hi"}]}"""),
        ["version"] = new("GET", "/api/version"),
        ["version's head"] = new("HEAD", "/api/version"),
        ["tags"] = new("GET", "/api/tags"),
        ["tags' head"] = new("HEAD", "/api/tags"),
        ["ps"] = new("GET", "/api/ps"),
        ["status"] = new("GET", "/api/status"),
        ["show"] = new("POST", "/api/show", """{"model":"mock"}"""),
        ["show by the older name"] = new("POST", "/api/show", """{"name":"mock"}"""),
        ["pull"] = new("POST", "/api/pull", """{"model":"new"}"""),
        ["pull in one piece"] = new("POST", "/api/pull", """{"model":"new","stream":false}"""),
        ["push"] = new("POST", "/api/push", """{"model":"mock"}"""),
        ["create"] = new("POST", "/api/create", """{"model":"made","from":"mock"}"""),
        ["copy"] = new("POST", "/api/copy", """{"source":"mock","destination":"copied"}"""),
        ["copy of a model that is not there"] = new("POST", "/api/copy", """{"source":"nobody","destination":"copied"}"""),
        ["delete"] = new("DELETE", "/api/delete", """{"model":"spare"}"""),
        ["delete of a model that is not there"] = new("DELETE", "/api/delete", """{"model":"nobody"}"""),
        ["blob"] = new("POST", $"/api/blobs/{Digest}", "x", "application/octet-stream"),
        ["blob of another digest"] = new("POST", $"/api/blobs/{Digest}", "y", "application/octet-stream"),
        ["blob's head"] = new("HEAD", $"/api/blobs/{Digest}"),
        ["blob's head, not there"] = new("HEAD", "/api/blobs/sha256:0"),
        ["me"] = new("POST", "/api/me", ""),
        ["signout"] = new("POST", "/api/signout", ""),
        ["key of a user"] = new("DELETE", "/api/user/keys/abc"),
        ["OpenAI chat, usage asked for"] = new("POST", "/v1/chat/completions", """{"model":"mock","messages":[{"role":"user","content":"hi"}],"stream":true,"stream_options":{"include_usage":true}}"""),
        ["OpenAI chat in one piece"] = new("POST", "/v1/chat/completions", """{"model":"mock","messages":[{"role":"user","content":"hi"}]}"""),
        ["OpenAI completion, usage asked for"] = new("POST", "/v1/completions", """{"model":"mock","prompt":"hi","stream":true,"stream_options":{"include_usage":true}}"""),
        ["OpenAI completion in one piece"] = new("POST", "/v1/completions", """{"model":"mock","prompt":"hi"}"""),
        ["OpenAI embeddings"] = new("POST", "/v1/embeddings", """{"model":"mock","input":["a","b","c"]}"""),
        ["OpenAI responses"] = new("POST", "/v1/responses", """{"model":"mock","input":"hi","stream":true}"""),
        ["OpenAI image"] = new("POST", "/v1/images/generations", """{"model":"mock","prompt":"a ball"}"""),
        ["OpenAI transcription"] = new(
            "POST",
            "/v1/audio/transcriptions",
            "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.wav\"\r\nContent-Type: audio/wav\r\n\r\nRIFF\r\n--b\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\nmock\r\n--b--\r\n",
            "multipart/form-data; boundary=b"),
        ["a decision"] = new("POST", "/v1/systemone", """{"model":"mock","state":"hi","questions":{}}"""),
        ["OpenAI models"] = new("GET", "/v1/models"),
        ["OpenAI model"] = new("GET", "/v1/models/mock"),
        ["OpenAI model that is not there"] = new("GET", "/v1/models/nobody"),
        ["OpenAI chat with a model that is not there"] = new("POST", "/v1/chat/completions", """{"model":"nobody","messages":[{"role":"user","content":"hi"}]}"""),
        ["Anthropic messages"] = new("POST", "/v1/messages", """{"model":"mock","max_tokens":3,"messages":[{"role":"user","content":"hi"}],"stream":true}"""),
        ["Anthropic messages in one piece"] = new("POST", "/v1/messages", """{"model":"mock","max_tokens":100,"messages":[{"role":"user","content":"hi"}]}"""),
        ["Anthropic count of tokens"] = new("POST", "/v1/messages/count_tokens", """{"model":"mock","messages":[{"role":"user","content":"hi"}]}"""),
        ["Anthropic messages with a model that is not there"] = new("POST", "/v1/messages", """{"model":"nobody","max_tokens":1,"messages":[{"role":"user","content":"hi"}]}"""),
        ["unknown GET"] = new("GET", "/api/experimental/model-recommendations"),
        ["unknown POST"] = new("POST", "/api/experimental/web_search", """{"query":"hi"}"""),
        ["unknown PUT"] = new("PUT", "/api/chat", """{"model":"mock"}"""),
        ["unknown PATCH"] = new("PATCH", "/v1/models", "{}"),
        ["unknown DELETE"] = new("DELETE", "/v1/responses/resp_1"),
        ["a method of nobody's"] = new("BREW", "/coffee", "beans", "text/plain"),
        ["a path of nobody's"] = new("GET", "/favicon.ico"),
        ["an answer of 204"] = new("POST", "/scripted/204", "{}"),
        ["an answer of 304"] = new("GET", "/scripted/304"),
        ["an answer of 500 in HTML"] = new("GET", "/scripted/500"),
        ["a redirect"] = new("GET", "/scripted/302"),
        ["a compressed answer"] = new("GET", "/scripted/gzip"),
        ["an empty answer"] = new("GET", "/scripted/empty"),
        ["an answer with a length"] = new("GET", "/scripted/length"),
    };

    private readonly GatewayFixture _fixture;

    protected RouteTests(GatewayFixture fixture)
    {
        ArgumentNullException.ThrowIfNull(fixture);
        _fixture = fixture;
        var engine = fixture.Engine;
        engine.Options = engine.Options with { Models = [new MockModel("mock"), new MockModel("spare")] };
        Script("/v1/responses", 200, "text/event-stream", "event: response.created\ndata: {\"type\":\"response.created\"}\n\n", "event: response.completed\ndata: {\"type\":\"response.completed\",\"response\":{\"usage\":{\"input_tokens\":3,\"output_tokens\":4}}}\n\n");
        Script("/v1/images/generations", 200, "application/json; charset=utf-8", """{"created":1,"data":[]}""");
        Script("/v1/audio/transcriptions", 200, "application/json", """{"text":"hi"}""");
        Script("/v1/systemone", 200, "application/json; charset=utf-8", """{"answers":{}}""");
        Script("/v1/messages/count_tokens", 200, "application/json", """{"input_tokens":3}""");
        Script("/api/me", 401, "application/json; charset=utf-8", """{"error":"unauthorized","signin_url":"https://example.org/connect"}""");
        Script("/api/signout", 200, "application/json", "null");
        engine.Script("/scripted/204", new MockScript([]) { Status = 204, Headers = [new("X-Said", "1")] });
        engine.Script("/scripted/304", new MockScript([]) { Status = 304, Headers = [new("ETag", "\"1\"")] });
        Script("/scripted/500", 500, "text/html", "<h1>broken</h1>");
        engine.Script("/scripted/302", new MockScript([]) { Status = 302, Headers = [new("Location", "http://127.0.0.1:1/elsewhere"), new("Set-Cookie", "a=b; Path=/"), new("Content-Length", "0")] });
        engine.Script("/scripted/gzip", new MockScript([new byte[] { 0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 0x4b, 4, 0, 0x43, 0xbe, 0xb7, 0xe8, 1, 0, 0, 0 }]) { Headers = [new("Content-Encoding", "gzip"), new("Content-Type", "application/x-ndjson")] });
        engine.Script("/scripted/empty", new MockScript([]) { Headers = [new("Content-Type", "text/event-stream"), new("Content-Length", "0")] });
        engine.Script("/scripted/length", new MockScript(["a\n"u8.ToArray(), "b\n"u8.ToArray()]) { Headers = [new("Content-Type", "application/x-ndjson"), new("Content-Length", "4"), new("X-Two", "1, 2")] });

        void Script(string path, int status, string contentType, params string[] chunks) => engine.Script(path, new MockScript([.. chunks.Select(chunk => (ReadOnlyMemory<byte>)Encoding.UTF8.GetBytes(chunk))])
        {
            Status = status,
            Headers = [new("Content-Type", contentType)],
        });
    }

    public static TheoryData<string> Samples => new(s_samples.Keys);

    [Fact]
    public void Every_route_is_among_them()
    {
        var met = s_samples.Values.Select(sample => OperationTable.Match(sample.Method, sample.Path)).ToHashSet();
        // No engine has what the gateway itself answers.
        Assert.Empty(OperationTable.Routes.Where(route => route.Operation.Handling is not (Handling.Banner or Handling.Usage) && !met.Contains(route.Operation)).Select(route => $"{route.Method} {route.Path}"));
    }

    [Theory]
    [MemberData(nameof(Samples))]
    public async Task A_request_and_its_answer_pass_as_they_are(string name)
    {
        var sample = s_samples[name];
        var (there, seen) = await AskAsync(_fixture.Engine.Address, sample);
        _fixture.Engine.Options = _fixture.Engine.Options with { Models = [new MockModel("mock"), new MockModel("spare")] };
        var (here, passed) = await AskAsync(_fixture.Gateway.Address, sample);

        Assert.Equal(there.Status, here.Status);
        Assert.Equal(passed.Sent, here.Body);
        Assert.Equal(Lasting(there), Lasting(here).Where(header => !IsOwn(header)));
        Assert.Equal("engine", here["Hazumu-Instance"]);
        Assert.Equal(there["Content-Length"] is null, here["Content-Length"] is null);
        if (sample.Method != "HEAD" && here["Content-Length"] is { } length)
        {
            Assert.Equal(here.Body.Length, int.Parse(length, CultureInfo.InvariantCulture));
        }

        Assert.Equal(seen.Method, passed.Method);
        Assert.Equal(seen.Query, passed.Query);
        Assert.Equal(Encoding.Latin1.GetString(seen.Body), Encoding.Latin1.GetString(passed.Body));
        Assert.Equal(_fixture.Engine.Address.Authority, passed.Headers["Host"]);
        Assert.Equal(
            seen.Headers.Where(header => header.Key is not ("Host" or Marker)).OrderBy(header => header.Key).Select(header => $"{header.Key}: {header.Value}"),
            passed.Headers.Where(header => header.Key is not ("Host" or Marker or "traceparent")).OrderBy(header => header.Key).Select(header => $"{header.Key}: {header.Value}").Where(header => !IsOwn(header)));
    }

    [Theory]
    [InlineData("GET")]
    [InlineData("HEAD")]
    public async Task The_root_answers_as_Ollamas_does(string method)
    {
        using var connection = await RawConnection.OpenAsync(_fixture.Gateway.Address);
        await connection.SendAsync(method, "/", "");
        var answer = await connection.ReadAsync(isHead: method == "HEAD");

        Assert.Equal(200, answer.Status);
        Assert.Equal("text/plain; charset=utf-8", answer["Content-Type"]);
        Assert.Equal("17", answer["Content-Length"]);
        Assert.Equal(method == "HEAD" ? "" : "Ollama is running", answer.Text);
    }

    private async Task<(RawAnswer Answer, MockRequest Request)> AskAsync(Uri address, Sample sample)
    {
        var marker = Guid.NewGuid().ToString();
        using var connection = await RawConnection.OpenAsync(address);
        var body = sample.Body is null ? "" : $"Content-Type: {sample.ContentType}\r\nContent-Length: {sample.Body.Length}\r\n";
        await connection.SendAsync($"{sample.Method} {sample.Path}?a=%2F&b=c+d&%C3%A9 HTTP/1.1\r\nHost: gateway\r\nUser-Agent: test\r\nAccept: */*\r\nAccept-Encoding: gzip, br\r\nX-Own: one, two\r\nCookie: a=b; c=d\r\n{Marker}: {marker}\r\n{body}\r\n{sample.Body}");
        var answer = await connection.ReadAsync(isHead: sample.Method == "HEAD");
        var request = await _fixture.Engine.WaitForRequestAsync(request => request.Headers.GetValueOrDefault(Marker) == marker);
        await request.Ended;
        return (answer, request);
    }

    // What the gateway adds to an answer, or to the request for the engine.
    private static bool IsOwn(string header) =>
        header.StartsWith("hazumu-", StringComparison.Ordinal)
        || header.StartsWith("x-request-id: ", StringComparison.OrdinalIgnoreCase)
        || header.StartsWith("request-id: ", StringComparison.Ordinal);

    private static IEnumerable<string> Lasting(RawAnswer answer) => answer.Headers
        .Where(header => !s_volatile.Contains(header.Name, StringComparer.OrdinalIgnoreCase))
        .Select(header => $"{header.Name.ToLowerInvariant()}: {header.Value}")
        .Order(StringComparer.Ordinal);

    private sealed record Sample(string Method, string Path, string? Body = null, string ContentType = Json);
}

/// <inheritdoc/>
public sealed class RoutesInThisProcess(InThisProcess fixture) : RouteTests(fixture), IClassFixture<InThisProcess>;

/// <inheritdoc/>
public sealed class RoutesWhereAnotherAdmits(WhereAnotherAdmits fixture) : RouteTests(fixture), IClassFixture<WhereAnotherAdmits>;

/// <inheritdoc/>
public sealed class RoutesAsItIsRun(AsItIsRun fixture) : RouteTests(fixture), IClassFixture<AsItIsRun>;
