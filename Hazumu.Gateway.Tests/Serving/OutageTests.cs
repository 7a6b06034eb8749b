using System.Diagnostics;
using System.Net;
using Hazumu.Gateway.Tests.Streams;
using Hazumu.Gateway.Upstreams;
using Hazumu.Mocks;
using Hazumu.Testing;

namespace Hazumu.Gateway.Tests.Serving;

/// <summary>Instances that die and come back.</summary>
public sealed class OutageTests
{
    private static readonly string[] s_quick = ["--Gateway:Fleet:OpenFor=500ms", "--Gateway:Fleet:ProbeInterval=200ms"];

    [Fact]
    public async Task Others_serve_while_one_is_dead_and_it_serves_again_when_it_is_back()
    {
        var a = await MockEngine.StartAsync(new() { Parallel = 2 });
        await using var b = await MockEngine.StartAsync(new() { Parallel = 2 });
        await using var gateway = await TestGateway.StartAsync([("a", a.Address), ("b", b.Address)], ["--Gateway:Slots=2", .. s_quick]);
        Assert.Equal("a", (await gateway.Http.ChatAsync()).Instance);

        await a.DisposeAsync();
        var answers = await Task.WhenAll(Enumerable.Range(0, 30).Select(number => gateway.Http.ChatAsync(body: Ask.Body($"{number}"))));
        Assert.All(answers, answer => Assert.Equal((200, "b"), (answer.Status, answer.Instance)));
        await Wait.UntilAsync(() => Assert.Equal(CircuitState.Open, StateOf(gateway, "a")));
        Assert.Equal(2, gateway.Measured.Now("hazumu.gateway.circuit.state", ("hazumu.instance", "a")));
        Assert.Equal(0, gateway.Measured.Now("hazumu.gateway.instance.up", ("hazumu.instance", "a")));

        // What needs no model is told by who is left.
        Assert.Equal(200, (await gateway.Http.AnswerAsync(HttpMethod.Get, "/api/tags")).Status);
        Assert.Equal("Degraded", (await gateway.Http.AnswerAsync(HttpMethod.Get, "/health")).Text);

        await using var back = await MockEngine.StartAsync(new() { Port = a.Address.Port, Models = [new MockModel("mock"), new MockModel("its-own")] });
        await Wait.UntilAsync(() => Assert.True(gateway.Fleet.Knows("its-own:latest") && StateOf(gateway, "a") != CircuitState.Open));
        Assert.Equal((200, "a"), await InstanceOf(gateway, "its-own"));
        Assert.Equal(CircuitState.Closed, StateOf(gateway, "a"));
        Assert.Equal(0, gateway.Measured.Now("hazumu.gateway.circuit.state"));
    }

    [Fact]
    public async Task A_long_outage_refuses_at_once_and_ends_with_the_engines_return()
    {
        var outage = TimeSpan.FromSeconds(4);
        var engine = await MockEngine.StartAsync();
        await using var gateway = await TestGateway.StartAsync(
            engine.Address, "--Gateway:Queue:OutageTimeout=4s", "--Gateway:Fleet:OpenFor=1h", "--Gateway:Fleet:FailureThreshold=1", "--Gateway:Fleet:ProbeInterval=100ms");
        await engine.DisposeAsync();
        await Wait.UntilAsync(() => Assert.Equal(CircuitState.Open, StateOf(gateway, "engine")));
        var watch = Stopwatch.StartNew();
        Assert.Equal(503, (await gateway.Http.ChatAsync()).Status);
        Assert.InRange(watch.Elapsed, outage / 2, outage * 3);

        watch.Restart();
        var refused = await gateway.Http.ChatAsync(Ask.OpenAI);
        Assert.InRange(watch.Elapsed, TimeSpan.Zero, outage / 2);
        refused.IsRefusal(Ask.OpenAI, HttpStatusCode.ServiceUnavailable, "overloaded_error", "No instance of the model server can be reached; try again in 1 s.");
        Assert.Equal("1", refused["Retry-After"]);

        await using var back = await MockEngine.StartAsync(new() { Port = engine.Address.Port });
        await Wait.UntilAsync(() => Assert.NotEqual(CircuitState.Open, StateOf(gateway, "engine")));
        Assert.Equal(200, (await gateway.Http.ChatAsync()).Status);
    }

    [Fact]
    public async Task No_herd_falls_on_an_instance_that_comes_back()
    {
        const int Herd = 20;
        var engine = await MockEngine.StartAsync(new() { Parallel = 8 });
        await using var gateway = await TestGateway.StartAsync(engine.Address, ["--Gateway:Slots=8", .. s_quick]);
        await engine.DisposeAsync();
        await Wait.UntilAsync(() => Assert.Equal(CircuitState.Open, StateOf(gateway, "engine")));
        var herd = Enumerable.Range(0, Herd).Select(_ => gateway.Http.ChatAsync()).ToList();
        await gateway.WaitsAsync(Herd);

        // Its model is in memory at once: only the circuit holds the others back.
        await using var back = await MockEngine.StartAsync(new() { Port = engine.Address.Port, Parallel = 8, PrefillTime = TimeSpan.FromMilliseconds(400) });
        await back.LoadAsync("mock");
        await back.WaitUntilAsync(engine => engine.Inferences().Count > 0);
        Assert.Equal(CircuitState.HalfOpen, StateOf(gateway, "engine"));
        await Wait.WhileAsync(
            TimeSpan.FromMilliseconds(200),
            () => Assert.Equal((CircuitState.HalfOpen, 1, Herd - 1), (StateOf(gateway, "engine"), back.Inferences().Count, gateway.Waiting())));

        await back.WaitUntilAsync(engine => engine.Inferences().Count > 1);
        Assert.Equal(CircuitState.Closed, StateOf(gateway, "engine"));
        Assert.All(await Task.WhenAll(herd), answer => Assert.Equal(200, answer.Status));
        Assert.Equal(Herd, back.Inferences().Count);
        Assert.Equal(8, back.Statistics.Models["mock:latest"].MaxInFlight);
    }

    [Fact]
    public async Task A_trial_that_fails_keeps_the_others_waiting()
    {
        var engine = await MockEngine.StartAsync();
        await using var gateway = await TestGateway.StartAsync(engine.Address, ["--Gateway:Slots=8", "--Gateway:Retries:Limit=0", .. s_quick]);
        await engine.DisposeAsync();
        await Wait.UntilAsync(() => Assert.Equal(CircuitState.Open, StateOf(gateway, "engine")));
        var herd = Enumerable.Range(0, 10).Select(_ => gateway.Http.ChatAsync()).ToList();
        await gateway.WaitsAsync(10);

        await using var back = await MockEngine.StartAsync(new() { Port = engine.Address.Port, Parallel = 8, Faults = [new MockFault(MockFaultKind.ResetBeforeResponse) { Times = 1, Path = Ask.Native }] });
        var first = await Task.WhenAny(herd);

        Assert.Equal(502, (await first).Status);
        Assert.Single(back.Inferences());
        Assert.Equal((CircuitState.Open, 9), (StateOf(gateway, "engine"), gateway.Waiting()));
        Assert.Equal(9, (await Task.WhenAll(herd)).Count(answer => answer.Status == 200));
    }

    private static async Task<(int, string?)> InstanceOf(TestGateway gateway, string model)
    {
        var answer = await gateway.Http.ChatAsync(body: Ask.Body(model: model));
        return (answer.Status, answer.Instance);
    }

    private static CircuitState StateOf(TestGateway gateway, string instance) => gateway.Fleet.Instances.Single(known => known.Name == instance).Circuit.State;
}
