using System.Diagnostics;
using System.Net;
using Hazumu.Gateway.Tests.Streams;
using Hazumu.Mocks;
using Hazumu.Testing;

namespace Hazumu.Gateway.Tests.Serving;

/// <summary>A gateway that is told to stop.</summary>
public sealed class ShutdownTests
{
    [Fact]
    public async Task Stopping_drains_streams_and_refuses_queued_and_new_requests()
    {
        await using var engine = await MockEngine.StartAsync(new() { Tokens = 30, TokenTime = TimeSpan.FromMilliseconds(50) });
        await using var gateway = await TestGatewayProcess.StartAsync(engine.Address);
        using var stream = await gateway.Http.BeginAsync();
        var waiting = ((string[])[Ask.Native, Ask.OpenAI, Ask.Anthropic]).Select(path => (Path: path, Answer: gateway.Http.ChatAsync(path))).ToList();
        await gateway.WaitsAsync(waiting.Count);

        gateway.Terminate();

        foreach (var (path, answer) in waiting)
        {
            var refused = await answer.WaitAsync(TimeSpan.FromSeconds(1));
            refused.IsRefusal(path, HttpStatusCode.ServiceUnavailable, "overloaded_error", "The gateway is stopping");
            refused.TellsWhenToComeBack();
        }

        await Wait.UntilAsync(() => Assert.Throws<HttpRequestException>(() =>
        {
            using var other = TestGateway.Client(gateway.Address);
            using var answer = other.GetAsync(new Uri("/", UriKind.Relative)).GetAwaiter().GetResult();
        }));
        Assert.Equal(MockOutcome.Running, Assert.Single(engine.Inferences()).Outcome);
        Assert.Contains("\"done\":true", await stream.Content.ReadAsStringAsync(), StringComparison.Ordinal);
        Assert.Equal(0, await gateway.EndAsync(TimeSpan.FromSeconds(5)));
        Assert.Equal(4, gateway.AccessLines().Count(line => line.GetProperty("operation").GetString() == "chat"));
        Assert.DoesNotContain(gateway.Printed, line => line.Contains("   at ", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_stream_without_end_holds_it_up_no_longer_than_is_set()
    {
        await using var engine = await MockEngine.StartAsync(new() { Tokens = 100_000, TokenTime = TimeSpan.FromMilliseconds(50) });
        await using var gateway = await TestGatewayProcess.StartAsync(engine.Address, "--Gateway:Timeouts:Drain=500ms");
        using var stream = await gateway.Http.BeginAsync();
        var watch = Stopwatch.StartNew();

        gateway.Terminate();

        Assert.Equal(0, await gateway.EndAsync(TimeSpan.FromSeconds(10)));
        Assert.InRange(watch.Elapsed.TotalSeconds, 0.4, 8);
        await Assert.ThrowsAnyAsync<Exception>(() => stream.Content.ReadAsStringAsync());
        await engine.WaitUntilAsync(engine => engine.Statistics.AllDisconnects == 1);
        Assert.Single(gateway.Printed, line => line.Contains("Gateway:Timeouts:Drain", StringComparison.Ordinal));
        Assert.DoesNotContain(gateway.Printed, line => line.Contains("   at ", StringComparison.Ordinal));
    }
}
