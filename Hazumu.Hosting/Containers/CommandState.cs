using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace Hazumu.Hosting.Containers;

/// <summary>When the dashboard offers a command.</summary>
internal static class CommandState
{
    /// <summary>While the resource is healthy.</summary>
    public static ResourceCommandState WhileHealthy(UpdateCommandStateContext context) =>
        context.ResourceSnapshot.HealthStatus is HealthStatus.Healthy ? ResourceCommandState.Enabled : ResourceCommandState.Disabled;
}
