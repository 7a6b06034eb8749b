using System.Net;
using Hazumu.Gateway.Admission;
using Hazumu.Gateway.Tests.Streams;
using Hazumu.Mocks;
using Hazumu.Testing;

namespace Hazumu.Gateway.Tests.Serving;

/// <summary>What an engine sees of a crowd of clients.</summary>
public sealed class SlotTests
{
    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    public async Task An_engine_gets_no_more_requests_at_once_than_it_has_slots(int slots)
    {
        await using var engine = await MockEngine.StartAsync(new()
        {
            Models = [new MockModel("mock"), new MockModel("spare")],
            Parallel = slots,
            Tokens = 3,
            TokenTime = TimeSpan.FromMilliseconds(2),
        });
        await engine.LoadAsync("mock", "spare");
        await using var gateway = await TestGateway.StartAsync(engine.Address, $"--Gateway:Slots={slots}");

        var answers = await Task.WhenAll(Enumerable.Range(0, 60).Select(number => gateway.Http.ChatAsync(
            number % 3 == 0 ? Ask.OpenAI : number % 3 == 1 ? Ask.Anthropic : Ask.Native, Ask.Body(model: number % 4 == 0 ? "spare" : "mock"))));

        Assert.All(answers, answer => Assert.Equal(200, answer.Status));
        Assert.Equal(slots, engine.Statistics.Models["mock:latest"].MaxInFlight);
        Assert.All(engine.Statistics.Models.Values, model => Assert.Equal((true, 0), (model.MaxInFlight <= slots, model.MaxWaiting)));
        Assert.Equal(0, engine.Statistics.ColdLoads);
        Assert.Equal(0, gateway.Measured.Now("hazumu.gateway.slots.used"));
        Assert.Equal(0, gateway.Measured.Now("hazumu.gateway.queued"));
    }

    [Theory]
    [InlineData("mock", 1)]
    [InlineData("nope", 0)]
    public async Task A_model_that_does_not_exist_has_no_slots_in_the_metrics(string model, double used)
    {
        await using var engine = HeldEngine.Start();
        await using var gateway = await TestGateway.StartAsync(engine.Address);
        var held = gateway.Http.ChatAsync(body: Ask.Body(model: model));
        await engine.HoldsAsync(1);

        await Wait.UntilAsync(() => Assert.Equal(used, gateway.Measured.Now("hazumu.gateway.slots.used")));
        Assert.Equal(0, gateway.Measured.Now("hazumu.gateway.slots", ("model", "nope:latest")));
        engine.Release();
        await held;
    }

    [Theory]
    [InlineData("llama", true, true)]
    [InlineData("llama", true, false)]
    [InlineData("qwen3next", false, true)]
    public async Task A_model_that_runs_with_one_slot_gets_one_request_at_a_time(string family, bool embeds, bool tagsTell)
    {
        await using var engine = await MockEngine.StartAsync(new()
        {
            Models = [new MockModel("mock"), new MockModel("single") { Family = family, Embeds = embeds, Parallel = 1 }],
            TagsTellCapabilities = tagsTell,
            Parallel = 4,
            Tokens = 3,
            TokenTime = TimeSpan.FromMilliseconds(2),
        });
        await engine.LoadAsync("mock", "single");
        await using var gateway = await TestGateway.StartAsync(engine.Address, "--Gateway:Slots=4");

        var answers = await Task.WhenAll(Enumerable.Range(0, 40).Select(number => number % 2 == 0
            ? gateway.Http.ChatAsync()
            : gateway.Http.ChatAsync(embeds ? "/api/embed" : Ask.Native, Ask.Body(model: "single"))));

        Assert.All(answers, answer => Assert.Equal(200, answer.Status));
        Assert.Equal((1, 0), (engine.Statistics.Models["single:latest"].MaxInFlight, engine.Statistics.Models["single:latest"].MaxWaiting));
        Assert.Equal(4, engine.Statistics.Models["mock:latest"].MaxInFlight);
    }

    [Fact]
    public async Task A_model_whose_answers_never_run_at_once_is_learned()
    {
        await using var engine = await MockEngine.StartAsync(new()
        {
            Models = [new MockModel("mock") { Family = "new", Parallel = 1 }],
            Parallel = 4,
            Tokens = 4,
            TokenTime = TimeSpan.FromMilliseconds(150),
        });
        await engine.LoadAsync("mock");
        await using var gateway = await TestGateway.StartAsync(engine.Address, "--Gateway:Slots=4");

        Assert.All(await Task.WhenAll(Enumerable.Range(0, 20).Select(_ => gateway.Http.ChatAsync())), answer => Assert.Equal(200, answer.Status));
        Assert.Single(gateway.Logged, line => line.Contains("The instance 'engine' runs one request at a time with the model 'mock:latest'", StringComparison.Ordinal));

        engine.ResetStatistics();
        await Task.WhenAll(Enumerable.Range(0, 6).Select(_ => gateway.Http.ChatAsync()));
        Assert.Equal((1, 0), (engine.Statistics.Models["mock:latest"].MaxInFlight, engine.Statistics.Models["mock:latest"].MaxWaiting));
        Assert.Single(gateway.Logged, line => line.StartsWith("Warning: The instance 'engine' runs one", StringComparison.Ordinal));
    }

    [Fact]
    public async Task The_engines_queue_stays_empty_when_clients_disconnect_during_streams()
    {
        const int Crowd = 300;
        var (running, most, left) = (0, 0, 0);

        // Kestrel closes a connection before its handler has returned: only an engine that does as Ollama does can tell.
        await using var engine = RawEngine.Start(async exchange =>
        {
            await exchange.ReadBodyAsync();
            InterlockedMax(ref most, Interlocked.Increment(ref running));
            try
            {
                await exchange.BeginAsync("application/x-ndjson");
                for (var token = 0; token < 8 && !exchange.Gone.IsCompleted; token++)
                {
                    await exchange.SendChunkAsync("{\"message\":{\"content\":\"hi\"},\"done\":false}\n"u8.ToArray());
                    await Task.WhenAny(Task.Delay(1), exchange.Gone);
                }

                if (exchange.Gone.IsCompleted)
                {
                    Interlocked.Increment(ref left);
                    // It lets go a little later.
                    await Task.Delay(2);
                    return;
                }

                await exchange.SendChunkAsync("{\"done\":true}\n"u8.ToArray());
            }
            finally
            {
                Interlocked.Decrement(ref running);
            }

            await exchange.EndChunksAsync();
        });
        await using var gateway = await TestGateway.StartAsync(engine.Address, "--Gateway:Slots=2");

        await Task.WhenAll(Enumerable.Range(0, Crowd).Select(async number =>
        {
            using var answer = await gateway.Http.BeginAsync();
            Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
            if (number % 3 == 0)
            {
                Assert.Contains("\"done\":true", await answer.Content.ReadAsStringAsync(), StringComparison.Ordinal);
                return;
            }

            // Reading is broken off with the answer, and its connection with it.
            await using var stream = await answer.Content.ReadAsStreamAsync();
            using var leave = new CancellationTokenSource();
            var reading = stream.CopyToAsync(Stream.Null, leave.Token);
            await Task.Delay(number % 4);
            await leave.CancelAsync();
            await Task.WhenAny(reading);
        }));

        Assert.InRange(left, Crowd / 10, Crowd);
        Assert.Equal(2, most);
        await gateway.Measured.RequestsAsync(Crowd);
        await Wait.UntilAsync(() => Assert.Equal(0, gateway.Measured.Now("hazumu.gateway.slots.used")));
        Assert.Equal(0, gateway.Measured.Now("hazumu.gateway.in_flight"));
    }

    private static void InterlockedMax(ref int most, int value)
    {
        for (var seen = Volatile.Read(ref most); value > seen; seen = Volatile.Read(ref most))
        {
            Interlocked.CompareExchange(ref most, value, seen);
        }
    }

    [Fact]
    public async Task A_queued_requests_answer_has_its_position()
    {
        await using var engine = HeldEngine.Start();
        await using var gateway = await TestGateway.StartAsync(engine.Address);

        var running = gateway.Http.ChatAsync();
        await engine.HoldsAsync(1);
        var waiting = new List<Task<ChatAnswer>>();
        for (var place = 1; place <= 4; place++)
        {
            waiting.Add(gateway.Http.ChatAsync(place % 2 == 0 ? Ask.OpenAI : Ask.Native));
            await gateway.WaitsAsync(place);
        }

        engine.Release(5);
        Assert.Equal("0", (await running).Position);
        Assert.Equal(["1", "2", "3", "4"], (await Task.WhenAll(waiting)).Select(answer => answer.Position));
    }

    [Theory]
    [MemberData(nameof(Ask.Dialects), MemberType = typeof(Ask))]
    public async Task A_full_queue_refuses_in_the_clients_dialect(string path)
    {
        await using var engine = HeldEngine.Start();
        await using var gateway = await TestGateway.StartAsync(engine.Address, "--Gateway:Queue:Limit=1");
        var running = gateway.Http.ChatAsync();
        await engine.HoldsAsync(1);
        var waiting = gateway.Http.ChatAsync();
        await gateway.WaitsAsync(1);

        var refused = await gateway.Http.ChatAsync(path);

        refused.IsRefusal(path, HttpStatusCode.ServiceUnavailable, "overloaded_error", $"the queue is full; try again in {refused["Retry-After"]} s.");
        refused.TellsWhenToComeBack();
        Assert.Null(refused.Instance);
        engine.Release(2);
        Assert.Equal((200, 200), ((await running).Status, (await waiting).Status));
        Assert.Equal(2, engine.Exchanges.Count);
        await gateway.Measured.RequestsAsync(3);
        Assert.Equal(1, gateway.Measured.Sum("hazumu.gateway.requests", ("outcome", "queue_full")));
    }

    [Theory]
    [MemberData(nameof(Ask.Dialects), MemberType = typeof(Ask))]
    public async Task A_request_that_waited_too_long_is_refused_in_its_dialect(string path)
    {
        await using var engine = HeldEngine.Start();
        await using var gateway = await TestGateway.StartAsync(engine.Address, "--Gateway:Queue:Timeout=300ms");
        var running = gateway.Http.ChatAsync();
        await engine.HoldsAsync(1);

        var refused = await gateway.Http.ChatAsync(path);

        refused.IsRefusal(path, HttpStatusCode.ServiceUnavailable, "overloaded_error", $"no slot for 'mock' came free in time; try again in {refused["Retry-After"]} s.");
        refused.TellsWhenToComeBack();
        engine.Release();
        Assert.Equal(200, (await running).Status);
        Assert.Single(engine.Exchanges);
    }

    [Theory]
    [MemberData(nameof(Ask.Dialects), MemberType = typeof(Ask))]
    public async Task Without_a_reachable_instance_a_request_waits_briefly_and_is_refused(string path)
    {
        await using var gateway = await TestGateway.StartAsync(new Uri("http://127.0.0.1:1"), "--Gateway:Queue:OutageTimeout=300ms", "--Gateway:Fleet:FailureThreshold=1", "--Gateway:Retries:Limit=0");
        await Wait.UntilAsync(() => Assert.Equal(2, gateway.Measured.Now("hazumu.gateway.circuit.state")));

        var refused = await gateway.Http.ChatAsync(path);

        refused.IsRefusal(path, HttpStatusCode.ServiceUnavailable, "overloaded_error", "No instance of the model server can be reached");
        refused.TellsWhenToComeBack();
    }
}

/// <summary>What a test waits for.</summary>
internal static class Awaiting
{
    /// <summary>Has an engine load models, and forget that it was asked to.</summary>
    public static async Task LoadAsync(this MockEngine engine, params string[] models)
    {
        using var http = new HttpClient { BaseAddress = engine.Address };
        foreach (var model in models)
        {
            Assert.Equal(200, (await http.ChatAsync("/api/generate", $$"""{"model":"{{model}}"}""")).Status);
        }

        await engine.WaitUntilAsync(engine => engine.Statistics.InFlight == 0);
        engine.ResetStatistics();
    }

    /// <summary>How many requests wait in a gateway's queue.</summary>
    public static int Waiting(this TestGateway gateway) => gateway.Service<Scheduler>().Waiting;

    /// <summary>Waits for the sum of a metric: a request's outcome is counted before the rest is.</summary>
    public static Task MeasuresAsync(this TestGateway gateway, double sum, string name, params (string Key, object Value)[] tags) =>
        Wait.UntilAsync(() => Assert.Equal(sum, gateway.Measured.Sum(name, tags)));

    /// <summary>Waits until as many requests wait in its queue.</summary>
    public static Task WaitsAsync(this TestGateway gateway, int count, TimeSpan? limit = null) =>
        Wait.UntilAsync(() => Assert.Equal(count, gateway.Waiting()), limit);
}
