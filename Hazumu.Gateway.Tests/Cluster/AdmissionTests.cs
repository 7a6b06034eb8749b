using System.Net;
using Hazumu.Gateway.Admission;
using Hazumu.Gateway.Cluster;
using Hazumu.Gateway.Tests.Serving;
using Hazumu.Gateway.Tests.Streams;
using Hazumu.Gateway.Upstreams;
using Hazumu.Mocks;
using Hazumu.Testing;
using Microsoft.Extensions.DependencyInjection;

namespace Hazumu.Gateway.Tests.Cluster;

/// <summary>Several gateways in front of the same engines: what one promises, all do.</summary>
public sealed class AdmissionTests
{
    private const string Greedy = "the-key-of-somebody-greedy";
    private const string Modest = "the-key-of-somebody-modest";

    [Theory]
    [InlineData(2, 1)]
    [InlineData(3, 4)]
    public async Task No_engine_runs_more_at_once_than_it_has_slots_and_loads_a_model_once(int gateways, int slots)
    {
        var options = new MockEngineOptions
        {
            Models = [new MockModel("mock"), new MockModel("spare")],
            Parallel = slots,
            Tokens = 5,
            TokenTime = TimeSpan.FromMilliseconds(4),
            LoadTime = TimeSpan.FromMilliseconds(100),
        };
        await using var a = await MockEngine.StartAsync(options);
        await using var b = await MockEngine.StartAsync(options);
        await using var group = await ClusterGroup.StartAsync(gateways, [a.Address, b.Address], $"--Gateway:Slots={slots}");

        var answers = await Task.WhenAll(Enumerable.Range(0, 150).Select(number => group[number % gateways].Http.ChatAsync(
            number % 3 == 0 ? Ask.OpenAI : number % 3 == 1 ? Ask.Anthropic : Ask.Native, Ask.Body($"{number}", number % 4 == 0 ? "spare" : "mock"))));

        Assert.All(answers, answer => Assert.Equal(200, answer.Status));
        foreach (var engine in (MockEngine[])[a, b])
        {
            Assert.All(engine.Statistics.Models.Values, model => Assert.InRange(model.MaxInFlight, 0, slots));
            Assert.All(engine.Statistics.Models.Values, model => Assert.InRange(model.ColdLoads, 0, 1));
        }

        Assert.Equal(slots, Math.Max(Most(a), Most(b)));
        await Wait.UntilAsync(() => Assert.All(group.All, gateway => Assert.Equal(0, InUse(gateway))));
        Assert.Equal(150, group.All.Sum(gateway => gateway.Measured.Of("hazumu.gateway.requests").Count));

        static int Most(MockEngine engine) => engine.Statistics.Models.GetValueOrDefault("mock:latest")?.MaxInFlight ?? 0;
    }

    [Fact]
    public async Task Keys_take_turns_in_one_queue_across_gateways()
    {
        await using var engine = HeldEngine.Start();
        await using var group = await ClusterGroup.StartAsync(
            3, [engine.Address], "--Gateway:Keys:Required=true", $"--Gateway:Keys:Configured:greedy:Key={Greedy}", $"--Gateway:Keys:Configured:modest:Key={Modest}", "--Gateway:Queue:Limit=103");
        var greedy = Enumerable.Range(0, 101).Select(number => group[number % 2].Http.ChatAsync(body: Ask.Body("greedy"), key: Greedy)).ToList();
        await engine.HoldsAsync(1);
        await group[0].WaitsAsync(100);
        var modest = Enumerable.Range(0, 3).Select(_ => group[2].Http.ChatAsync(body: Ask.Body("modest"), key: Modest)).ToList();
        await group[0].WaitsAsync(103);

        // The queue is as long for all.
        Assert.Equal(503, (await group[1].Http.ChatAsync(key: Greedy)).Status);
        Assert.Equal((0, 0), (group[1].Waiting(), group[2].Waiting()));

        engine.Release(8);
        await Task.WhenAll(modest).WaitAsync(TimeSpan.FromSeconds(20));

        Assert.Equal(["greedy", "greedy", "modest", "greedy", "modest", "greedy", "modest"], engine.Asked.Take(7).Select(asked => asked.Contains("modest", StringComparison.Ordinal) ? "modest" : "greedy"));
        engine.Release(300);
        Assert.Equal(Enumerable.Range(0, 101), (await Task.WhenAll(greedy)).Select(answer => int.Parse(answer.Position!, null)).Order());
        Assert.Equal(1, engine.Most);
    }

    [Theory]
    [InlineData("Gateway:ModelNames:0:QueueLongerThan=0")]
    [InlineData("Gateway:Queue:Limit=1")]
    public async Task The_leaders_queue_decides_which_model_serves_a_name_at_any_gateway(string setting)
    {
        await using var engine = await MockEngine.StartAsync(new() { Models = [new MockModel("a"), new MockModel("b")], PrefillTime = TimeSpan.FromSeconds(4) });
        await using var group = await ClusterGroup.StartAsync(
            2, [engine.Address], "--Gateway:ModelNames:0:Name=x", "--Gateway:ModelNames:0:Models=a,b", "--" + setting);
        var running = group[1].Http.ChatAsync(body: Ask.Body("running", "x"));
        await Wait.UntilAsync(() => Assert.Single(engine.Inferences()));
        var waiting = group[0].Http.ChatAsync(body: Ask.Body("waiting", "x"));
        await group[0].WaitsAsync(1);

        var next = await group[1].Http.ChatAsync(body: Ask.Body("next", "x"));

        Assert.Equal((200, "b"), (next.Status, next["Hazumu-Model"]));
        Assert.Equal("a", (await running)["Hazumu-Model"]);
        Assert.Equal("a", (await waiting)["Hazumu-Model"]);
        await group[1].Measured.RequestsAsync(2);
        Assert.Equal(1, group[1].Measured.Sum("hazumu.gateway.named_requests", ("model", "b:latest"), ("reason", "queue")));
    }

    [Fact]
    public async Task The_queues_limit_holds_for_the_next_model_of_a_name_at_any_gateway()
    {
        await using var engine = await MockEngine.StartAsync(
            new() { Models = [new MockModel("a"), new MockModel("b")], PrefillTime = TimeSpan.FromSeconds(4) });
        await using var group = await ClusterGroup.StartAsync(
            2,
            [engine.Address],
            "--Gateway:ModelNames:0:Name=a",
            "--Gateway:ModelNames:0:Models=a,b", "--Gateway:Queue:Limit=1");
        List<Task<ChatAnswer>> running =
            [group[0].Http.ChatAsync(body: Ask.Body("running", "a")), group[1].Http.ChatAsync(body: Ask.Body("running", "b"))];
        await Wait.UntilAsync(() => Assert.Equal(2, engine.Inferences().Count));
        var waiting = group[0].Http.ChatAsync(body: Ask.Body("waiting", "b"));
        await group[0].WaitsAsync(1);

        Assert.Equal(503, (await group[1].Http.ChatAsync(body: Ask.Body("next", "a"))).Status);

        Assert.All(await Task.WhenAll([.. running, waiting]), answer => Assert.Equal(200, answer.Status));
    }

    [Fact]
    public async Task Priorities_hold_in_one_queue_across_gateways()
    {
        await using var engine = HeldEngine.Start();
        await using var group = await ClusterGroup.StartAsync(
            2, [engine.Address], "--Gateway:Keys:Required=true", $"--Gateway:Keys:Configured:greedy:Key={Greedy}", "--Gateway:Keys:Configured:greedy:Priority=batch", $"--Gateway:Keys:Configured:modest:Key={Modest}");
        var batch = Enumerable.Range(0, 21).Select(number => group[number % 2].Http.ChatAsync(body: Ask.Body("batch"), key: Greedy)).ToList();
        await engine.HoldsAsync(1);
        await group[0].WaitsAsync(20);
        var normal = Enumerable.Range(0, 3).Select(_ => group[1].Http.ChatAsync(body: Ask.Body("normal"), key: Modest)).ToList();
        await group[0].WaitsAsync(23);

        engine.Release(4);
        await Task.WhenAll(normal).WaitAsync(TimeSpan.FromSeconds(20));

        Assert.Equal(["batch", "normal", "normal", "normal"], engine.Asked.Take(4).Select(asked => asked.Contains("normal", StringComparison.Ordinal) ? "normal" : "batch"));
        engine.Release(100);
        Assert.All(await Task.WhenAll(batch), answer => Assert.Equal(200, answer.Status));
    }

    [Fact]
    public async Task A_cancelled_request_leaves_queue_and_engine_at_any_gateway()
    {
        await using var engine = HeldEngine.Start();
        await using var group = await ClusterGroup.StartAsync(2, [engine.Address]);
        using var leave = new CancellationTokenSource();
        var running = group[1].Http.ChatAsync(body: Ask.Body("running"), cancellationToken: leave.Token);
        await engine.HoldsAsync(1);
        var waiting = group[1].Http.ChatAsync(body: Ask.Body("waiting"), cancellationToken: leave.Token);
        await group[0].WaitsAsync(1);
        var next = group[0].Http.ChatAsync(body: Ask.Body("next"));
        await group[0].WaitsAsync(2);

        await leave.CancelAsync();
        await group[0].WaitsAsync(1);
        await Assert.Single(engine.Exchanges).Gone.WaitAsync(TimeSpan.FromSeconds(10));

        // Its handler has not returned: the slot is not free, though nobody is there for the answer.
        await Wait.WhileAsync(TimeSpan.FromMilliseconds(150), () => Assert.Equal((1, 1), (engine.Running, InUse(group[0]))));

        engine.Release(2);
        Assert.Equal(200, (await next).Status);
        Assert.Equal(1, engine.Most);
        Assert.DoesNotContain(engine.Asked, asked => asked.Contains("waiting", StringComparison.Ordinal));
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => running);
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => waiting);
    }

    [Fact]
    public async Task A_keys_limits_hold_across_all_gateways()
    {
        await using var engine = await MockEngine.StartAsync(new() { Parallel = 8, Tokens = 16 });
        await using var group = await ClusterGroup.StartAsync(
            3,
            [engine.Address],
            "--Gateway:Slots=8",
            $"--Gateway:Keys:Configured:four:Key={Greedy}",
            "--Gateway:Keys:Configured:four:RequestsPerMinute=4",
            $"--Gateway:Keys:Configured:chatty:Key={Modest}",
            "--Gateway:Keys:Configured:chatty:TokensPerMinute=30",
            "--Gateway:Keys:Configured:single:Key=the-key-of-somebody-single",
            "--Gateway:Keys:Configured:single:ConcurrentRequests=1");

        var answers = await Task.WhenAll(Enumerable.Range(0, 12).Select(number => group[number % 3].Http.ChatAsync(key: Greedy)));
        Assert.Equal((4, 8), (answers.Count(answer => answer.Status == 200), answers.Count(answer => answer.Status == 429)));
        Assert.All(answers.Where(answer => answer.Status == 429), answer => answer.TellsWhenToComeBack());

        // 26 tokens of a prompt and 16 of an answer, told by one gateway, refused by another.
        Assert.Equal(200, (await group[1].Http.ChatAsync(key: Modest)).Status);
        await Wait.UntilAsync(() => Assert.Equal(429, group[2].Http.ChatAsync(key: Modest).GetAwaiter().GetResult().Status));

        engine.Options = engine.Options with { Tokens = 10_000, TokenTime = TimeSpan.FromMilliseconds(20) };
        var running = await group[2].Http.BeginAsync(key: "the-key-of-somebody-single");
        Assert.Equal(200, (int)running.StatusCode);
        Assert.Equal(429, (await group[1].Http.ChatAsync(key: "the-key-of-somebody-single")).Status);
        Assert.Equal(429, (await group[0].Http.ChatAsync(key: "the-key-of-somebody-single")).Status);
        engine.Options = engine.Options with { Tokens = 1 };
        running.Dispose();
        await Wait.UntilAsync(() => Assert.Equal(200, group[1].Http.ChatAsync(key: "the-key-of-somebody-single").GetAwaiter().GetResult().Status));
    }

    [Fact]
    public async Task A_conversation_keeps_its_instance_across_gateways_and_a_retry_changes_it()
    {
        await using var a = await MockEngine.StartAsync(new() { Parallel = 8 });
        await using var b = await MockEngine.StartAsync(new() { Parallel = 8 });
        await a.LoadAsync("mock");
        await b.LoadAsync("mock");
        await using var group = await ClusterGroup.StartAsync(3, [a.Address, b.Address], "--Gateway:Slots=8", "--Gateway:Retries:BudgetPercent=100");
        await Wait.UntilAsync(() => Assert.All(group.All, gateway => Assert.All(gateway.Fleet.Instances, instance => Assert.True(instance.SlotsOf("mock:latest").IsResident))));

        for (var conversation = 0; conversation < 6; conversation++)
        {
            var places = new HashSet<string?>();
            foreach (var gateway in group.All)
            {
                places.Add((await gateway.Http.ChatAsync(body: Ask.Body($"conversation {conversation}"))).Instance);
            }

            Assert.Single(places);
        }

        var usual = (await group[2].Http.ChatAsync(body: Ask.Body("again"))).Instance;
        (usual == "e0" ? a : b).Inject(new MockFault(MockFaultKind.ResetBeforeResponse));
        var retried = await group[2].Http.ChatAsync(body: Ask.Body("again"));
        Assert.Equal(200, retried.Status);
        Assert.NotEqual(usual, retried.Instance);
        await group[2].MeasuresAsync(1, "hazumu.gateway.retries");
    }

    [Fact]
    public async Task Only_the_gateway_that_admits_reports_the_fleet()
    {
        await using var engine = HeldEngine.Start();
        await using var group = await ClusterGroup.StartAsync(3, [engine.Address]);
        var asked = Enumerable.Range(0, 3).Select(number => group[number].Http.ChatAsync()).ToList();
        await group[0].WaitsAsync(2);

        Assert.Equal([1, 0, 0], group.All.Select(gateway => gateway.Measured.Now("hazumu.gateway.admits")));
        Assert.Equal([2, 2, 2], group.All.Select(gateway => gateway.Measured.Now("hazumu.gateway.peers")));
        Assert.Equal([2, 0, 0], group.All.Select(gateway => gateway.Measured.Now("hazumu.gateway.queued")));
        Assert.Equal([1, 0, 0], group.All.Select(gateway => gateway.Measured.Now("hazumu.gateway.slots.used")));
        Assert.Equal([1, 1, 1], group.All.Select(gateway => gateway.Measured.Now("hazumu.gateway.in_flight")));
        engine.Release(3);
        await Task.WhenAll(asked);
    }

    [Fact]
    public async Task A_gateway_that_has_yet_to_find_an_instance_is_served_by_those_it_knows()
    {
        await using var a = await MockEngine.StartAsync(new() { Models = [new MockModel("mock")] });
        await using var b = await MockEngine.StartAsync(new() { Models = [new MockModel("mock")] });
        await b.LoadAsync("mock");
        await using var store = await ValkeyServer.StartAsync();
        await using var all = await TestGateway.StartAsync([("a", a.Address), ("b", b.Address)], store.Arguments);
        await ClusterGroup.AdmitsAsync(all, []);
        await Wait.UntilAsync(() => Assert.True(all.Fleet.Find("b")!.SlotsOf("mock:latest").IsResident));
        await using var some = await TestGateway.StartAsync([("a", a.Address)], store.Arguments);
        await ClusterGroup.AdmitsAsync(all, [some]);

        Assert.Equal("b", (await all.Http.ChatAsync()).Instance);
        Assert.Equal((200, "a"), await InstanceOf(some));
        await Wait.UntilAsync(() => Assert.Equal(0, InUse(all)));

        static async Task<(int, string?)> InstanceOf(TestGateway gateway)
        {
            var answer = await gateway.Http.ChatAsync();
            return (answer.Status, answer.Instance);
        }
    }

    internal static int InUse(TestGateway gateway)
    {
        lock (gateway.Fleet.Gate)
        {
            return gateway.Fleet.Instances.Sum(instance => instance.Slots.Values.Sum(slots => slots.InUse));
        }
    }
}
