using System.Net;
using Hazumu.Gateway.Keys;
using Hazumu.Gateway.Tests.Keys;
using Hazumu.Gateway.Tests.Streams;
using Hazumu.Mocks;

namespace Hazumu.Gateway.Tests.Serving;

/// <summary>Paths that are spelled wrong, and routes that a newer engine may have.</summary>
public sealed class UnknownRouteTests : IAsyncLifetime
{
    private readonly TemporaryFolder _folder = new();
    private readonly List<ApiKey> _keys = [];
    private MockEngine _engine = null!;

    public async ValueTask InitializeAsync() => _engine = await MockEngine.StartAsync();

    public async ValueTask DisposeAsync()
    {
        await _engine.DisposeAsync();
        _folder.Dispose();
    }

    [Theory]
    [InlineData("POST", "//api/chat", "/api/chat")]
    [InlineData("POST", "/api//chat", "/api/chat")]
    [InlineData("POST", "/api/chat/", "/api/chat")]
    [InlineData("POST", "/API/Chat", "/api/chat")]
    [InlineData("POST", "/chat", "/api/chat")]
    [InlineData("POST", "/ollama/api/generate", "/api/generate")]
    [InlineData("POST", "/v1/api/chat", "/api/chat")]
    [InlineData("GET", "/tags", "/api/tags")]
    [InlineData("POST", "/chat/completions", "/v1/chat/completions")]
    [InlineData("POST", "/v1/v1/chat/completions", "/v1/chat/completions")]
    [InlineData("POST", "/api/v1/chat/completions", "/v1/chat/completions")]
    [InlineData("POST", "//v1/embeddings", "/v1/embeddings")]
    [InlineData("GET", "/models", "/v1/models")]
    [InlineData("GET", "//v1/models/MiXed", "/v1/models/MiXed")]
    [InlineData("POST", "/messages", "/v1/messages")]
    [InlineData("POST", "/v1/v1/messages", "/v1/messages")]
    [InlineData("POST", "/v1/messages/", "/v1/messages")]
    public async Task Path_spelled_wrong_returns_404_that_names_the_right_one(string method, string path, string right)
    {
        var (user, admin) = (Make("user", Scope.Infer | Scope.Read), Make("admin", Scope.Infer | Scope.Read | Scope.Admin));
        await using var gateway = await StartAsync("--Gateway:Keys:Required=true");
        await using var open = await StartAsync();

        foreach (var (target, key) in ((TestGateway, string?)[])[(gateway, user), (gateway, admin), (open, null)])
        {
            using var connection = await RawConnection.OpenAsync(target.Address);
            await connection.SendAsync(method, path, method == "GET" ? "" : Ask.Body(), key is null ? "X-Key: none" : $"Authorization: Bearer {key}");
            var raw = await connection.ReadAsync();
            var answer = new ChatAnswer(raw.Status, raw.Text, raw.Headers.ToDictionary(header => header.Name, header => header.Value, StringComparer.OrdinalIgnoreCase));
            answer.IsRefusal(right, HttpStatusCode.NotFound, "not_found_error", $"There is no route '{method} {path}'; use '{right}'.");
        }

        Assert.Equal(0, gateway.Measured.Now("hazumu.gateway.refusals.most", ("outcome", "forbidden")));
        Assert.Empty(_engine.Inferences());
    }

    [Theory]
    [InlineData("POST", "/api/unknown", "{}")]
    [InlineData("POST", "/v1/unknown", "{}")]
    [InlineData("POST", "/v1/messages/batches", "{}")]
    [InlineData("DELETE", "/api/unknown", null)]
    [InlineData("GET", "/api/unknown", null)]
    public async Task Unknown_route_returns_404_without_the_scope_and_passes_with_it(string method, string path, string? body)
    {
        var user = Make("user", Scope.Infer);
        var admin = Make("admin", Scope.Read | Scope.Admin);
        _engine.Script(path, new MockScript(["{}"u8.ToArray()]));
        await using var gateway = await StartAsync("--Gateway:Keys:Required=true");
        var dialect = path.StartsWith("/v1/messages", StringComparison.Ordinal) ? Ask.Anthropic : path;

        (await gateway.Http.AnswerAsync(new(method), path, body, user)).IsRefusal(dialect, HttpStatusCode.NotFound, "not_found_error", $"There is no route '{method} {path}'.");
        Assert.DoesNotContain(_engine.Requests, request => request.Path == path);
        Assert.Equal(0, gateway.Measured.Now("hazumu.gateway.refusals.most", ("outcome", "forbidden")));

        Assert.Equal(200, (await gateway.Http.AnswerAsync(new(method), path, body, admin)).Status);
        Assert.Single(_engine.Requests, request => request.Path == path);
    }

    [Theory]
    [InlineData("/api/new", "application/json", """{"model":"mock","input":"hi"}""")]
    [InlineData("/v1/new", "application/json", " {\"input\":\"hi\",\"model\":\"mock\"}")]
    [InlineData("/v1/audio/new", "multipart/form-data; boundary=b", "--b\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\nmock\r\n--b--\r\n")]
    [InlineData("/v1/systemone", "application/json", """{"model":"mock","state":"hi","questions":{}}""")]
    public async Task Request_that_names_a_model_waits_for_a_slot_whatever_its_route(string path, string contentType, string body)
    {
        await using var engine = HeldEngine.Start();
        await using var gateway = await TestGateway.StartAsync(engine.Address);
        var first = gateway.Http.ChatAsync();
        await engine.HoldsAsync(1);
        using var connection = await RawConnection.OpenAsync(gateway.Address);

        await connection.SendAsync($"POST {path} HTTP/1.1\r\nHost: gateway\r\nContent-Type: {contentType}\r\nContent-Length: {body.Length}\r\n\r\n{body}");
        await gateway.WaitsAsync(1);
        Assert.Equal(1, engine.Most);

        engine.Release(2);
        Assert.Equal(200, (await first).Status);
        Assert.Equal(200, (await connection.ReadAsync()).Status);
        Assert.Equal(body, engine.Asked.Last());
        Assert.Equal(1, engine.Most);
    }

    [Fact]
    public async Task Unknown_route_with_a_model_keeps_to_the_keys_scopes_and_models()
    {
        var admin = Make("admin", Scope.Admin);
        var some = Make("some", Scope.Admin | Scope.Infer, "mock*");
        _engine.Script("/api/new", new MockScript(["{}"u8.ToArray()]));
        await using var gateway = await StartAsync("--Gateway:Keys:Required=true");

        Assert.Equal(403, (await gateway.Http.ChatAsync("/api/new", Ask.Body(), admin)).Status);
        Assert.Equal(403, (await gateway.Http.ChatAsync("/api/new", Ask.Body(model: "secret"), some)).Status);
        Assert.Equal(403, (await gateway.Http.ChatAsync("/api/new", Ask.Body(model: "mock:cloud"), some)).Status);
        Assert.Equal(400, (await gateway.Http.ChatAsync("/api/new", """{"model":"mock","model":"secret"}""", some)).Status);
        Assert.DoesNotContain(_engine.Requests, request => request.Path == "/api/new");

        Assert.Equal(200, (await gateway.Http.ChatAsync("/api/new", Ask.Body(), some)).Status);
    }

    [Theory]
    [InlineData("application/octet-stream", "\u0001\u0002 {\"model\":\"mock\"}")]
    [InlineData("text/plain", "")]
    [InlineData("application/json", "[1]")]
    public async Task Body_without_a_model_passes_as_it_is(string contentType, string body)
    {
        _engine.Script("/api/new", new MockScript(["{}"u8.ToArray()]));
        await using var gateway = await StartAsync();
        using var connection = await RawConnection.OpenAsync(gateway.Address);

        await connection.SendAsync($"PUT /api/new HTTP/1.1\r\nHost: gateway\r\nContent-Type: {contentType}\r\nContent-Length: {body.Length}\r\n\r\n{body}");

        Assert.Equal(200, (await connection.ReadAsync()).Status);
        Assert.Equal(body, System.Text.Encoding.Latin1.GetString(Assert.Single(_engine.Requests, request => request.Path == "/api/new").Body));
    }

    [Theory]
    [MemberData(nameof(Ask.Dialects), MemberType = typeof(Ask))]
    public async Task Model_that_is_absent_reads_as_the_engine_says_it(string path)
    {
        await using var engines = await Two.StartAsync();
        await engines.A.LoadAsync("mock");
        using var client = TestGateway.Client(engines.A.Address);
        var there = await client.ChatAsync(path, Ask.Body(model: "nobody"));

        var answer = await engines.Gateway.Http.ChatAsync(path, Ask.Body(model: "nobody"));

        Assert.Equal((404, 404), (there.Status, answer.Status));
        Assert.Equal(there.Text, answer.Text);
    }

    [Theory]
    [MemberData(nameof(Ask.Dialects), MemberType = typeof(Ask))]
    public async Task Wrong_key_and_missing_scope_are_not_to_be_retried(string path)
    {
        var reader = Make("reader", Scope.Read);
        await using var gateway = await StartAsync("--Gateway:Keys:Required=true");

        foreach (var (key, status) in ((string?, int)[])[(null, 401), ("sk-wrong", 401), (reader, 403)])
        {
            var answer = await gateway.Http.ChatAsync(path, key: key);
            Assert.Equal((status, "false"), (answer.Status, answer["x-should-retry"]));
            Assert.Equal(path == Ask.Anthropic, answer.Text.Contains($"\"request_id\":\"{answer["X-Request-Id"]}\"", StringComparison.Ordinal));
            Assert.Equal(path == Ask.Anthropic ? answer["X-Request-Id"] : null, answer["request-id"]);
        }
    }

    private string Make(string name, Scope scopes, params string[] models)
    {
        var (key, text) = TestKeys.Make(name, scopes, models);
        _keys.Add(key);
        return text;
    }

    private Task<TestGateway> StartAsync(params string[] arguments)
    {
        var file = _folder.File("keys.json");
        TestKeys.Write(file, _keys);
        return TestGateway.StartAsync(_engine.Address, [$"--Gateway:Keys:File={file}", "--Gateway:Fleet:ProbeInterval=1m", .. arguments]);
    }
}
