using System.Net;
using Hazumu.Hosting.Preflight;
using Microsoft.Extensions.Configuration;

namespace Hazumu.Hosting.Ollama;

/// <summary>Chooses the host ports of further Ollama instances: the next that nothing else has.</summary>
internal static class InstancePorts
{
    /// <summary>The ports of all instances, the first one's as it is set.</summary>
    /// <param name="settings">The instances' settings.</param>
    /// <param name="isTaken">Whether something outside the graph has a port.</param>
    /// <exception cref="StartupProblemException">There are not enough ports.</exception>
    public static IEnumerable<int> Choose(OllamaOptions settings, Func<int, bool> isTaken)
    {
        // A component that is not enabled keeps its port: that another one is left out must not move the instances.
        var host = settings.Host;
        HashSet<int> ofComponents = [.. host.Components.SelectMany(component => component.Ports).Select(known => known.Port)];
        var port = settings.Port;
        yield return port;

        for (var instance = 2; instance <= settings.Instances; instance++)
        {
            do
            {
                port++;
            }
            while (port <= IPEndPoint.MaxPort && (ofComponents.Contains(port) || isTaken(port)));

            yield return port <= IPEndPoint.MaxPort
                ? port
                : throw new StartupProblemException(
                    $"There is no free port above {settings.Port} for instance {instance} of Ollama; set {HazumuOptions.SectionName}:{settings.Section}:{nameof(settings.Port)} to a lower port.");
        }
    }

    /// <summary>Looks at this machine, and at the ports that the dashboard will take.</summary>
    public static Func<int, bool> OnThisMachine(HazumuOptions options, IConfiguration configuration)
    {
        var address = IPAddress.Parse(options.BindAddress);
        var ofDashboard = HostPort.Dashboard(configuration).Select(port => port.Port).ToHashSet();
        return port => ofDashboard.Contains(port) || PortCheck.IsTaken(address, port);
    }
}
