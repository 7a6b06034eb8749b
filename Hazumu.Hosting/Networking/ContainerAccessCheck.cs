using Hazumu.Hosting.Containers;
using Hazumu.Hosting.Preflight;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Hazumu.Hosting.Networking;

/// <summary>
/// Tries, from inside each container that connects to a project, whether it gets there: a firewall of the host may keep
/// containers out, and the container itself would only wait and say nothing.
/// </summary>
internal sealed class ContainerAccessCheck(DistributedApplicationModel model, ResourceNotificationService notifications, ContainerEngine engine, ILoggerFactory loggers) : BackgroundService
{
    // The image may have either program; 127 is the shell's "no such command", and then nothing is known.
    private const string Connect = """
        if command -v wget > /dev/null; then exec wget -q -T 5 -O /dev/null "$0"
        elif command -v curl > /dev/null; then exec curl -sS -m 5 -o /dev/null "$0"
        else exit 127; fi
        """;

    private static readonly int[] s_noShell = [126, 127];

    private readonly ILogger _logger = loggers.CreateLogger("Hazumu");

    protected override Task ExecuteAsync(CancellationToken stoppingToken) => Task.WhenAll(
        from container in model.Resources
        from connection in container.Annotations.OfType<ConnectsToProjectAnnotation>()
        let access = ContainerAccessAnnotation.Of(connection.Endpoint.Resource)
        where access?.HostName is not null && model.Resources.Contains(connection.Endpoint.Resource)
        select CheckAsync(container, connection.Endpoint, access, stoppingToken));

    private async Task CheckAsync(IResource container, EndpointReference endpoint, ContainerAccess access, CancellationToken cancellationToken)
    {
        try
        {
            await notifications.WaitForResourceHealthyAsync(endpoint.Resource.Name, cancellationToken);
            await notifications.WaitForResourceHealthyAsync(container.Name, cancellationToken);

            var url = $"http://{endpoint.Resource.Name}:{endpoint.Port}/alive";
            var attempt = await engine.RunAsync(["exec", RunningContainer.GetId(notifications, container), "sh", "-c", Connect, url], cancellationToken);
            if (!attempt.IsSuccess && !s_noShell.Contains(attempt.ExitCode))
            {
                _logger.LogError(
                    "'{Container}' cannot reach '{Project}', which runs on this machine itself ({Reason}): a firewall may block containers. Allow them to connect to TCP port {Port}{Address}, or set {Setting}=true to use Aspire's tunnel.",
                    container.Name, endpoint.Resource.Name, attempt.StandardError.Trim(), endpoint.Port, access.Address is { } address ? $" of {address}" : "", ContainerAccess.TunnelSetting);
            }
        }
        catch (Exception error) when (error is DistributedApplicationException or InvalidOperationException or StartupProblemException)
        {
            // A component that does not become healthy, or is gone again, is reported elsewhere.
            _logger.LogDebug(error, "It was not checked whether '{Container}' reaches '{Project}'.", container.Name, endpoint.Resource.Name);
        }
    }
}
