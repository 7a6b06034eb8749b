using Hazumu.Gateway.Tests.Streams;
using Hazumu.Gateway.Upstreams;
using Hazumu.Mocks;
using Hazumu.Testing;

namespace Hazumu.Gateway.Tests.Serving;

/// <summary>Engines that answer 503: they have no room for a model now, and are well.</summary>
public sealed class BusyTests
{
    [Fact]
    public async Task Engine_that_answers_503_for_one_model_serves_all_else()
    {
        await using var engine = await MockEngine.StartAsync(new() { Models = [new MockModel("mock"), new MockModel("spare")] });
        await using var gateway = await TestGateway.StartAsync(engine.Address, "--Gateway:Fleet:ProbeInterval=1m");
        engine.Inject(new MockFault(MockFaultKind.Status) { Status = 503, Model = "spare", Message = "server busy" });

        for (var request = 0; request < 5; request++)
        {
            var answer = await gateway.Http.ChatAsync(body: Ask.Body(model: "spare"));
            Assert.Equal((503, "engine"), (answer.Status, answer.Instance));
            Assert.Contains("server busy", answer.Text, StringComparison.Ordinal);
        }

        Assert.Equal(CircuitState.Closed, gateway.Fleet.Instances[0].Circuit.State);
        Assert.Equal(200, (await gateway.Http.ChatAsync()).Status);
        Assert.Equal(200, (await gateway.Http.AnswerAsync(HttpMethod.Get, "/api/tags")).Status);
        Assert.Equal("Healthy", (await gateway.Http.AnswerAsync(HttpMethod.Get, "/health")).Text);
    }

    [Fact]
    public async Task Another_instance_is_preferred_to_one_whose_503_led_to_a_fallback()
    {
        var options = new MockEngineOptions { Models = [new MockModel("mock"), new MockModel("spare")] };
        await using var a = await MockEngine.StartAsync(options);
        await using var b = await MockEngine.StartAsync(options);
        await a.LoadAsync("mock");
        await b.LoadAsync("mock");
        await using var gateway = await TestGateway.StartAsync(
            [("a", a.Address), ("b", b.Address)],
            "--Gateway:Fleet:ProbeInterval=1m",
            "--Gateway:Retries:Limit=0",
            "--Gateway:ModelNames:0:Name=x",
            "--Gateway:ModelNames:0:Models=mock,spare");
        await Wait.UntilAsync(() => Assert.All(
            gateway.Fleet.Instances, instance => Assert.True(instance.SlotsOf("mock:latest").IsResident)));
        var usual = (await AskAsync()).Instance;
        (usual == "a" ? a : b).Inject(new MockFault(MockFaultKind.Status) { Status = 503, Model = "mock" });

        Assert.Equal("spare", (await AskAsync())["Hazumu-Model"]);
        var next = await AskAsync();

        Assert.Equal("mock", next["Hazumu-Model"]);
        Assert.NotEqual(usual, next.Instance);

        // The same conversation, so that it would go to the same instance.
        Task<ChatAnswer> AskAsync() => gateway.Http.ChatAsync(body: Ask.Body(model: "x"));
    }

    [Fact]
    public async Task Another_instance_is_preferred_to_one_that_answered_503()
    {
        await using var engines = await Two.StartAsync("--Gateway:Retries:BudgetPercent=0");
        await engines.A.LoadAsync("mock");
        await engines.B.LoadAsync("mock");
        engines.Gateway.Service<FleetMonitor>().Refresh();
        await Wait.UntilAsync(() => Assert.All(engines.Gateway.Fleet.Instances, instance => Assert.True(instance.SlotsOf("mock:latest").IsResident)));
        engines.A.Inject(new MockFault(MockFaultKind.Status) { Status = 503 });

        // Were the busy one asked first each time, the budget of ten would be spent.
        for (var request = 0; request < 15; request++)
        {
            Assert.Equal((200, "b"), (await InstanceAsync()));
        }

        Assert.InRange(engines.A.Inferences().Count, 0, 3);

        async Task<(int, string?)> InstanceAsync()
        {
            var answer = await engines.Gateway.Http.ChatAsync();
            return (answer.Status, answer.Instance);
        }
    }
}
