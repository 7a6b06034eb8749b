using System.Net;
using System.Text;
using Hazumu.Gateway.Keys;
using Hazumu.Gateway.Pipeline.Bodies;
using Hazumu.Gateway.Tests.Keys;
using Hazumu.Gateway.Tests.Streams;
using Hazumu.Mocks;
using Hazumu.Testing;

namespace Hazumu.Gateway.Tests.Serving;

/// <summary>Bodies of requests: how large, how slow and how odd they may be, and what room they take.</summary>
public sealed class BodyTests : IAsyncLifetime
{
    private const int Megabyte = 1024 * 1024;

    private readonly TemporaryFolder _folder = new();
    private readonly List<ApiKey> _keys = [];
    private MockEngine _engine = null!;

    public async ValueTask InitializeAsync() => _engine = await MockEngine.StartAsync(new()
    {
        Models = [new MockModel("mock"), new MockModel("spare")],
        RememberedBodyBytes = 30 * Megabyte,
    });

    public async ValueTask DisposeAsync()
    {
        await _engine.DisposeAsync();
        _folder.Dispose();
    }

    [Theory]
    [InlineData("""{"model":"mock","messages":[{"role":"user","content":"hi","images":["#"]}],"stream":false}""")]
    [InlineData("""{"messages":[{"role":"user","content":"hi","images":["#"]}],"stream":false,"model":"mock"}""")]
    public async Task Key_limited_to_models_sends_a_large_body(string format)
    {
        var key = Make(models: "mock");
        await using var gateway = await StartAsync();
        var body = format.Replace("#", new string('A', 20 * Megabyte), StringComparison.Ordinal);

        Assert.Equal(200, (await gateway.Http.ChatAsync(body: body, key: key)).Status);

        var arrived = Assert.Single(_engine.Inferences());
        Assert.Equal(body.Length, arrived.BodyBytes);
        Assert.Equal(body, Encoding.UTF8.GetString(arrived.Body));
    }

    [Theory]
    [InlineData("\"model\":\"spare\"", HttpStatusCode.BadRequest, "\"model\" is given twice")]
    [InlineData("\"m\\u006fdel\":\"spare\"", HttpStatusCode.BadRequest, "\"model\" is given twice")]
    [InlineData("\"MODEL\":\"x:cloud\"", HttpStatusCode.BadRequest, "\"model\" is given twice")]
    public async Task Second_model_behind_a_large_body_is_refused(string second, HttpStatusCode status, string sentence)
    {
        var key = Make(models: "mock");
        await using var gateway = await StartAsync();
        var body = $$"""{"model":"mock","messages":[{"role":"user","content":"{{new string('A', 20 * Megabyte)}}"}],{{second}}}""";

        (await gateway.Http.ChatAsync(body: body, key: key)).IsRefusal(Ask.Native, status, "", sentence);

        Assert.Empty(_engine.Inferences());
    }

    [Fact]
    public async Task Large_body_is_refused_before_it_has_come()
    {
        var key = Make(models: "mock");
        await using var gateway = await StartAsync();
        using var connection = await RawConnection.OpenAsync(gateway.Address);

        await connection.SendAsync($"POST /api/chat HTTP/1.1\r\nHost: gateway\r\nAuthorization: Bearer {key}\r\nContent-Length: 10000000\r\n\r\n{{\"model\":\"spare\",\"prompt\":\"{new string('x', 100_000)}");

        var answer = await connection.ReadAsync().WaitAsync(TimeSpan.FromSeconds(10));
        Assert.True(answer.Status == 403, $"{answer}");
        await RoomIsFreeAsync(gateway);
    }

    [Fact]
    public async Task Body_over_the_limit_returns_413_by_its_length_or_its_bytes()
    {
        await using var gateway = await StartAsync("--Gateway:Body:Limit=100000", "--Gateway:Keys:Required=false");
        using var told = await RawConnection.OpenAsync(gateway.Address);
        await told.SendAsync("POST /api/chat HTTP/1.1\r\nHost: gateway\r\nContent-Length: 100001\r\n\r\n");
        using var chunked = await RawConnection.OpenAsync(gateway.Address);
        await chunked.SendAsync($"POST /api/chat HTTP/1.1\r\nHost: gateway\r\nTransfer-Encoding: chunked\r\n\r\n30000\r\n{{\"model\":\"mock\",\"x\":\"{new string('x', 0x30000 - 20)}");

        foreach (var connection in (RawConnection[])[told, chunked])
        {
            var answer = await connection.ReadAsync().WaitAsync(TimeSpan.FromSeconds(10));
            Assert.True(answer.Status == 413 && answer.Text.Contains("larger than 100000 bytes", StringComparison.Ordinal), $"{answer}");
        }

        await RoomIsFreeAsync(gateway);
    }

    [Fact]
    public async Task Large_bodies_get_503_when_room_is_taken_and_small_ones_are_answered()
    {
        await using var gateway = await StartAsync("--Gateway:Body:DiskLimit=0", $"--Gateway:Body:MemoryLimit={4 * Megabyte}", "--Gateway:Keys:Required=false");
        using var holder = await RawConnection.OpenAsync(gateway.Address);
        await holder.SendAsync($"POST /api/chat HTTP/1.1\r\nHost: gateway\r\nContent-Length: {4 * Megabyte}\r\n\r\n{{\"model\":\"mock\",\"x\":\"{new string('x', 3 * Megabyte / 2)}");
        await Wait.UntilAsync(() => Assert.Equal(2 * Megabyte, gateway.Service<BodyBudget>().Memory));

        var refused = await gateway.Http.ChatAsync(body: Ask.Body(new string('x', 3 * Megabyte)));
        refused.IsRefusal(Ask.Native, HttpStatusCode.ServiceUnavailable, "", "leave no room");
        refused.TellsWhenToComeBack();
        Assert.Equal(200, (await gateway.Http.ChatAsync()).Status);

        holder.Reset();
        await RoomIsFreeAsync(gateway);
        Assert.Equal(200, (await gateway.Http.ChatAsync(body: Ask.Body(new string('x', 2 * Megabyte - 1000)))).Status);
    }

    [Fact]
    public async Task Slow_body_gets_408_and_gives_its_room_back()
    {
        await using var gateway = await StartAsync("--Gateway:Timeouts:Body=500ms", "--Gateway:Keys:Required=false");
        using var connection = await RawConnection.OpenAsync(gateway.Address);
        await connection.SendAsync($"POST /api/chat HTTP/1.1\r\nHost: gateway\r\nContent-Length: 4000000\r\n\r\n{{\"model\":\"mock\",\"x\":\"{new string('x', 2 * Megabyte)}");

        var answer = await connection.ReadAsync().WaitAsync(TimeSpan.FromSeconds(20));

        Assert.True(answer.Status == 408 && answer.Text.Contains("did not arrive in time", StringComparison.Ordinal), $"{answer}");
        await RoomIsFreeAsync(gateway);
    }

    [Theory]
    [InlineData("""{"model":"mock","name":null,"messages":[],"stream":false}""")]
    [InlineData("""{"name":"mock","model":null,"messages":[],"stream":false}""")]
    [InlineData("{\"model\":\"mock\",\"messages\":[],\"stream\":false}\0")]
    [InlineData("{\"model\":\"mock\",\"messages\":[],\"stream\":false}\n\n{}")]
    public async Task Body_that_Ollama_takes_is_passed_on_as_it_came(string body)
    {
        await using var gateway = await StartAsync("--Gateway:Keys:Required=false");

        Assert.Equal(200, (await gateway.Http.ChatAsync(body: body)).Status);

        Assert.Equal(body, Encoding.UTF8.GetString(Assert.Single(_engine.Inferences()).Body));
    }

    [Theory]
    [InlineData("/api/copy", """{"source":"mock","deſtination":"spare"}""")]
    [InlineData("/api/create", """{"model":"mock","ſource":"spare"}""")]
    [InlineData("/api/create", """{"model":"mock","from":"mock","From":"spare"}""")]
    [InlineData("/api/create", """{"model":"mock","from":"\ud800"}""")]
    [InlineData("/api/create", """{"model":"mock","\ud800":1,"from":"spare"}""")]
    public async Task Key_limited_to_models_manages_no_other(string path, string body)
    {
        var key = Make(scopes: Scope.Admin, models: "mock");
        await using var gateway = await StartAsync();

        var answer = await gateway.Http.ChatAsync(path, body, key);

        Assert.True(answer.Status is 400 or 403, $"{answer}");
        Assert.DoesNotContain(_engine.Requests, request => request.Path == path);
    }

    [Theory]
    [InlineData("""{"model":"innocent","from":"gpt-oss:120b-cloud"}""")]
    [InlineData("""{"model":"innocent","from":"gpt-oss:120b","remote_host":"https://ollama.com"}""")]
    [InlineData("""{"model":"innocent","from":"alias"}""")]
    public async Task Alias_of_a_cloud_model_cannot_be_created(string body)
    {
        _engine.Script("/api/tags", new MockScript(["""{"models":[{"name":"mock"},{"name":"alias","remote_host":"https://ollama.com"}]}"""u8.ToArray()]));
        await using var gateway = await StartAsync("--Gateway:Keys:Required=false");

        (await gateway.Http.ChatAsync("/api/create", body)).IsRefusal("/api/create", HttpStatusCode.Forbidden, "", "keeps prompts on its own machines");

        Assert.DoesNotContain(_engine.Requests, request => request.Path == "/api/create");
    }

    [Fact]
    public async Task Alias_of_a_cloud_model_is_refused_as_soon_as_an_instance_has_it()
    {
        _engine.Script("/api/tags", new MockScript(["""{"models":[{"name":"mock"},{"name":"alias:latest","remote_host":"https://ollama.com"}]}"""u8.ToArray()]));
        await using var gateway = await StartAsync("--Gateway:Keys:Required=false");

        (await gateway.Http.ChatAsync(body: Ask.Body(model: "Alias"))).IsRefusal(Ask.Native, HttpStatusCode.Forbidden, "", "'Alias' runs in Ollama's cloud");

        Assert.Empty(_engine.Inferences());
    }

    [Theory]
    [InlineData(Ask.OpenAI)]
    [InlineData("/v1/completions")]
    [InlineData(Ask.Anthropic)]
    public async Task Body_compressed_with_zstd_is_decoded(string path)
    {
        var key = Make(models: "mock");
        await using var gateway = await StartAsync();
        var body = Ask.Body(new string('x', 3 * Megabyte), streams: false);

        Assert.Equal(200, await SendAsync(gateway, path, key, Compress(body)));
        Assert.Equal(403, await SendAsync(gateway, path, key, Compress(Ask.Body(model: "spare"))));

        var arrived = Assert.Single(_engine.Requests, request => request.Path == path);
        Assert.Equal(body, Encoding.UTF8.GetString(arrived.Body));
        Assert.DoesNotContain(arrived.Headers, header => header.Key == "Content-Encoding");
        await RoomIsFreeAsync(gateway);
    }

    [Fact]
    public async Task Body_compressed_with_zstd_is_limited_by_its_decoded_size()
    {
        await using var gateway = await StartAsync("--Gateway:Keys:Required=false");
        var bomb = Compress(Ask.Body(new string('x', 200 * Megabyte)));
        Assert.InRange(bomb.Length, 1, 50_000);

        Assert.Equal(413, await SendAsync(gateway, Ask.OpenAI, null, bomb));
        Assert.Equal(400, await SendAsync(gateway, Ask.OpenAI, null, Compress(Ask.Body())[..^5]));
        Assert.Equal(400, await SendAsync(gateway, Ask.OpenAI, null, "{\"model\":\"mock\"}"u8.ToArray()));
        Assert.Equal(400, await SendAsync(gateway, Ask.OpenAI, null, []));
        Assert.Equal(415, await SendAsync(gateway, Ask.Native, null, Compress(Ask.Body())));

        Assert.Empty(_engine.Inferences());
        await RoomIsFreeAsync(gateway);
    }

    [Fact]
    public async Task Model_in_a_path_is_a_name_as_in_a_body()
    {
        await using var gateway = await StartAsync("--Gateway:Keys:Required=false");

        var answer = await gateway.Http.AnswerAsync(HttpMethod.Get, $"/v1/models/{new string('m', 30_000)}");

        answer.IsRefusal("/v1/models", HttpStatusCode.BadRequest, "invalid_request_error", "The model's name is longer than 512 characters.");
        Assert.DoesNotContain(_engine.Requests, request => request.Path.StartsWith("/v1/models/", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Heads_as_large_as_clients_send_are_passed_on()
    {
        await using var gateway = await StartAsync("--Gateway:Keys:Required=false");
        using var request = new HttpRequestMessage(HttpMethod.Post, new Uri($"/api/chat?q={new string('q', 10_000)}", UriKind.Relative)) { Content = new StringContent(Ask.Body()) };
        request.Headers.Add("X-Large", new string('x', 40_000));
        for (var i = 0; i < 150; i++)
        {
            request.Headers.Add($"X-{i}", "y");
        }

        using var answer = await gateway.Http.SendAsync(request);

        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        var arrived = Assert.Single(_engine.Inferences());
        Assert.Equal(40_000, arrived.Headers["X-Large"].Length);
        Assert.Equal("y", arrived.Headers["X-149"]);
    }

    [Fact]
    public async Task Large_body_is_refused_before_it_has_come_when_the_queue_is_full()
    {
        await using var engine = HeldEngine.Start();
        await using var gateway = await TestGateway.StartAsync(engine.Address, "--Gateway:Queue:Limit=1");
        var running = gateway.Http.ChatAsync();
        await engine.HoldsAsync(1);
        var waiting = gateway.Http.ChatAsync();
        await gateway.WaitsAsync(1);
        using var connection = await RawConnection.OpenAsync(gateway.Address);

        await connection.SendAsync($"POST /api/chat HTTP/1.1\r\nHost: gateway\r\nContent-Length: 10000000\r\n\r\n{{\"model\":\"mock\",\"prompt\":\"{new string('x', 100_000)}");

        var answer = await connection.ReadAsync().WaitAsync(TimeSpan.FromSeconds(10));
        Assert.True(answer.Status == 503 && answer.Text.Contains("the queue is full", StringComparison.Ordinal), $"{answer}");
        Assert.NotNull(answer["Retry-After"]);
        engine.Release(2);
        Assert.Equal((200, 200), ((await running).Status, (await waiting).Status));
    }

    private static byte[] Compress(string body)
    {
        using var compressor = new ZstdSharp.Compressor();
        return compressor.Wrap(Encoding.UTF8.GetBytes(body)).ToArray();
    }

    private static async Task<int> SendAsync(TestGateway gateway, string path, string? key, byte[] body)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, new Uri(path, UriKind.Relative)) { Content = new ByteArrayContent(body) };
        request.Content.Headers.ContentEncoding.Add("zstd");
        request.Headers.Authorization = key is null ? null : new("Bearer", key);
        using var answer = await gateway.Http.SendAsync(request);
        return (int)answer.StatusCode;
    }

    private string Make(string name = "alice", Scope scopes = Scope.Infer | Scope.Read, params string[] models)
    {
        var (key, text) = TestKeys.Make(name, scopes, models);
        _keys.Add(key);
        return text;
    }

    private Task<TestGateway> StartAsync(params string[] arguments)
    {
        var file = _folder.File("keys.json");
        TestKeys.Write(file, _keys);
        return TestGateway.StartAsync(_engine.Address, ["--Gateway:Keys:Required=true", $"--Gateway:Keys:File={file}", .. arguments]);
    }

    private static Task RoomIsFreeAsync(TestGateway gateway) =>
        Wait.UntilAsync(() => Assert.Equal((0, 0), (gateway.Service<BodyBudget>().Memory, gateway.Service<BodyBudget>().Disk)));
}
