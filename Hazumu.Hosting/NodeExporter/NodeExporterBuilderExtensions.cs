using Hazumu.Hosting.Preflight;
using Hazumu.Hosting.Publishing;
using Microsoft.Extensions.Logging;

namespace Aspire.Hosting;

/// <summary>Provides extension methods for adding node exporters to the application model.</summary>
public static class NodeExporterBuilderExtensions
{
    private const string HostDirectory = "/host";

    // The collectors that panels and rules read. Not the network's: in a network of its own the container would show
    // its own.
    private static readonly string[] s_collectors = ["cpu", "diskstats", "filesystem", "hwmon", "loadavg", "meminfo", "pressure", "stat", "time", "timex", "uname", "vmstat"];

    /// <summary>
    /// Adds a node exporter that measures this host. If containers do not see the host, as with Docker Desktop, it is
    /// left out at the start.
    /// </summary>
    /// <remarks>This version defaults to the <inheritdoc cref="NodeExporterContainerImageTags.Tag"/> tag of the
    /// <inheritdoc cref="NodeExporterContainerImageTags.Image"/> container image.</remarks>
    /// <param name="builder">The <see cref="IDistributedApplicationBuilder"/>.</param>
    /// <param name="name">The name of the resource.</param>
    /// <param name="port">The host port; a random one unless given.</param>
    /// <returns>The <see cref="IResourceBuilder{T}"/>.</returns>
    public static IResourceBuilder<NodeExporterResource> AddNodeExporter(this IDistributedApplicationBuilder builder, [ResourceName] string name, int? port = null)
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentNullException.ThrowIfNull(name);

        var resource = builder.AddResource(new NodeExporterResource(name))
            .WithImage(NodeExporterContainerImageTags.Image, NodeExporterContainerImageTags.Tag)
            .WithImageRegistry(NodeExporterContainerImageTags.Registry)
            .WithHttpEndpoint(port: port, targetPort: 9100, name: NodeExporterResource.PrimaryEndpointName)
            .WithUrlForEndpoint(NodeExporterResource.PrimaryEndpointName, url => url.DisplayText = "Node exporter")
            .WithIconName("Server")
            .WithHttpHealthCheck("/")
            .WithComposeHttpHealthcheck(9100, "/")
            .WithArgs(
                $"--path.rootfs={HostDirectory}",
                $"--path.procfs={HostDirectory}/proc",
                $"--path.sysfs={HostDirectory}/sys",
                "--collector.disable-defaults",
                // Disks that hold something, an engine's folders and volumes among them; not what each container and
                // the system mount for themselves.
                "--collector.filesystem.mount-points-exclude=^/(dev|proc|sys|run|var/lib/(docker|containers/storage|containerd|kubelet)/[^/]+/.+)($|/)",
                "--collector.diskstats.device-exclude=^(z?ram|loop|fd|(h|s|v|xv)d[a-z]|nvme\\d+n\\d+p)\\d+$",
                "--web.disable-exporter-metrics")
            .WithArgs([.. s_collectors.Select(collector => $"--collector.{collector}")])
            .WithAnnotation(new PublishedNetworksAnnotation(PublishedNetworksAnnotation.Exporters))
            .WithAnnotation(new PublishedConfinementAnnotation(PublishedConfinementAnnotation.Nobody, Memory: "128m", Cpus: "0.5", Pids: 100));

        return builder.ExecutionContext.IsRunMode
            ? resource.WithHostFacts((facts, logger) => MountHost(resource, facts, logger))
            : resource.WithAnnotation(new PublishedMountsAnnotation([("/", HostDirectory)]));
    }

    private static void MountHost(IResourceBuilder<NodeExporterResource> builder, HostFacts facts, ILogger logger)
    {
        if (facts.SharesThisMachine)
        {
            builder.WithBindMount("/", HostDirectory, isReadOnly: true);
            return;
        }

        builder.ApplicationBuilder.Resources.Remove(builder.Resource);
        logger.LogInformation("'{Resource}' is left out: containers of this engine see a virtual machine or another machine, not this one.", builder.Resource.Name);
    }
}
