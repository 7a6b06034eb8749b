using System.Net;
using Hazumu.Gateway.Admission;
using Hazumu.Gateway.Tests.Streams;
using Hazumu.Mocks;

namespace Hazumu.Gateway.Tests.Serving;

/// <summary>What an engine sees of a crowd of clients.</summary>
public sealed class SlotTests
{
    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    public async Task An_engine_never_runs_more_at_once_than_it_has_slots_and_its_own_queue_stays_empty(int slots)
    {
        await using var engine = await MockEngine.StartAsync(new()
        {
            Models = [new MockModel("mock"), new MockModel("spare")], Parallel = slots, Tokens = 3, TokenTime = TimeSpan.FromMilliseconds(2),
        });
        await using var gateway = await TestGateway.StartAsync(engine.Address, $"--Gateway:Slots={slots}");

        var answers = await Task.WhenAll(Enumerable.Range(0, 60).Select(number => gateway.Http.ChatAsync(
            number % 3 == 0 ? Ask.OpenAI : number % 3 == 1 ? Ask.Anthropic : Ask.Native, Ask.Body(model: number % 4 == 0 ? "spare" : "mock"))));

        Assert.All(answers, answer => Assert.Equal(200, answer.Status));
        Assert.Equal(slots, engine.Statistics.Models["mock:latest"].MaxInFlight);
        Assert.All(engine.Statistics.Models.Values, model => Assert.Equal((true, 0), (model.MaxInFlight <= slots, model.MaxWaiting)));
        Assert.Equal(1, engine.Statistics.Models["mock:latest"].ColdLoads);
        Assert.Equal(0, gateway.Measured.Now("hazumu.gateway.slots.used"));
        Assert.Equal(0, gateway.Measured.Now("hazumu.gateway.queued"));
    }

    [Fact]
    public async Task Its_queue_stays_empty_where_clients_come_and_go()
    {
        await using var engine = await MockEngine.StartAsync(new()
        {
            Parallel = 2, Tokens = 5, TokenTime = TimeSpan.FromMilliseconds(2), PrefillTime = TimeSpan.FromMilliseconds(10),
        });
        await using var gateway = await TestGateway.StartAsync(engine.Address, "--Gateway:Slots=2");

        var wholes = await Task.WhenAll(Enumerable.Range(0, 120).Select(async number =>
        {
            using var patience = new CancellationTokenSource(number % 2 == 0 ? TimeSpan.FromMilliseconds(5 + (number * 3)) : TimeSpan.FromSeconds(30));
            try
            {
                return (await gateway.Http.ChatAsync(cancellationToken: patience.Token)).Status;
            }
            catch (OperationCanceledException) when (patience.IsCancellationRequested)
            {
                return 0;
            }
        }));

        Assert.True(wholes.Count(status => status == 200) >= 60);
        Assert.DoesNotContain(wholes, status => status is not 0 and not 200);
        Assert.NotEqual(0, engine.Statistics.AllDisconnects);
        Assert.Equal((2, 0), (engine.Statistics.Models["mock:latest"].MaxInFlight, engine.Statistics.Models["mock:latest"].MaxWaiting));
        await Eventually.HoldsAsync(() => Assert.Equal(0, gateway.Measured.Now("hazumu.gateway.slots.used")));
        await gateway.Measured.RequestsAsync(120);
        Assert.Equal(wholes.Count(status => status == 0), gateway.Measured.Sum("hazumu.gateway.requests", ("outcome", "client_disconnect")));
        Assert.Equal(0, gateway.Measured.Now("hazumu.gateway.in_flight"));
    }

    [Fact]
    public async Task Who_waited_is_told_its_place_in_the_queue()
    {
        await using var engine = HeldEngine.Start();
        await using var gateway = await TestGateway.StartAsync(engine.Address);

        var running = gateway.Http.ChatAsync();
        await engine.HoldsAsync(1);
        var waiting = new List<Task<Answer>>();
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

        refused.IsRefusal(path, HttpStatusCode.ServiceUnavailable, "overloaded_error", "the queue is full");
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
    public async Task Who_has_waited_too_long_is_refused_in_its_dialect(string path)
    {
        await using var engine = HeldEngine.Start();
        await using var gateway = await TestGateway.StartAsync(engine.Address, "--Gateway:Queue:Timeout=300ms");
        var running = gateway.Http.ChatAsync();
        await engine.HoldsAsync(1);

        var refused = await gateway.Http.ChatAsync(path);

        refused.IsRefusal(path, HttpStatusCode.ServiceUnavailable, "overloaded_error", "no slot for 'mock' came free in time");
        refused.TellsWhenToComeBack();
        engine.Release();
        Assert.Equal(200, (await running).Status);
        Assert.Single(engine.Exchanges);
    }

    [Theory]
    [MemberData(nameof(Ask.Dialects), MemberType = typeof(Ask))]
    public async Task Where_nothing_can_be_reached_a_request_waits_a_little_and_is_told_so(string path)
    {
        await using var gateway = await TestGateway.StartAsync(new Uri("http://127.0.0.1:1"), "--Gateway:Queue:OutageTimeout=300ms", "--Gateway:Fleet:FailureThreshold=1", "--Gateway:Retries:Limit=0");
        await Eventually.HoldsAsync(() => Assert.Equal(2, gateway.Measured.Now("hazumu.gateway.circuit.state")));

        var refused = await gateway.Http.ChatAsync(path);

        refused.IsRefusal(path, HttpStatusCode.ServiceUnavailable, "overloaded_error", "No instance of the model server can be reached");
        refused.TellsWhenToComeBack();
    }
}

/// <summary>What a test waits for at a gateway.</summary>
internal static class Waiting
{
    /// <summary>Waits until as many requests wait in its queue.</summary>
    public static Task WaitsAsync(this TestGateway gateway, int count, TimeSpan? limit = null) =>
        Eventually.HoldsAsync(() => Assert.Equal(count, gateway.Service<Scheduler>().Waiting), limit);
}
