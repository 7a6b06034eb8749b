using System.Diagnostics;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Hazumu.AppHost;

/// <summary>Says on the terminal when the whole graph is healthy, how long that took, and where everything is.</summary>
internal sealed class ReadyReport(DistributedApplicationModel model, ResourceNotificationService notifications, ILoggerFactory loggers) : BackgroundService
{
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        var containers = model.Resources.OfType<ContainerResource>().Where(resource => resource.Annotations.OfType<SettingsAnnotation>().Any()).ToList();
        await Task.WhenAll(containers.Select(container => notifications.WaitForResourceHealthyAsync(container.Name, stoppingToken)));

        using var process = Process.GetCurrentProcess();
        var elapsed = DateTime.Now - process.StartTime;
        var addresses = containers
            .SelectMany(container => container.Annotations.OfType<EndpointAnnotation>().Select(endpoint => (container.Name, endpoint.AllocatedEndpoint)))
            .Where(entry => entry.AllocatedEndpoint is not null)
            .Select(entry => $"{Environment.NewLine}{entry.Name,12}  {entry.AllocatedEndpoint!.UriString}");

        loggers.CreateLogger("Hazumu").LogInformation("All {Count} components are healthy after {Seconds:F1} s:{Addresses}", containers.Count, elapsed.TotalSeconds, string.Concat(addresses));
    }
}
