using Hazumu.Hosting.Health;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace Hazumu.Tests.Model;

public sealed class PromptHealthCheckTests
{
    private static readonly TimeSpan s_interval = TimeSpan.FromMilliseconds(1);

    private int _calls;

    [Fact]
    public async Task A_component_that_becomes_healthy_is_waited_for()
    {
        var check = Make(healthyFrom: 3, timeout: TimeSpan.FromMinutes(1));
        Assert.Equal(HealthStatus.Healthy, await RunAsync(check));
        Assert.Equal(3, _calls);
    }

    [Fact]
    public async Task A_component_that_stays_unhealthy_is_reported_in_the_end()
    {
        var check = Make(healthyFrom: int.MaxValue, timeout: TimeSpan.FromMilliseconds(20));
        Assert.Equal(HealthStatus.Unhealthy, await RunAsync(check));
        Assert.True(_calls > 1);
    }

    [Fact]
    public async Task A_component_that_was_healthy_is_reported_at_once()
    {
        var check = Make(healthyFrom: 1, timeout: TimeSpan.FromMinutes(1), healthyUntil: 1);
        Assert.Equal(HealthStatus.Healthy, await RunAsync(check));
        Assert.Equal(HealthStatus.Unhealthy, await RunAsync(check));
        Assert.Equal(2, _calls);
    }

    private PromptHealthCheck Make(int healthyFrom, TimeSpan timeout, int healthyUntil = int.MaxValue) => new(
        _ => new Probe(() => ++_calls >= healthyFrom && _calls <= healthyUntil ? HealthCheckResult.Healthy() : HealthCheckResult.Unhealthy()),
        timeout,
        s_interval);

    private static async Task<HealthStatus> RunAsync(PromptHealthCheck check) =>
        (await check.Create(null!).CheckHealthAsync(new HealthCheckContext()).WaitAsync(TimeSpan.FromSeconds(30))).Status;

    private sealed class Probe(Func<HealthCheckResult> answer) : IHealthCheck
    {
        public Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default) => Task.FromResult(answer());
    }
}
