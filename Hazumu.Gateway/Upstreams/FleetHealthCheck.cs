using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace Hazumu.Gateway.Upstreams;

/// <summary>Healthy where every instance answers, degraded where some do, unhealthy where none does.</summary>
internal sealed class FleetHealthCheck(Fleet fleet) : IHealthCheck
{
    /// <inheritdoc/>
    public Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default)
    {
        var instances = fleet.Instances;
        var down = instances.Where(instance => instance.IsUp != true || instance.Circuit.State == CircuitState.Open).Select(instance => instance.Name).ToList();
        return Task.FromResult(instances.IsEmpty ? HealthCheckResult.Unhealthy("No instance is configured.")
            : down.Count == 0 ? HealthCheckResult.Healthy()
            : new HealthCheckResult(down.Count == instances.Length ? HealthStatus.Unhealthy : HealthStatus.Degraded, $"Unhealthy: {string.Join(", ", down)}."));
    }
}
