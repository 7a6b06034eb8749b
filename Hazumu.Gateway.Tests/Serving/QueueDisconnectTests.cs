using Hazumu.Gateway.Tests.Streams;
using Hazumu.Mocks;
using Hazumu.Testing;

namespace Hazumu.Gateway.Tests.Serving;

/// <summary>Clients that go away.</summary>
public sealed class QueueDisconnectTests
{
    [Fact]
    public async Task A_client_that_disconnects_in_the_queue_never_reaches_the_engine()
    {
        await using var engine = HeldEngine.Start();
        await using var gateway = await TestGateway.StartAsync(engine.Address);
        var running = gateway.Http.ChatAsync();
        await engine.HoldsAsync(1);
        using var leave = new CancellationTokenSource();
        var gone = gateway.Http.ChatAsync(body: Ask.Body("gone"), cancellationToken: leave.Token);
        await gateway.WaitsAsync(1);
        var next = gateway.Http.ChatAsync(body: Ask.Body("next"));
        await gateway.WaitsAsync(2);

        await leave.CancelAsync();
        await gateway.WaitsAsync(1);
        Assert.Equal(1, engine.Running);

        engine.Release(2);
        await Task.WhenAll(running, next);
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => gone);
        Assert.DoesNotContain(engine.Asked, asked => asked.Contains("gone", StringComparison.Ordinal));
        await gateway.Measured.RequestsAsync(3);
        await gateway.MeasuresAsync(1, "hazumu.gateway.disconnects", ("phase", "queue"));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task The_engine_sees_a_client_go_and_its_slot_is_free_only_when_it_has_let_go(bool hasBegun)
    {
        await using var engine = HeldEngine.Start(beginsAtOnce: hasBegun);
        await using var gateway = await TestGateway.StartAsync(engine.Address);
        using var leave = new CancellationTokenSource();
        var gone = gateway.Http.BeginAsync(body: Ask.Body("gone"), cancellationToken: leave.Token);
        await engine.HoldsAsync(1);
        if (hasBegun)
        {
            (await gone).Dispose();
        }

        var next = gateway.Http.ChatAsync(body: Ask.Body("next"));
        await gateway.WaitsAsync(1);
        await leave.CancelAsync();
        await Assert.Single(engine.Exchanges).Gone.WaitAsync(TimeSpan.FromSeconds(10));

        // Its handler has not returned: the slot is not free, though nobody is there for the answer.
        await gateway.Measured.RequestsAsync(1);
        await Wait.WhileAsync(
            TimeSpan.FromMilliseconds(150),
            () => Assert.Equal((1, 1, 1d), (engine.Running, engine.Exchanges.Count, gateway.Measured.Now("hazumu.gateway.slots.used"))));

        engine.Release(2);
        Assert.Equal(200, (await next).Status);
        Assert.Equal(1, engine.Most);
        await gateway.Measured.RequestsAsync(2);
        await gateway.MeasuresAsync(1, "hazumu.gateway.disconnects", ("phase", hasBegun ? "decode" : "prefill"));
        await gateway.MeasuresAsync(0, "hazumu.gateway.retries");
    }

    [Fact]
    public async Task An_engine_that_never_lets_go_does_not_keep_the_slot_for_ever()
    {
        await using var engine = HeldEngine.Start();
        await using var gateway = await TestGateway.StartAsync(engine.Address, "--Gateway:Timeouts:UpstreamReleased=500ms");
        using var leave = new CancellationTokenSource();
        var gone = gateway.Http.ChatAsync(cancellationToken: leave.Token);
        await engine.HoldsAsync(1);
        await leave.CancelAsync();

        var next = gateway.Http.ChatAsync();
        await engine.HoldsAsync(2);

        engine.Release(2);
        Assert.Equal(200, (await next).Status);
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => gone);
    }

    [Theory]
    [InlineData(MockPhase.Loading)]
    [InlineData(MockPhase.Prefill)]
    [InlineData(MockPhase.Streaming)]
    public async Task An_engine_that_lets_go_at_once_is_free_at_once(MockPhase phase)
    {
        await using var engine = await MockEngine.StartAsync(new()
        {
            LoadTime = phase == MockPhase.Loading ? TimeSpan.FromMinutes(1) : default,
            PrefillTime = phase == MockPhase.Prefill ? TimeSpan.FromMinutes(1) : default,
            TokenTime = phase == MockPhase.Streaming ? TimeSpan.FromMilliseconds(20) : default,
            Tokens = 10_000,
        });
        await using var gateway = await TestGateway.StartAsync(engine.Address);
        using var leave = new CancellationTokenSource();
        var gone = gateway.Http.ChatAsync(cancellationToken: leave.Token);
        await engine.WaitForRequestAsync(request => request.Phase == phase);

        await leave.CancelAsync();

        await engine.WaitUntilAsync(engine => engine.Statistics.Disconnects.GetValueOrDefault(phase) == 1);
        await Wait.UntilAsync(() => Assert.Equal(0, gateway.Measured.Now("hazumu.gateway.slots.used")));
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => gone);
    }
}
