using System.Net;
using System.Text;
using Hazumu.Gateway.Pipeline.Bodies;
using Hazumu.Mocks;
using Hazumu.Testing;

namespace Hazumu.Gateway.Tests.Streams;

/// <summary>Clients that go away, in every phase of a request: the engine learns of it soon, and the only slot is free for the next.</summary>
public sealed class DisconnectTests
{
    private const string Chat = """{"model":"mock","messages":[{"role":"user","content":"hi"}]}""";

    private static readonly TimeSpan s_soon = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan s_forever = TimeSpan.FromMinutes(1);

    /// <summary>How a client goes.</summary>
    public enum Way
    {
        /// <summary>It closes its connection.</summary>
        Close,

        /// <summary>Its connection is reset.</summary>
        Reset,
    }

    public static TheoryData<string, Way> Paths
    {
        get
        {
            var data = new TheoryData<string, Way>();
            foreach (var path in (string[])["/api/chat", "/v1/chat/completions", "/v1/messages"])
            {
                data.Add(path, Way.Close);
                data.Add(path, Way.Reset);
            }

            return data;
        }
    }

    [Theory]
    [InlineData(Way.Close)]
    [InlineData(Way.Reset)]
    public async Task While_the_beginning_of_the_body_is_on_its_way(Way way)
    {
        await using var engine = await StartEngineAsync(new());
        await using var gateway = await TestGateway.StartAsync(engine.Address);
        var connection = await RawConnection.OpenAsync(gateway.Address);
        await connection.SendAsync("POST /api/chat HTTP/1.1\r\nHost: gateway\r\nContent-Length: 100\r\n\r\n{\"model\":\"mo");
        await Wait.UntilAsync(() => Assert.Equal(1, gateway.Measured.Now("hazumu.gateway.in_flight")));
        Go(connection, way);

        await gateway.Measured.RequestsAsync(1);
        Assert.Equal("client_disconnect", OutcomeOf(gateway));
        Assert.DoesNotContain(engine.Requests, request => request.Path == "/api/chat");
        await NextIsAnsweredAsync(gateway, engine);
    }

    [Theory]
    [InlineData(Way.Close)]
    [InlineData(Way.Reset)]
    public async Task While_a_large_body_arrives(Way way)
    {
        await using var engine = await StartEngineAsync(new());
        await using var gateway = await TestGateway.StartAsync(engine.Address);
        var connection = await RawConnection.OpenAsync(gateway.Address);
        await connection.SendAsync("POST /api/chat HTTP/1.1\r\nHost: gateway\r\nContent-Length: 10000000\r\n\r\n{\"model\":\"mock\",\"messages\":[{\"role\":\"user\",\"content\":\"" + new string('x', 3_000_000));
        var budget = gateway.Service<BodyBudget>();
        await Wait.UntilAsync(() => Assert.True(budget.Disk > 2_000_000));
        Go(connection, way);

        await gateway.Measured.RequestsAsync(1);
        Assert.Equal("client_disconnect", OutcomeOf(gateway));
        Assert.DoesNotContain(engine.Requests, request => request.Path == "/api/chat");
        Assert.Equal((0, 0), (budget.Memory, budget.Disk));
        await NextIsAnsweredAsync(gateway, engine);
    }

    [Theory]
    [InlineData(Way.Close)]
    [InlineData(Way.Reset)]
    public async Task While_a_blob_is_uploaded(Way way)
    {
        await using var engine = await StartEngineAsync(new());
        await using var gateway = await TestGateway.StartAsync(engine.Address);
        var connection = await RawConnection.OpenAsync(gateway.Address);
        await connection.SendAsync("POST /api/blobs/sha256:x HTTP/1.1\r\nHost: gateway\r\nContent-Length: 10000000\r\n\r\n" + new string('x', 500_000));
        var request = await engine.WaitForRequestAsync(request => request.Path == "/api/blobs/sha256:x");
        await Wait.UntilAsync(() => Assert.True(request.BodyBytes > 400_000));
        Go(connection, way);

        await request.Ended.WaitAsync(s_soon);
        Assert.Equal(MockPhase.Receiving, request.DisconnectedIn);
        await gateway.Measured.RequestsAsync(1);
        Assert.Equal("client_disconnect", OutcomeOf(gateway));
    }

    [Theory]
    [MemberData(nameof(Paths))]
    public async Task While_it_waits_in_the_queue(string path, Way way)
    {
        await using var engine = await StartEngineAsync(new() { PrefillTime = s_forever });
        await using var gateway = await TestGateway.StartAsync(engine.Address);
        var first = await RawConnection.OpenAsync(gateway.Address);
        await first.SendAsync("POST", "/api/chat", Chat);
        await engine.WaitUntilAsync(one => one.Statistics.InFlight == 1);

        var connection = await RawConnection.OpenAsync(gateway.Address);
        await connection.SendAsync("POST", path, Chat);
        await Wait.UntilAsync(() => Assert.Equal(1, gateway.Measured.Now("hazumu.gateway.queued")));
        Go(connection, way);

        await Wait.UntilAsync(() => Assert.Equal(0, gateway.Measured.Now("hazumu.gateway.queued")), s_soon);
        await gateway.Measured.RequestsAsync(1);
        Assert.Equal("client_disconnect", OutcomeOf(gateway));
        Assert.Equal("queue", PhaseOf(gateway));
        Go(first, way);
        await NextIsAnsweredAsync(gateway, engine);
        Assert.Equal(2, engine.Requests.Count(request => request.Path is "/api/chat" or "/v1/chat/completions" or "/v1/messages"));
    }

    [Theory]
    [MemberData(nameof(Paths))]
    public async Task While_the_prompt_is_read(string path, Way way)
    {
        await using var engine = await StartEngineAsync(new() { PrefillTime = s_forever });
        await using var gateway = await TestGateway.StartAsync(engine.Address);
        var connection = await RawConnection.OpenAsync(gateway.Address);
        await connection.SendAsync("POST", path, Streamed(path));
        var request = await engine.WaitForRequestAsync(request => request.Path == path);
        await engine.WaitUntilAsync(_ => request.Phase == MockPhase.Prefill);
        Go(connection, way);

        await request.Ended.WaitAsync(s_soon);
        Assert.Equal(MockPhase.Prefill, request.DisconnectedIn);
        await gateway.Measured.RequestsAsync(1);
        Assert.Equal("client_disconnect", OutcomeOf(gateway));
        Assert.Equal("prefill", PhaseOf(gateway));
        await NextIsAnsweredAsync(gateway, engine);
    }

    [Fact]
    public async Task While_the_prompt_is_read_by_an_engine_that_reads_it_to_the_end()
    {
        // Ollama does so (ollama#11889): the slot is not free before.
        var done = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var engine = RawEngine.Start(async exchange =>
        {
            await exchange.ReadBodyAsync();
            if (exchange["X-Leaves"] is null)
            {
                await exchange.AnswerAsync(200, "Content-Type: application/json", """{"done":true}""");
                return;
            }

            await exchange.Gone;
            await done.Task;
        });
        await using var gateway = await TestGateway.StartAsync(engine.Address);
        var connection = await RawConnection.OpenAsync(gateway.Address);
        await connection.SendAsync("POST", "/api/chat", Chat, "X-Leaves: 1");
        var exchange = await engine.WaitForAsync();
        connection.Dispose();
        await exchange.Gone.WaitAsync(s_soon);
        await gateway.Measured.RequestsAsync(1);

        using var next = await RawConnection.OpenAsync(gateway.Address);
        await next.SendAsync("POST", "/api/chat", Chat);
        await Wait.UntilAsync(() => Assert.Equal(1, gateway.Measured.Now("hazumu.gateway.queued")));
        await Wait.WhileAsync(TimeSpan.FromMilliseconds(50), () => Assert.Equal((1d, 1), (gateway.Measured.Now("hazumu.gateway.slots.used"), engine.Exchanges.Count)));
        done.SetResult();
        Assert.Equal(200, (await next.ReadAsync()).Status);
    }

    [Theory]
    [MemberData(nameof(Paths))]
    public async Task At_the_first_byte(string path, Way way)
    {
        await using var engine = await StartEngineAsync(new() { Tokens = 1000, TokenTime = TimeSpan.FromMilliseconds(100) });
        await LeaveStreamAsync(engine, path, way, pieces: 1);
    }

    [Theory]
    [MemberData(nameof(Paths))]
    public async Task Among_the_tokens(string path, Way way)
    {
        await using var engine = await StartEngineAsync(new() { Tokens = 100_000, TokenTime = TimeSpan.FromMilliseconds(2) });
        await LeaveStreamAsync(engine, path, way, pieces: 30);
    }

    [Theory]
    [MemberData(nameof(Paths))]
    public async Task While_it_does_not_read(string path, Way way)
    {
        // So much that every buffer is full, and the gateway waits for the client.
        await using var engine = RawEngine.Start(async exchange =>
        {
            await exchange.ReadBodyAsync();
            await exchange.BeginAsync(path == "/api/chat" ? "application/x-ndjson" : "text/event-stream");
            var chunk = Encoding.UTF8.GetBytes($"data: {{\"x\":\"{new string('x', 10_000)}\"}}\n\n");
            while (!exchange.Gone.IsCompleted)
            {
                await exchange.SendChunkAsync(chunk);
            }
        });
        await using var gateway = await TestGateway.StartAsync(engine.Address);
        var connection = await RawConnection.OpenAsync(gateway.Address, receiveBuffer: 8192);
        await connection.SendAsync("POST", path, Streamed(path));
        var exchange = await engine.WaitForAsync();
        await Wait.UntilStillAsync(() => exchange.Sent, TimeSpan.FromMilliseconds(200));
        Go(connection, way);

        await exchange.Ended.WaitAsync(s_soon);
        await gateway.Measured.RequestsAsync(1);
        Assert.Equal("client_disconnect", OutcomeOf(gateway));
        await Wait.UntilAsync(() => Assert.Equal(0, gateway.Measured.Now("hazumu.gateway.slots.used")));
    }

    [Theory]
    [MemberData(nameof(Paths))]
    public async Task After_the_last_byte(string path, Way way)
    {
        await using var engine = await StartEngineAsync(new());
        await using var gateway = await TestGateway.StartAsync(engine.Address);
        for (var i = 0; i < 20; i++)
        {
            var connection = await RawConnection.OpenAsync(gateway.Address);
            await connection.SendAsync("POST", path, Streamed(path));
            Assert.Equal(200, (await connection.ReadAsync()).Status);
            Go(connection, way);
        }

        await gateway.Measured.RequestsAsync(20);
        Assert.Equal(20, gateway.Measured.Sum("hazumu.gateway.requests", ("outcome", "success")));
        Assert.Equal(0, engine.Statistics.AllDisconnects);
        await NextIsAnsweredAsync(gateway, engine);
    }

    [Theory]
    [InlineData(MockPhase.Prefill)]
    [InlineData(MockPhase.Streaming)]
    public async Task As_a_stream_of_HTTP_2(MockPhase phase)
    {
        await using var engine = await StartEngineAsync(phase == MockPhase.Prefill ? new() { PrefillTime = s_forever } : new() { Tokens = 1000, TokenTime = TimeSpan.FromMilliseconds(20) });
        await using var gateway = await TestGateway.StartAsync(engine.Address, "--Kestrel:Endpoints:test:Url=http://127.0.0.1:0", "--Kestrel:Endpoints:test:Protocols=Http2");
        using var client = TestGateway.Client(gateway.Address, HttpVersion.Version20);
        using var leave = new CancellationTokenSource();
        var asking = client.PostAsync(new Uri("/api/chat", UriKind.Relative), new StringContent(Chat), leave.Token);
        var request = await engine.WaitForRequestAsync(request => request.Path == "/api/chat");
        await engine.WaitUntilAsync(_ => request.Phase == phase);
        await leave.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => asking);
        await request.Ended.WaitAsync(s_soon);
        Assert.Equal(phase, request.DisconnectedIn);
        await gateway.Measured.RequestsAsync(1);
        Assert.Equal("client_disconnect", OutcomeOf(gateway));
        engine.Options = engine.Options with { PrefillTime = TimeSpan.Zero, Tokens = 2 };
        using var next = await client.PostAsync(new Uri("/api/chat", UriKind.Relative), new StringContent(Chat));
        Assert.Equal(HttpStatusCode.OK, next.StatusCode);
    }

    [Fact]
    public async Task A_crowd_that_leaves_at_once_leaves_nothing_behind()
    {
        await using var engine = await StartEngineAsync(new() { Tokens = 50, TokenTime = TimeSpan.FromMilliseconds(1), Parallel = 4 });
        await using var gateway = await TestGateway.StartAsync(engine.Address, "--Gateway:Slots=4");
        var random = new Random(20260825);
        var crowd = await Task.WhenAll(Enumerable.Range(0, 200).Select(async i =>
        {
            var connection = await RawConnection.OpenAsync(gateway.Address);
            await connection.SendAsync("POST", "/api/chat", Chat);
            return connection;
        }));
        await Wait.UntilAsync(() => Assert.Equal(200, gateway.Measured.Now("hazumu.gateway.in_flight") + gateway.Measured.Of("hazumu.gateway.requests").Count));
        foreach (var connection in crowd)
        {
            if (random.Next(4) == 0)
            {
                await Task.Delay(1);
            }

            Go(connection, (Way)random.Next(2));
        }

        await gateway.Measured.RequestsAsync(200);
        await Wait.UntilAsync(() => Assert.Equal((0d, 0d, 0d), (gateway.Measured.Now("hazumu.gateway.slots.used"), gateway.Measured.Now("hazumu.gateway.queued"), gateway.Measured.Now("hazumu.gateway.in_flight"))));
        Assert.Equal(200, gateway.Measured.Sum("hazumu.gateway.requests", ("outcome", "success")) + gateway.Measured.Sum("hazumu.gateway.requests", ("outcome", "client_disconnect")));
        await NextIsAnsweredAsync(gateway, engine);
    }

    private static async Task LeaveStreamAsync(MockEngine engine, string path, Way way, int pieces)
    {
        await using var gateway = await TestGateway.StartAsync(engine.Address);
        var connection = await RawConnection.OpenAsync(gateway.Address);
        await connection.SendAsync("POST", path, Streamed(path));
        await connection.Reader.ReadHeadAsync();
        for (var i = 0; i < pieces; i++)
        {
            await connection.Reader.ReadAsync(await connection.Reader.ReadChunkSizeAsync());
            await connection.Reader.ReadChunkEndAsync();
        }

        var request = await engine.WaitForRequestAsync(request => request.Path == path);
        Go(connection, way);

        await request.Ended.WaitAsync(s_soon);
        Assert.Equal(MockPhase.Streaming, request.DisconnectedIn);
        await gateway.Measured.RequestsAsync(1);
        Assert.Equal("client_disconnect", OutcomeOf(gateway));
        Assert.Equal("decode", PhaseOf(gateway));
        await NextIsAnsweredAsync(gateway, engine);
    }

    private static Task<MockEngine> StartEngineAsync(MockEngineOptions options) => MockEngine.StartAsync(options with { Models = [new MockModel("mock")] });

    private static string Streamed(string path) => path == "/api/chat" ? Chat : Chat[..^1] + ",\"stream\":true}";

    private static string OutcomeOf(TestGateway gateway) => (string)Assert.Single(gateway.Measured.Of("hazumu.gateway.requests")).Tags["outcome"]!;

    private static string PhaseOf(TestGateway gateway) => (string)Assert.Single(gateway.Measured.Of("hazumu.gateway.disconnects")).Tags["phase"]!;

    private static void Go(RawConnection connection, Way way)
    {
        if (way == Way.Reset)
        {
            connection.Reset();
        }
        else
        {
            connection.Dispose();
        }
    }

    private static async Task NextIsAnsweredAsync(TestGateway gateway, MockEngine engine)
    {
        engine.Options = engine.Options with { PrefillTime = TimeSpan.Zero, Tokens = 2 };
        using var body = new StringContent(Chat, Encoding.UTF8, "application/json");
        using var answer = await gateway.Http.PostAsync(new Uri("/api/chat", UriKind.Relative), body).WaitAsync(TimeSpan.FromSeconds(5));
        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        Assert.Contains("\"done\":true", await answer.Content.ReadAsStringAsync(), StringComparison.Ordinal);
        await Wait.UntilAsync(() => Assert.Equal(0, gateway.Measured.Now("hazumu.gateway.slots.used")));
    }
}
