using System.Net;
using System.Text;
using System.Text.Json;
using Hazumu.Gateway.Keys;
using Hazumu.Gateway.Tests.Keys;
using Hazumu.Gateway.Tests.Streams;
using Hazumu.Mocks;
using Hazumu.Testing;

namespace Hazumu.Gateway.Tests.Serving;

/// <summary>Keys over HTTP: what clients of each dialect are told, and what the engine gets to see.</summary>
public sealed class KeyTests : IAsyncLifetime
{
    private readonly TemporaryFolder _folder = new();
    private readonly List<ApiKey> _keys = [];
    private MockEngine _engine = null!;

    public async ValueTask InitializeAsync() => _engine = await MockEngine.StartAsync(new() { Models = [new MockModel("mock"), new MockModel("spare"), new MockModel("gpt-oss:120b-cloud")] });

    public async ValueTask DisposeAsync()
    {
        await _engine.DisposeAsync();
        _folder.Dispose();
    }

    [Theory]
    [MemberData(nameof(Ask.Dialects), MemberType = typeof(Ask))]
    public async Task A_missing_or_wrong_key_is_refused_in_the_clients_dialect(string path)
    {
        var key = Make();
        await using var gateway = await StartAsync();

        var missing = await gateway.Http.ChatAsync(path);
        missing.IsRefusal(path, HttpStatusCode.Unauthorized, "authentication_error", "needs an API key");
        Assert.Equal("Bearer", missing["WWW-Authenticate"]);
        (await gateway.Http.ChatAsync(path, key: TestKeys.WithOtherSecret(key))).IsRefusal(path, HttpStatusCode.Unauthorized, "authentication_error", "not valid");
        (await gateway.Http.ChatAsync(path, key: "sk-something")).IsRefusal(path, HttpStatusCode.Unauthorized, "authentication_error", "not valid");

        Assert.Equal(200, (await gateway.Http.ChatAsync(path, key: key)).Status);
        Assert.Single(_engine.Inferences());
        await gateway.Measured.RequestsAsync(4);
        Assert.Equal(3, gateway.Measured.Sum("hazumu.gateway.requests", ("outcome", "unauthorized")));
        Assert.Equal(1, gateway.Measured.Sum("hazumu.gateway.requests", ("outcome", "success"), ("key", "alice")));
    }

    [Theory]
    [InlineData("Authorization", "Bearer ")]
    [InlineData("Authorization", "bearer ")]
    [InlineData("Authorization", "")]
    [InlineData("x-api-key", "")]
    [InlineData("api-key", "")]
    public async Task A_key_comes_in_either_header_and_stays_at_the_gateway(string header, string scheme)
    {
        var key = Make();
        await using var gateway = await StartAsync();
        using var request = new HttpRequestMessage(HttpMethod.Post, new Uri(Ask.Anthropic, UriKind.Relative)) { Content = new StringContent(Ask.Body()) };
        Assert.True(request.Headers.TryAddWithoutValidation(header, scheme + key));

        using var answer = await gateway.Http.SendAsync(request);

        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        Assert.DoesNotContain(Assert.Single(_engine.Inferences()).Headers, sent => sent.Value.Contains(key, StringComparison.Ordinal));
        Assert.DoesNotContain(gateway.Logged, line => line.Contains(key, StringComparison.Ordinal));
    }

    [Theory]
    [MemberData(nameof(Ask.Dialects), MemberType = typeof(Ask))]
    public async Task A_foreign_credential_beside_the_key_is_dropped(string path)
    {
        const string foreign = "sk-ant-oat01-foreign";
        var key = Make();
        await using var gateway = await StartAsync();
        foreach (var (authorization, apiKey) in new[] { ($"Bearer {foreign}", key), ($"Bearer {key}", foreign) })
        {
            using var request = new HttpRequestMessage(HttpMethod.Post, new Uri(path, UriKind.Relative)) { Content = new StringContent(Ask.Body()) };
            request.Headers.Add("Authorization", authorization);
            request.Headers.Add("x-api-key", apiKey);

            using var answer = await gateway.Http.SendAsync(request);

            Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        }

        Assert.Equal(2, _engine.Inferences().Count);
        Assert.All(_engine.Inferences(), inference => Assert.DoesNotContain(inference.Headers, sent => sent.Value.Contains(foreign, StringComparison.Ordinal) || sent.Value.Contains(key, StringComparison.Ordinal)));
        await gateway.Measured.RequestsAsync(2);
        Assert.Equal(2, gateway.Measured.Sum("hazumu.gateway.requests", ("outcome", "success"), ("key", "alice")));
    }

    [Fact]
    public async Task A_key_in_the_url_works_and_an_unsupported_scheme_is_named()
    {
        var key = Make();
        await using var gateway = await StartAsync();

        Assert.Equal(HttpStatusCode.OK, (await SendAsync($"Basic {Convert.ToBase64String(Encoding.UTF8.GetBytes($"anyone:{key}"))}")).StatusCode);
        Assert.DoesNotContain(Assert.Single(_engine.Inferences()).Headers, sent => sent.Key.Equals("Authorization", StringComparison.OrdinalIgnoreCase));

        using var refused = await SendAsync("Digest username=\"alice\"");
        Assert.Equal(HttpStatusCode.Unauthorized, refused.StatusCode);
        Assert.Contains("The scheme 'Digest' of the Authorization header is not supported", await refused.Content.ReadAsStringAsync(), StringComparison.Ordinal);

        async Task<HttpResponseMessage> SendAsync(string authorization)
        {
            using var request = new HttpRequestMessage(HttpMethod.Post, new Uri(Ask.Native, UriKind.Relative)) { Content = new StringContent(Ask.Body()) };
            request.Headers.Add("Authorization", authorization);
            return await gateway.Http.SendAsync(request);
        }
    }

    [Fact]
    public async Task Ollamas_command_line_is_let_in_by_its_signature_and_otherwise_shown_the_reason()
    {
        var ollama = new OllamaKeyPair();
        Make(change: key => key with { OllamaPublicKey = ollama.PublicKey });
        await using var gateway = await StartAsync();
        var now = DateTimeOffset.UtcNow;

        Assert.Equal((200, ""), await SendAsync(ollama.Sign("POST", Ask.Native, now), now));
        Assert.DoesNotContain(Assert.Single(_engine.Inferences()).Headers, sent => sent.Key.Equals("Authorization", StringComparison.OrdinalIgnoreCase));

        // Its client shows the message of 403, and of 401 none.
        var unsigned = await SendAsync(null, now);
        Assert.Equal(403, unsigned.Status);
        Assert.StartsWith("This gateway needs a key: set OLLAMA_AUTH=1, and have the gateway's administrator run 'keys create NAME --ollama-public-key KEY'", unsigned.Error, StringComparison.Ordinal);
        var stranger = await SendAsync(new OllamaKeyPair(1).Sign("POST", Ask.Native, now), now);
        Assert.Equal(403, stranger.Status);
        Assert.StartsWith("The public key of this Ollama client is not registered at this gateway", stranger.Error, StringComparison.Ordinal);
        var late = await SendAsync(ollama.Sign("POST", Ask.Native, now.AddMinutes(-5)), now.AddMinutes(-5));
        Assert.Equal(403, late.Status);
        Assert.Contains("away from the time of this gateway's clock, and 60 s are allowed", late.Error, StringComparison.Ordinal);

        Assert.Single(_engine.Inferences());
        await gateway.Measured.RequestsAsync(4);
        Assert.Equal(3, gateway.Measured.Sum("hazumu.gateway.requests", ("outcome", "unauthorized")));
        Assert.Equal(1, gateway.Measured.Sum("hazumu.gateway.requests", ("outcome", "success"), ("key", "alice")));

        async Task<(int Status, string Error)> SendAsync(string? authorization, DateTimeOffset time)
        {
            using var request = new HttpRequestMessage(HttpMethod.Post, new Uri($"{Ask.Native}?ts={time.ToUnixTimeSeconds()}", UriKind.Relative)) { Content = new StringContent(Ask.Body()) };
            request.Headers.TryAddWithoutValidation("Authorization", authorization is null ? [] : [authorization]);
            request.Headers.TryAddWithoutValidation("User-Agent", "ollama/0.32.15 (amd64 linux) Go/go1.26.0");
            using var answer = await gateway.Http.SendAsync(request);
            var text = await answer.Content.ReadAsStringAsync();
            return ((int)answer.StatusCode, answer.IsSuccessStatusCode ? "" : JsonSerializer.Deserialize<JsonElement>(text).GetProperty("error").GetString()!);
        }
    }

    [Fact]
    public async Task A_request_without_a_key_does_not_count_as_an_attempt_to_guess_one()
    {
        var key = Make();
        await using var gateway = await StartAsync();

        // As LiteLLM's ollama/ provider: /api/show without the key after each chat.
        for (var i = 0; i < 40; i++)
        {
            Assert.Equal(401, (await gateway.Http.AnswerAsync(HttpMethod.Post, "/api/show", """{"name":"mock"}""")).Status);
        }

        Assert.Equal(200, (await gateway.Http.ChatAsync(key: key)).Status);
        Assert.Equal(401, (await gateway.Http.AnswerAsync(HttpMethod.Post, "/api/show", """{"name":"mock"}""", TestKeys.WithOtherSecret(key))).Status);
        await gateway.Measured.RequestsAsync(42);
        await Wait.UntilAsync(() => Assert.Equal(1, gateway.Measured.Now("hazumu.gateway.refusals.most", ("outcome", "unauthorized"))));
    }

    [Theory]
    [MemberData(nameof(Ask.Dialects), MemberType = typeof(Ask))]
    public async Task A_key_is_held_to_its_models_and_scopes(string path)
    {
        var some = Make("some", models: "mock*");
        var reader = Make("reader", Scope.Read);
        await using var gateway = await StartAsync();

        (await gateway.Http.ChatAsync(path, Ask.Body(model: "spare"), some)).IsRefusal(path, HttpStatusCode.Forbidden, "permission_error", "may not use the model 'spare'");
        (await gateway.Http.ChatAsync(path, key: reader)).IsRefusal(path, HttpStatusCode.Forbidden, "permission_error", "lacks the scope 'infer'");

        Assert.Equal(200, (await gateway.Http.ChatAsync(path, key: some)).Status);
        Assert.Single(_engine.Inferences());
    }

    [Theory]
    [InlineData("POST", "/api/pull", """{"model":"new"}""")]
    [InlineData("POST", "/api/push", """{"model":"mock"}""")]
    [InlineData("POST", "/api/create", """{"model":"made","from":"mock"}""")]
    [InlineData("POST", "/api/copy", """{"source":"mock","destination":"copied"}""")]
    [InlineData("DELETE", "/api/delete", """{"model":"spare"}""")]
    public async Task Managing_models_needs_the_scope_admin(string method, string path, string body)
    {
        var user = Make();
        var admin = Make("root", Scope.Admin);
        await using var gateway = await StartAsync();

        (await gateway.Http.AnswerAsync(new(method), path, body, user)).IsRefusal(path, HttpStatusCode.Forbidden, "", "lacks the scope 'admin'");
        Assert.DoesNotContain(_engine.Requests, request => request.Path == path);

        Assert.Equal(200, (await gateway.Http.AnswerAsync(new(method), path, body, admin)).Status);
        Assert.Single(_engine.Requests, request => request.Path == path);
    }

    [Theory]
    [MemberData(nameof(Ask.Dialects), MemberType = typeof(Ask))]
    public async Task Limits_are_enforced_and_reported_in_the_clients_dialect(string path)
    {
        var twice = Make("twice", change: key => key with { RequestsPerMinute = 2 });
        var chatty = Make("chatty", change: key => key with { TokensPerMinute = 30 });
        await using var gateway = await StartAsync();

        Assert.Equal((200, 200), ((await gateway.Http.ChatAsync(path, key: twice)).Status, (await gateway.Http.ChatAsync(path, key: twice)).Status));
        var third = await gateway.Http.ChatAsync(path, key: twice);
        third.IsRefusal(path, HttpStatusCode.TooManyRequests, "rate_limit_error", "requests per minute");
        third.TellsWhenToComeBack(most: 30);

        // 26 tokens of a prompt and 16 of an answer, as the engine tells at its end.
        Assert.Equal(200, (await gateway.Http.ChatAsync(path, key: chatty)).Status);
        await gateway.Measured.RequestsAsync(4);
        var next = await gateway.Http.ChatAsync(path, key: chatty);
        next.IsRefusal(path, HttpStatusCode.TooManyRequests, "rate_limit_error", "tokens per minute");
        next.TellsWhenToComeBack();

        Assert.Equal(3, _engine.Inferences().Count);
        await gateway.Measured.RequestsAsync(5);
        Assert.Equal(2, gateway.Measured.Sum("hazumu.gateway.requests", ("outcome", "rate_limited")));
        await gateway.MeasuresAsync(42, "hazumu.gateway.key.tokens", ("key", "chatty"));
    }

    [Fact]
    public async Task Concurrent_requests_are_limited_until_one_completes_or_disconnects()
    {
        var key = Make(change: key => key with { ConcurrentRequests = 1 });
        _engine.Options = _engine.Options with { Tokens = 1_000, TokenTime = TimeSpan.FromMilliseconds(20) };
        await using var gateway = await StartAsync("--Gateway:Slots=8");
        var running = await gateway.Http.BeginAsync(key: key);
        Assert.Equal(HttpStatusCode.OK, running.StatusCode);

        var refused = await gateway.Http.ChatAsync(key: key);
        refused.IsRefusal(Ask.Native, HttpStatusCode.TooManyRequests, "", "requests at the same time");
        Assert.Equal("1", refused["Retry-After"]);

        running.Dispose();
        _engine.Options = _engine.Options with { Tokens = 1 };
        await gateway.Measured.RequestsAsync(2);
        Assert.Equal(200, (await gateway.Http.ChatAsync(key: key)).Status);
        Assert.Equal(200, (await gateway.Http.ChatAsync(key: key)).Status);
    }

    [Fact]
    public async Task A_revoked_key_stops_working_while_the_gateway_runs_and_a_new_one_begins_to()
    {
        var old = Make("old");
        await using var gateway = await StartAsync();
        Assert.Equal(200, (await gateway.Http.ChatAsync(key: old)).Status);

        _keys.Clear();
        var young = Make("young");
        TestKeys.Write(_folder.File("keys.json"), _keys);

        await Wait.UntilAsync(() => Assert.Equal(401, gateway.Http.ChatAsync(key: old).GetAwaiter().GetResult().Status), TimeSpan.FromSeconds(5));
        Assert.Equal(200, (await gateway.Http.ChatAsync(key: young)).Status);
    }

    [Theory]
    [MemberData(nameof(Ask.Dialects), MemberType = typeof(Ask))]
    public async Task Tokens_are_counted_when_the_client_hangs_up_before_the_last_event(string path)
    {
        var key = Make(change: key => key with { TokensPerMinute = 30 });
        _engine.Options = _engine.Options with { Tokens = 100_000, TokenTime = TimeSpan.FromMilliseconds(1) };
        await using var gateway = await StartAsync();

        using (var response = await gateway.Http.BeginAsync(path, Ask.Body().Replace("\"max_tokens\":100", "\"max_tokens\":100000", StringComparison.Ordinal), key))
        {
            Assert.Equal(HttpStatusCode.OK, response.StatusCode);
            using var reader = new StreamReader(await response.Content.ReadAsStreamAsync());
            for (var events = 0; events < 300;)
            {
                events += (await reader.ReadLineAsync())!.Contains('{', StringComparison.Ordinal) ? 1 : 0;
            }
        }

        await gateway.Measured.RequestsAsync(1);
        (await gateway.Http.ChatAsync(path, key: key)).IsRefusal(path, HttpStatusCode.TooManyRequests, "rate_limit_error", "tokens per minute");
        Assert.InRange(gateway.Measured.Sum("hazumu.gateway.key.tokens", ("key", "alice"), ("type", "output")), 290, 100_000);
    }

    [Theory]
    [MemberData(nameof(Ask.Dialects), MemberType = typeof(Ask))]
    public async Task A_request_that_waits_is_refused_when_its_key_is_revoked(string path)
    {
        var (running, waiting) = (Make("running"), Make("waiting"));
        await using var engine = HeldEngine.Start(beginsAtOnce: true);
        await using var gateway = await StartAsync(engine.Address, "--Gateway:Keys:FinishRunning=true");
        using var first = await gateway.Http.BeginAsync(key: running);
        var second = gateway.Http.ChatAsync(path, key: waiting);
        await gateway.WaitsAsync(1);

        Revoke("waiting", gateway);

        (await second).IsRefusal(path, HttpStatusCode.Unauthorized, "authentication_error", "The key 'waiting' has been revoked or has expired.");
        Assert.Single(engine.Asked);
        await gateway.WaitsAsync(0);
        engine.Release();
        Assert.Contains("\"done\":true", await first.Content.ReadAsStringAsync(), StringComparison.Ordinal);
        await gateway.Measured.RequestsAsync(2);
        Assert.Equal(1, gateway.Measured.Sum("hazumu.gateway.requests", ("outcome", "unauthorized"), ("key", "waiting")));
    }

    [Fact]
    public async Task Ollamas_command_line_is_shown_that_its_key_was_revoked()
    {
        var (running, waiting) = (Make("running"), Make("waiting"));
        await using var engine = HeldEngine.Start(beginsAtOnce: true);
        await using var gateway = await StartAsync(engine.Address);
        gateway.Http.DefaultRequestHeaders.TryAddWithoutValidation("User-Agent", "ollama/0.32.15 (amd64 linux) Go/go1.26.0");
        using var first = await gateway.Http.BeginAsync(key: running);
        var second = gateway.Http.ChatAsync(key: waiting);
        await gateway.WaitsAsync(1);

        Revoke("waiting", gateway);

        (await second).IsRefusal(Ask.Native, HttpStatusCode.Forbidden, "", "The key 'waiting' has been revoked or has expired.");
    }

    [Fact]
    public async Task A_running_stream_is_cut_when_its_key_is_revoked()
    {
        var (revoked, other) = (Make("revoked"), Make("other"));
        await using var engine = HeldEngine.Start(beginsAtOnce: true);
        await using var gateway = await StartAsync(engine.Address, "--Gateway:Slots=2");
        using var cut = await gateway.Http.BeginAsync(key: revoked);
        using var kept = await gateway.Http.BeginAsync(key: other);

        Revoke("revoked", gateway);

        await Assert.ThrowsAsync<HttpRequestException>(() => cut.Content.ReadAsStringAsync());
        await engine.Exchanges.First().Gone.WaitAsync(TimeSpan.FromSeconds(10));
        engine.Release(2);
        Assert.Contains("\"done\":true", await kept.Content.ReadAsStringAsync(), StringComparison.Ordinal);
        await gateway.Measured.RequestsAsync(2);
        Assert.Equal(1, gateway.Measured.Sum("hazumu.gateway.requests", ("outcome", "unauthorized"), ("key", "revoked")));
        Assert.Equal(1, gateway.Measured.Sum("hazumu.gateway.requests", ("outcome", "success"), ("key", "other")));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_running_request_of_a_revoked_key_may_finish_by_setting(bool beginsAtOnce)
    {
        var key = Make();
        await using var engine = HeldEngine.Start(beginsAtOnce);
        await using var gateway = await StartAsync(engine.Address, "--Gateway:Keys:FinishRunning=true");
        var chat = gateway.Http.ChatAsync(key: key);
        await engine.HoldsAsync(1);

        Revoke("alice", gateway);

        Assert.Equal(401, (await gateway.Http.ChatAsync(key: key)).Status);
        engine.Release();
        Assert.Contains("\"done\":true", (await chat).Text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_request_at_several_instances_counts_as_running_when_its_key_is_revoked()
    {
        var key = Make(scopes: Scope.Admin);
        await using var one = HeldEngine.Start();
        await using var two = HeldEngine.Start();
        await using var gateway = await StartAsync(one.Address, $"--Gateway:Engines:two:Url={two.Address}", "--Gateway:Keys:FinishRunning=true");
        await Wait.UntilAsync(() => Assert.Equal(2, gateway.Fleet.Instances.Count(instance => instance.Stored is not null)));
        var delete = gateway.Http.AnswerAsync(HttpMethod.Delete, "/api/delete", """{"model":"mock"}""", key);
        await one.HoldsAsync(1);
        await two.HoldsAsync(1);

        Revoke("alice", gateway);
        one.Release();
        two.Release();

        Assert.Contains("it ended without success", (await delete).Text, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("/api/tags", "models", "name")]
    [InlineData("/api/ps", "models", "name")]
    [InlineData("/v1/models", "data", "id")]
    public async Task A_key_for_some_models_sees_those(string path, string list, string name)
    {
        var (all, some) = (Make("all"), Make("some", models: "mock*"));
        await _engine.LoadAsync("mock", "spare");
        await using var gateway = await StartAsync();

        Assert.Contains("spare:latest", Names(await gateway.Http.AnswerAsync(HttpMethod.Get, path, key: all)));
        Assert.Equal(["mock:latest"], Names(await gateway.Http.AnswerAsync(HttpMethod.Get, path, key: some)));
        (await gateway.Http.AnswerAsync(HttpMethod.Post, "/api/show", """{"model":"spare"}""", some)).IsRefusal("/api/show", HttpStatusCode.Forbidden, "", "'spare'");
        (await gateway.Http.AnswerAsync(HttpMethod.Get, "/v1/models/spare", key: some)).IsRefusal("/v1/models/spare", HttpStatusCode.Forbidden, "permission_error", "'spare'");

        IEnumerable<string?> Names(ChatAnswer answer) => JsonSerializer.Deserialize<JsonElement>(answer.Text).GetProperty(list).EnumerateArray().Select(model => model.GetProperty(name).GetString());
    }

    [Theory]
    [MemberData(nameof(Ask.Dialects), MemberType = typeof(Ask))]
    public async Task Models_of_the_cloud_are_refused_unless_they_are_allowed(string path)
    {
        var body = Ask.Body(model: "gpt-oss:120b-cloud");
        await using (var gateway = await StartAsync("--Gateway:Keys:Required=false"))
        {
            (await gateway.Http.ChatAsync(path, body)).IsRefusal(path, HttpStatusCode.Forbidden, "permission_error", "runs in Ollama's cloud");
            Assert.Empty(_engine.Inferences());
        }

        await using (var gateway = await StartAsync("--Gateway:Keys:Required=false", "--Gateway:AllowCloudModels=true"))
        {
            Assert.Equal(200, (await gateway.Http.ChatAsync(path, body)).Status);
        }
    }

    [Fact]
    public async Task Probes_need_no_key_and_learn_nothing()
    {
        await using var gateway = await StartAsync();

        foreach (var path in (string[])["/", "/health", "/alive", "/metrics"])
        {
            Assert.Equal((path, 200), (path, (await gateway.Http.AnswerAsync(HttpMethod.Get, path)).Status));
        }

        foreach (var path in (string[])["/api/version", "/api/tags", "/v1/models", "/health/x", "/metrics/x"])
        {
            Assert.Equal((path, 401), (path, (await gateway.Http.AnswerAsync(HttpMethod.Get, path)).Status));
        }

        Assert.Equal("Healthy", (await gateway.Http.AnswerAsync(HttpMethod.Get, "/health")).Text);
        await _engine.KillAsync();
        await Wait.UntilAsync(() => Assert.Equal((503, "Unhealthy"), StatusOf("/health")), TimeSpan.FromSeconds(10));
        Assert.Equal((200, "Healthy"), StatusOf("/alive"));

        (int, string) StatusOf(string path)
        {
            var answer = gateway.Http.AnswerAsync(HttpMethod.Get, path).GetAwaiter().GetResult();
            return (answer.Status, answer.Text);
        }
    }

    private string Make(string name = "alice", Scope scopes = Scope.Infer | Scope.Read, Func<ApiKey, ApiKey>? change = null, params string[] models)
    {
        var (key, text) = TestKeys.Make(name, scopes, models);
        _keys.Add(change?.Invoke(key) ?? key);
        return text;
    }

    private void Revoke(string name, TestGateway gateway)
    {
        _keys.RemoveAll(key => key.Name == name);
        TestKeys.Write(_folder.File("keys.json"), _keys);
        gateway.Service<KeyStore>().Refresh();
    }

    private Task<TestGateway> StartAsync(params string[] arguments) => StartAsync(_engine.Address, arguments);

    private Task<TestGateway> StartAsync(Uri engine, params string[] arguments)
    {
        var file = _folder.File("keys.json");
        TestKeys.Write(file, _keys);
        return TestGateway.StartAsync(engine, ["--Gateway:Keys:Required=true", $"--Gateway:Keys:File={file}", "--Gateway:Fleet:ProbeInterval=1s", .. arguments]);
    }
}
