using System.Net;
using Microsoft.Extensions.Configuration;

namespace Hazumu.Hosting.Preflight;

/// <summary>Names an engine's further instances, and chooses their host ports: the next that nothing else has.</summary>
internal static class InstancePorts
{
    /// <summary>The ports of all instances, the first one's as it is set.</summary>
    /// <param name="settings">The instances' settings.</param>
    /// <param name="count">How many there are.</param>
    /// <param name="isTaken">Whether something outside the graph has a port.</param>
    /// <exception cref="StartupProblemException">There are not enough ports.</exception>
    public static IEnumerable<int> Choose(ComponentOptions settings, int count, Func<int, bool> isTaken)
    {
        // A component that is not enabled keeps its port: that another one is left out must not move the instances.
        var host = settings.Host;
        HashSet<int> ofComponents = [.. host.Components.SelectMany(component => component.Ports).Select(known => known.Port)];
        var port = settings.Port;
        yield return port;

        for (var instance = 2; instance <= count; instance++)
        {
            do
            {
                port++;
            }
            while (port <= IPEndPoint.MaxPort && (ofComponents.Contains(port) || isTaken(port)));

            yield return port <= IPEndPoint.MaxPort
                ? port
                : throw new StartupProblemException(
                    $"There is no free port above {settings.Port} for instance {instance} of {settings.Section}; set {HazumuOptions.SectionName}:{settings.Section}:{nameof(settings.Port)} to a lower port.");
        }
    }

    /// <summary>
    /// The instances' names, <c>ollama</c>, <c>ollama-2</c>, …, and their ports. These are chosen by what runs on this machine, unless the
    /// graph is published: that must not depend on the machine that publishes it.
    /// </summary>
    /// <param name="builder">The application's builder.</param>
    /// <param name="name">The name of the first one.</param>
    /// <param name="settings">The instances' settings.</param>
    /// <param name="count">How many there are.</param>
    public static IEnumerable<(string Name, int Port)> Choose(IDistributedApplicationBuilder builder, string name, ComponentOptions settings, int count) =>
        Choose(settings, count, builder.ExecutionContext.IsRunMode && settings.Enabled ? OnThisMachine(settings.Host, builder.Configuration) : _ => false)
            .Select((port, index) => (index == 0 ? name : $"{name}-{index + 1}", port));

    // And at the ports that the dashboard will take.
    private static Func<int, bool> OnThisMachine(HazumuOptions options, IConfiguration configuration)
    {
        var address = IPAddress.Parse(options.BindAddress);
        var ofDashboard = HostPort.Dashboard(configuration).Select(port => port.Port).ToHashSet();
        return port => ofDashboard.Contains(port) || PortCheck.IsTaken(address, port);
    }
}
