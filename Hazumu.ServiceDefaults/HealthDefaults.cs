using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Diagnostics.HealthChecks;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace Hazumu.ServiceDefaults;

/// <summary>Health checks, and the two paths that platforms probe.</summary>
internal static class HealthDefaults
{
    private const string LiveTag = "live";

    /// <summary>How long a check without a limit of its own may take: less than the probes' usual 10 s.</summary>
    private static readonly TimeSpan s_checkTimeout = TimeSpan.FromSeconds(5);

    public static void Add(IServiceCollection services)
    {
        services.AddHealthChecks()
            .AddCheck("self", () => HealthCheckResult.Healthy(), [LiveTag]);

        services.PostConfigure<HealthCheckServiceOptions>(options =>
        {
            foreach (var check in options.Registrations.Where(check => check.Timeout == Timeout.InfiniteTimeSpan))
            {
                check.Timeout = s_checkTimeout;
            }
        });
    }

    // The default response writer writes the status word and nothing else.
    public static void Map(WebApplication app)
    {
        app.MapHealthChecks(DefaultPaths.Health)
            .AllowAnonymous()
            .DisableHttpMetrics();

        app.MapHealthChecks(DefaultPaths.Alive, new HealthCheckOptions { Predicate = check => check.Tags.Contains(LiveTag) })
            .AllowAnonymous()
            .DisableHttpMetrics();
    }
}
