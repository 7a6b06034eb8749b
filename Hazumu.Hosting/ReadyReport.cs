using System.Diagnostics;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Hazumu.Hosting;

/// <summary>
/// Says on the terminal when the whole graph is healthy, how long that took and where everything is; what keeps it
/// waiting, where something does; and when each model is ready.
/// </summary>
internal sealed class ReadyReport(DistributedApplicationModel model, ResourceNotificationService notifications, ILoggerFactory loggers) : BackgroundService
{
    private static readonly TimeSpan s_reportInterval = TimeSpan.FromMinutes(1);

    private readonly ILogger _logger = loggers.CreateLogger("Hazumu");

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        var models = Task.WhenAll(model.Resources.OfType<OllamaModelResource>().Select(resource => ReportModelAsync(resource, stoppingToken)));

        var components = model.Resources.Where(resource => SettingsAnnotation.Of(resource) is not null).ToList();
        var waits = components.ConvertAll(component => (Component: component, IsHealthy: WaitUntilHealthyAsync(component, stoppingToken)));
        var all = Task.WhenAll(waits.Select(wait => wait.IsHealthy));

        while (await Task.WhenAny(all, Task.Delay(s_reportInterval, stoppingToken)) != all)
        {
            stoppingToken.ThrowIfCancellationRequested();
            _logger.LogWarning(
                "Not healthy yet: {Components}; their console logs in the Aspire dashboard contain the reason.",
                string.Join(", ", waits.Where(wait => !wait.IsHealthy.IsCompleted).Select(wait => wait.Component.Name)));
        }

        if ((await all).All(isHealthy => isHealthy))
        {
            ReportAddresses(components);
        }

        await models;
    }

    private async Task<bool> WaitUntilHealthyAsync(IResource component, CancellationToken cancellationToken)
    {
        try
        {
            await notifications.WaitForResourceHealthyAsync(component.Name, cancellationToken);
            return true;
        }
        catch (Exception error) when (error is not OperationCanceledException)
        {
            // Said here and not thrown: a report must not stop the host it reports on.
            _logger.LogError("'{Component}' is not ready: {Reason}", component.Name, error.Message);
            return false;
        }
    }

    private void ReportAddresses(List<IResource> components)
    {
        using var process = Process.GetCurrentProcess();
        var elapsed = DateTime.Now - process.StartTime;
        var addresses = components
            .SelectMany(component => component.Annotations.OfType<EndpointAnnotation>().Select(endpoint => (component.Name, endpoint.AllocatedEndpoint)))
            .Where(entry => entry.AllocatedEndpoint is not null)
            .Select(entry => $"{Environment.NewLine}{entry.Name,12}  {entry.AllocatedEndpoint!.UriString}")
            .Concat(components.SelectMany(FindPages).Select(page => $"{Environment.NewLine}{page.DisplayProperties.DisplayName.ToLowerInvariant(),12}  {page.Url}"));

        _logger.LogInformation("All {Count} components are healthy after {Seconds:F1} s:{Addresses}", components.Count, elapsed.TotalSeconds, string.Concat(addresses));
    }

    // Pages of a component below its address, such as the gateway's console.
    private IEnumerable<UrlSnapshot> FindPages(IResource component) =>
        notifications.TryGetCurrentState(component.Name, out var state)
            ? state.Snapshot.Urls.Where(url => !url.IsInactive && url.DisplayProperties.DisplayName.Length > 0 && Uri.TryCreate(url.Url, UriKind.Absolute, out var address) && address.AbsolutePath.Length > 1)
            : [];

    // A model's resource is "Running" with its parent, before the Toolkit has looked for the model: its health shows
    // whether the model is available. A failed download ends in a state whose text is the error.
    private async Task ReportModelAsync(OllamaModelResource resource, CancellationToken cancellationToken)
    {
        var end = await notifications.WaitForResourceAsync(
            resource.Name,
            change => IsReady(change.Snapshot) || change.Snapshot.State?.Style == KnownResourceStateStyles.Error,
            cancellationToken);

        if (IsReady(end.Snapshot))
        {
            _logger.LogInformation("The model {Model} is ready.", resource.ModelName);
        }
        else
        {
            _logger.LogError("The model {Model} is not ready: {Reason}", resource.ModelName, end.Snapshot.State!.Text);
        }
    }

    private static bool IsReady(CustomResourceSnapshot snapshot) =>
        snapshot is { HealthStatus: HealthStatus.Healthy, State.Text: "Running" };
}
