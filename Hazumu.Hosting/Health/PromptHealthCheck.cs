using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace Hazumu.Hosting.Health;

/// <summary>
/// Waits for a component that is not healthy yet, within the check. Aspire comes back to an unhealthy resource only
/// after one to five
/// seconds (ResourceHealthCheckService, whose intervals are internal): a container that is ready just after a check
/// would cost the start that second. No issue there yet; to be removed when Aspire's intervals can be set.
/// </summary>
/// <param name="inner">Makes the check itself.</param>
/// <param name="timeout">How long one check waits for the component to become healthy.</param>
/// <param name="interval">The time between tries.</param>
internal sealed class PromptHealthCheck(Func<IServiceProvider, IHealthCheck> inner, TimeSpan timeout, TimeSpan interval)
{
    private volatile bool _wasHealthy;

    /// <summary>Makes the health checks of the graph's containers prompt.</summary>
    public static void AddTo(IServiceCollection services) =>
        services.AddOptions<HealthCheckServiceOptions>().PostConfigure<DistributedApplicationModel>((options, model) =>
        {
            var keys = model.Resources
                .Where(resource => SettingsAnnotation.Of(resource) is not null)
                .SelectMany(resource => resource.Annotations.OfType<HealthCheckAnnotation>())
                .Select(annotation => annotation.Key)
                .ToHashSet();

            foreach (var registration in options.Registrations.Where(registration => keys.Contains(registration.Name)))
            {
                var prompt = new PromptHealthCheck(registration.Factory, TimeSpan.FromSeconds(5), TimeSpan.FromMilliseconds(100));
                registration.Factory = prompt.Create;
            }
        });

    /// <summary>Makes one check, as the health check service does before each call.</summary>
    public IHealthCheck Create(IServiceProvider services) => new Check(this, inner(services));

    private async Task<HealthCheckResult> CheckAsync(IHealthCheck check, HealthCheckContext context, CancellationToken cancellationToken)
    {
        var began = TimeProvider.System.GetTimestamp();
        while (true)
        {
            var result = await check.CheckHealthAsync(context, cancellationToken);
            if (result.Status == HealthStatus.Healthy)
            {
                _wasHealthy = true;
                return result;
            }

            // A resource that was healthy and no longer is gets reported at once.
            if (_wasHealthy || TimeProvider.System.GetElapsedTime(began) >= timeout)
            {
                _wasHealthy = false;
                return result;
            }

            await Task.Delay(interval, cancellationToken);
        }
    }

    private sealed class Check(PromptHealthCheck owner, IHealthCheck inner) : IHealthCheck
    {
        public Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default) =>
            owner.CheckAsync(inner, context, cancellationToken);
    }
}
