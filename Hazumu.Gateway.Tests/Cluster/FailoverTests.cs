using System.Collections.Concurrent;
using System.Net;
using Hazumu.Gateway.Admission;
using Hazumu.Gateway.Cluster;
using Hazumu.Gateway.Tests.Serving;
using Hazumu.Gateway.Tests.Streams;
using Hazumu.Mocks;
using Hazumu.Testing;

namespace Hazumu.Gateway.Tests.Cluster;

/// <summary>Gateways that die, stop and come back.</summary>
public sealed class FailoverTests
{
    private const int Slots = 4;

    private static readonly MockEngineOptions s_engine = new() { Parallel = Slots, Tokens = 12, TokenTime = TimeSpan.FromMilliseconds(10) };

    /// <summary>Three processes under load, one of which is killed: the one that admits for all, or another.</summary>
    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    public async Task Killing_a_gateway_under_load_loses_only_its_own_streams_that_had_begun(int victim)
    {
        await using var a = await MockEngine.StartAsync(s_engine);
        await using var b = await MockEngine.StartAsync(s_engine);
        await a.LoadAsync("mock");
        await b.LoadAsync("mock");
        await using var store = await ValkeyServer.StartAsync();
        var gateways = new List<TestGatewayProcess>();
        try
        {
            for (var number = 0; number < 3; number++)
            {
                var gateway = await TestGatewayProcess.StartAsync([("a", a.Address), ("b", b.Address)], [$"--Gateway:Slots={Slots}", .. store.Arguments]);
                gateways.Add(gateway);
                var role = number == 0 ? "This gateway leads" : "The gateway at http://127.0.0.1:";
                await Wait.UntilAsync(() => Assert.Contains(gateway.Printed, line => line.Contains(role, StringComparison.Ordinal)));
            }

            a.ResetStatistics();
            b.ResetStatistics();

            var (whole, moved, broken) = (0, 0, 0);
            var wrong = new ConcurrentBag<string>();
            using var enough = new CancellationTokenSource();
            var clients = Enumerable.Range(0, 45).Select(async client =>
            {
                var home = client % 3;
                while (!enough.IsCancellationRequested)
                {
                    var begun = false;
                    try
                    {
                        using var answer = await gateways[home].Http.BeginAsync(body: Ask.Body($"{client}"));
                        begun = true;
                        var text = await answer.Content.ReadAsStringAsync();
                        if (answer.StatusCode != HttpStatusCode.OK || !text.Contains("\"done\":true", StringComparison.Ordinal))
                        {
                            wrong.Add($"{(int)answer.StatusCode} {text}");
                        }

                        Interlocked.Increment(ref whole);
                    }
                    catch (HttpRequestException) when (home == victim)
                    {
                        // As a load balancer in front does: what has not begun goes to another gateway.
                        Interlocked.Increment(ref begun ? ref broken : ref moved);
                        home = (victim + 1) % 3;
                    }
                    catch (HttpRequestException error)
                    {
                        wrong.Add(error.ToString());
                    }
                }
            }).ToList();
            await Wait.UntilAsync(() => Assert.True(Volatile.Read(ref whole) > 100), TimeSpan.FromSeconds(30));

            await gateways[victim].KillAsync();
            var after = Volatile.Read(ref whole);
            await Wait.UntilAsync(() => Assert.True(Volatile.Read(ref whole) > after + 300), TimeSpan.FromSeconds(40));
            await enough.CancelAsync();
            await Task.WhenAll(clients);

            Assert.Empty(wrong);
            Assert.Equal(15, moved + broken);
            Assert.InRange(broken, 0, 2 * Slots);

            // What the engines saw: never more than their slots, of whichever gateway.
            Assert.All((MockEngine[])[a, b], engine => Assert.Equal((Slots, 0), (engine.Statistics.Models["mock:latest"].MaxInFlight, engine.Statistics.Models["mock:latest"].MaxWaiting)));
            await a.WaitUntilAsync(engine => engine.Statistics.InFlight == 0);
            Assert.Equal(0, b.Statistics.InFlight);

            // And the slots are free again: as many run at once as before.
            a.ResetStatistics();
            b.ResetStatistics();
            var answers = await Task.WhenAll(Enumerable.Range(0, 24).Select(number => gateways[(victim + 1 + (number % 2)) % 3].Http.ChatAsync(body: Ask.Body($"after {number}"))));
            Assert.All(answers, answer => Assert.Equal(200, answer.Status));
            Assert.All((MockEngine[])[a, b], engine => Assert.Equal(Slots, engine.Statistics.Models["mock:latest"].MaxInFlight));
        }
        finally
        {
            foreach (var gateway in gateways)
            {
                await gateway.DisposeAsync();
            }
        }
    }

    [Fact]
    public async Task Streams_and_queued_requests_outlive_the_gateway_that_admitted_them()
    {
        await using var engine = HeldEngine.Start(beginsAtOnce: true);
        await using var group = await ClusterGroup.StartAsync(3, [engine.Address]);
        using var stream = await group[2].Http.BeginAsync(body: Ask.Body("stream"));
        var waiting = new List<Task<ChatAnswer>>();
        for (var number = 0; number < 12; number++)
        {
            waiting.Add(group[1 + (number % 2)].Http.ChatAsync(body: Ask.Body($"waits {number:00}")));
            await group[0].WaitsAsync(number + 1);
        }

        await group[0].DisposeAsync();

        // The next one knows what runs, and has who waits in their order.
        var next = await ClusterGroup.FindLeaderAsync(group[1], group[2]);
        await next.WaitsAsync(12);
        Assert.Equal((1, 1), (AdmissionTests.InUse(next), engine.Running));

        engine.Release(13);
        Assert.Contains("\"done\":true", await stream.Content.ReadAsStringAsync(), StringComparison.Ordinal);
        Assert.All(await Task.WhenAll(waiting), answer => Assert.Equal(200, answer.Status));
        Assert.Equal(Enumerable.Range(0, 12).Select(number => $"waits {number:00}"), engine.Asked.Skip(1).Select(asked => asked[asked.IndexOf("waits", StringComparison.Ordinal)..][..8]));
        Assert.Equal(1, engine.Most);
    }

    [Fact]
    public async Task One_that_comes_back_takes_its_part_and_nothing_from_the_others()
    {
        await using var engine = HeldEngine.Start();
        await using var group = await ClusterGroup.StartAsync(2, [engine.Address]);
        await group[0].DisposeAsync();
        await ClusterGroup.AdmitsAsync(group[1], []);
        var running = group[1].Http.ChatAsync();
        await engine.HoldsAsync(1);

        // The younger one is the older now.
        await group.RestartAsync(0);
        await ClusterGroup.AdmitsAsync(group[1], [group[0]]);
        var waiting = group[0].Http.ChatAsync();
        await group[1].WaitsAsync(1);

        engine.Release(2);
        Assert.Equal((200, 200), ((await running).Status, (await waiting).Status));
        Assert.Equal(1, engine.Most);
    }

    [Fact]
    public async Task A_gateway_that_stops_hands_over_running_requests()
    {
        await using var engine = HeldEngine.Start(beginsAtOnce: true);
        await using var store = await ValkeyServer.StartAsync();
        await using var old = await TestGatewayProcess.StartAsync([("e", engine.Address)], store.Arguments);
        await LeadsAsync(old);
        await using var young = await TestGateway.StartAsync([("e", engine.Address)], store.Arguments);
        await Wait.UntilAsync(() => Assert.Equal(1, young.Service<ClusterAdmission>().Peers));
        using var stream = await old.Http.BeginAsync(body: Ask.Body("stream"));
        await engine.HoldsAsync(1);
        var refused = old.Http.ChatAsync(body: Ask.Body("refused"));
        var waiting = young.Http.ChatAsync(body: Ask.Body("waiting"));
        await old.WaitsAsync(2);

        old.Terminate();

        Assert.Equal(503, (await refused.WaitAsync(TimeSpan.FromSeconds(2))).Status);
        await ClusterGroup.AdmitsAsync(young, []);
        await young.WaitsAsync(1);

        // It runs on, and its slot is not free.
        void SlotIsHeld() => Assert.Equal((1, 1), (engine.Exchanges.Count, AdmissionTests.InUse(young)));
        await Wait.UntilAsync(SlotIsHeld);
        await Wait.WhileAsync(1.5 * ClusterAdmission.Settling, SlotIsHeld);
        engine.Release(2);
        Assert.Contains("\"done\":true", await stream.Content.ReadAsStringAsync(), StringComparison.Ordinal);
        Assert.Equal(200, (await waiting).Status);
        Assert.Equal(1, engine.Most);
        Assert.Equal(0, await old.EndAsync(TimeSpan.FromSeconds(5)));
    }

    [Fact]
    public async Task A_leader_that_hangs_is_replaced_and_follows_when_it_goes_on()
    {
        await using var engine = await MockEngine.StartAsync(s_engine);
        await using var store = await ValkeyServer.StartAsync();
        string[] arguments = [$"--Gateway:Slots={Slots}", .. store.Arguments];
        await using var old = await TestGatewayProcess.StartAsync([("e", engine.Address)], arguments);
        await LeadsAsync(old);
        await using var young = await TestGateway.StartAsync([("e", engine.Address)], arguments);
        await Wait.UntilAsync(() => Assert.Equal(1, young.Service<ClusterAdmission>().Peers));
        Assert.Equal(200, (await young.Http.ChatAsync()).Status);

        old.Freeze();
        try
        {
            // What was asked of it is asked elsewhere; nobody is refused.
            var answers = await Task.WhenAll(Enumerable.Range(0, 20).Select(number => young.Http.ChatAsync(body: Ask.Body($"{number}")))).WaitAsync(TimeSpan.FromSeconds(20));
            Assert.All(answers, answer => Assert.Equal(200, answer.Status));
            await ClusterGroup.AdmitsAsync(young, []);
        }
        finally
        {
            old.Thaw();
        }

        // It follows the one that leads now.
        await Wait.UntilAsync(() => Assert.Equal((true, 1), (young.Service<ClusterAdmission>().IsLeader, young.Service<ClusterAdmission>().Peers)));

        // What either has granted while both led is free by then.
        await Wait.UntilAsync(() => Assert.Equal(0, AdmissionTests.InUse(young)));
        engine.ResetStatistics();
        var after = await Task.WhenAll(Enumerable.Range(0, 30).Select(number => (number % 2 == 0 ? old.Http : young.Http).ChatAsync(body: Ask.Body($"{number}"))));
        Assert.All(after, answer => Assert.Equal(200, answer.Status));
        Assert.Equal((Slots, 0), (engine.Statistics.Models["mock:latest"].MaxInFlight, engine.Statistics.Models["mock:latest"].MaxWaiting));
    }

    private static Task LeadsAsync(TestGatewayProcess gateway) =>
        Wait.UntilAsync(() => Assert.Contains(gateway.Printed, line => line.Contains("This gateway leads", StringComparison.Ordinal)));

    [Fact]
    public async Task A_connection_that_breaks_changes_nothing()
    {
        await using var engine = HeldEngine.Start();
        await using var group = await ClusterGroup.StartAsync(2, [engine.Address]);
        var running = group[1].Http.ChatAsync(body: Ask.Body("running"));
        await engine.HoldsAsync(1);
        var waiting = group[1].Http.ChatAsync(body: Ask.Body("waiting"));
        await group[0].WaitsAsync(1);

        await group.HoldsAsync();
        group[1].Service<ClusterAdmission>().Cut();

        await group[0].WaitsAsync(1);
        await Wait.WhileAsync(2 * ClusterAdmission.Settling, () => Assert.Equal((1, 1), (engine.Running, AdmissionTests.InUse(group[0]))));
        Assert.False(group[1].Service<IAdmission>().IsAdmitting);
        engine.Release(2);
        Assert.Equal((200, 200), ((await running).Status, (await waiting).Status));
        Assert.Equal(1, engine.Most);
        await Wait.UntilAsync(() => Assert.Equal(0, AdmissionTests.InUse(group[0])));
    }

    [Fact]
    public async Task A_slot_granted_before_a_connection_breaks_is_sent_again()
    {
        await using var engine = HeldEngine.Start();
        await using var group = await ClusterGroup.StartAsync(2, [engine.Address]);
        var first = group[0].Http.ChatAsync(body: Ask.Body("first"));
        await engine.HoldsAsync(1);
        var second = group[1].Http.ChatAsync(body: Ask.Body("second"));
        await group[0].WaitsAsync(1);
        await group.HoldsAsync();

        // What else of the gateway waits meanwhile must not keep the connection from going on.
        ThreadPool.GetMinThreads(out var threads, out var ports);
        ThreadPool.SetMinThreads(threads + 32, ports);
        try
        {
            await Task.Factory.StartNew(
                () =>
                {
                    // The slot is there, and cannot be taken.
                    lock (group[1].Fleet.Gate)
                    {
                        engine.Release();
                        Assert.True(SpinWait.SpinUntil(() => group[0].Waiting() == 0, TimeSpan.FromSeconds(10)));
                        // What is sent, and what is sent again, arrives and has to wait for the lock, of which nothing can be seen.
                        Thread.Sleep(500);
                        group[1].Service<ClusterAdmission>().Cut();
                        Thread.Sleep(500);
                    }
                },
                CancellationToken.None,
                TaskCreationOptions.LongRunning,
                TaskScheduler.Default);
        }
        finally
        {
            ThreadPool.SetMinThreads(threads, ports);
        }

        await engine.HoldsAsync(1);
        var third = group[0].Http.ChatAsync(body: Ask.Body("third"));
        await Wait.WhileAsync(
            2 * ClusterAdmission.Settling,
            () => Assert.Equal((1, 1, false), (AdmissionTests.InUse(group[0]), engine.Running, group[1].Service<IAdmission>().IsAdmitting)));
        engine.Release(2);
        Assert.Equal((200, 200, 200), ((await first).Status, (await second).Status, (await third).Status));
        Assert.Equal(1, engine.Most);
        await Wait.UntilAsync(() => Assert.Equal(0, AdmissionTests.InUse(group[0])));
    }
}
