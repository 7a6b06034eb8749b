using Aspire.Hosting.Utils;
using Hazumu.Hosting.Alloy;
using Hazumu.Hosting.Preflight;
using Hazumu.Hosting.Publishing;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Aspire.Hosting;

/// <summary>Provides extension methods for adding Grafana Alloys to the application model.</summary>
public static class AlloyBuilderExtensions
{
    private const int ContainerPort = 12345;
    private const string ConfigurationDirectory = "/etc/alloy";
    private const string DataDirectory = "/var/lib/alloy";
    private const string LogsDirectory = "/var/log/hazumu";
    private const string Network = "HAZUMU_NETWORK";

    // The path at which Alloy's configuration expects the engine's socket.
    private const string Socket = "/var/run/docker.sock";

    // The image has neither wget nor curl, but bash.
    private const string Ready = "exec 3<>/dev/tcp/127.0.0.1/12345 && printf 'GET /-/ready HTTP/1.0\\r\\n\\r\\n' >&3 && read -r answer <&3 && [[ $$answer == *' 200 '* ]]";

    /// <summary>Adds a Grafana Alloy that collects logs. A published application has it in a further file.</summary>
    /// <remarks>This version defaults to the <inheritdoc cref="AlloyContainerImageTags.Tag"/> tag of the
    /// <inheritdoc cref="AlloyContainerImageTags.Image"/> container image.</remarks>
    /// <param name="builder">The <see cref="IDistributedApplicationBuilder"/>.</param>
    /// <param name="name">The name of the resource.</param>
    /// <param name="port">The host port; a random one unless given.</param>
    /// <returns>The <see cref="IResourceBuilder{T}"/>.</returns>
    public static IResourceBuilder<AlloyResource> AddAlloy(this IDistributedApplicationBuilder builder, [ResourceName] string name, int? port = null)
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentNullException.ThrowIfNull(name);

        var resource = builder.AddResource(new AlloyResource(name))
            .WithImage(AlloyContainerImageTags.Image, AlloyContainerImageTags.Tag)
            .WithImageRegistry(AlloyContainerImageTags.Registry)
            .WithHttpEndpoint(port: port, targetPort: ContainerPort, name: AlloyResource.PrimaryEndpointName)
            .WithUrlForEndpoint(AlloyResource.PrimaryEndpointName, url => url.DisplayText = "Alloy")
            .WithIconName("DocumentArrowRight")
            .WithHttpHealthCheck("/-/ready")
            .WithComposeHealthcheck("bash", "-c", Ready)
            .WithArgs(
                "run",
                $"{ConfigurationDirectory}/config.alloy",
                $"--server.http.listen-addr=0.0.0.0:{ContainerPort}",
                $"--storage.path={DataDirectory}/data",
                // Nothing is sent to grafana.com: the host is meant for machines without internet too.
                "--disable-reporting");

        return builder.ExecutionContext.IsPublishMode
            ? resource
                .WithAnnotation(new PublishedOptionAnnotation(PublishedOptionAnnotation.Logs))
                // Its port answers reloads, profiles and its configuration to anybody: only Prometheus and Loki share a
                // network with it.
                .WithAnnotation(new PublishedNetworksAnnotation(PublishedNetworksAnnotation.Logs))
                // The engine's socket is root's. The image's data folder is of group 473 with mode 770: root without
                // capabilities needs the group.
                .WithAnnotation(new PublishedConfinementAnnotation("0:473", Memory: "512m", Cpus: "0.5", Pids: 500) { WritesTo = ["/tmp"] })
            : resource;
    }

    /// <summary>Mounts the folder that holds <c>config.alloy</c>, read-only.</summary>
    /// <param name="builder">The resource builder.</param>
    /// <param name="source">The folder, relative to the AppHost's; the package's own unless given.</param>
    /// <returns>The <see cref="IResourceBuilder{T}"/>.</returns>
    public static IResourceBuilder<AlloyResource> WithConfiguration(this IResourceBuilder<AlloyResource> builder, string? source = null) =>
        builder.WithConfigurationFolder("alloy", source, ConfigurationDirectory);

    /// <summary>
    /// Keeps how far each log was read in a named volume: without it, every log is read again after a restart and its
    /// lines are kept twice.
    /// </summary>
    /// <param name="builder">The resource builder.</param>
    /// <param name="name">The volume's exact name; generated from the application's and the resource's name unless
    /// given.</param>
    /// <returns>The <see cref="IResourceBuilder{T}"/>.</returns>
    public static IResourceBuilder<AlloyResource> WithDataVolume(this IResourceBuilder<AlloyResource> builder, string? name = null)
    {
        ArgumentNullException.ThrowIfNull(builder);

        return builder.WithVolume(name ?? VolumeNameGenerator.Generate(builder, "data"), DataDirectory);
    }

    /// <summary>
    /// Collects the logs of a graph's containers, by the engine's socket: a process that reaches it, even mounted
    /// read-only, controls the engine.
    /// </summary>
    /// <param name="builder">The resource builder.</param>
    /// <param name="network">The graph's network, which distinguishes its containers from others of the engine.</param>
    /// <returns>The <see cref="IResourceBuilder{T}"/>.</returns>
    public static IResourceBuilder<AlloyResource> WithLogsOf(this IResourceBuilder<AlloyResource> builder, string network)
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentException.ThrowIfNullOrEmpty(network);

        return builder.ApplicationBuilder.ExecutionContext.IsPublishMode
            // In the chart pods are found by their release.
            ? builder.WithComposeEnvironment(Network, network).WithAnnotation(new PublishedMountsAnnotation([(Socket, Socket)]))
            : builder.WithEnvironment(Network, network).WithHostFacts((facts, logger) => MountSocket(builder, facts, logger));
    }

    /// <summary>
    /// Collects the log of a project, which is a process of this machine. A container, as a project is in a published
    /// application, needs no call.
    /// </summary>
    /// <param name="builder">The resource builder.</param>
    /// <param name="project">The project.</param>
    /// <returns>The <see cref="IResourceBuilder{T}"/>.</returns>
    public static IResourceBuilder<AlloyResource> WithLogsOf(this IResourceBuilder<AlloyResource> builder, IResourceBuilder<IResource> project)
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentNullException.ThrowIfNull(project);

        if (builder.ApplicationBuilder.ExecutionContext.IsPublishMode || project.Resource.IsContainer())
        {
            return builder;
        }

        var log = new ProjectLog(project.Resource);
        builder.ApplicationBuilder.Services.AddSingleton<IHostedService>(services => ActivatorUtilities.CreateInstance<ProjectLogCopy>(services, log));
        return builder
            .WithReferenceRelationship(project.Resource)
            .WithHostFacts((_, _) =>
            {
                if (builder.ApplicationBuilder.Resources.Contains(project.Resource))
                {
                    // Alloy keeps a position by path: the file of another start must have another one.
                    var folder = log.MakeFolder();
                    builder.WithBindMount(folder, $"{LogsDirectory}/{Path.GetFileName(folder)}", isReadOnly: true);
                }
            });
    }

    /// <summary>Sends what is collected to a Loki.</summary>
    /// <param name="builder">The resource builder.</param>
    /// <param name="loki">The Loki.</param>
    /// <returns>The <see cref="IResourceBuilder{T}"/>.</returns>
    public static IResourceBuilder<AlloyResource> WithLoki(this IResourceBuilder<AlloyResource> builder, IResourceBuilder<IResourceWithEndpoints> loki)
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentNullException.ThrowIfNull(loki);

        return builder
            .WithReferenceRelationship(loki.Resource)
            .WithEnvironment("LOKI_URL", loki.GetEndpoint("http"));
    }

    private static void MountSocket(IResourceBuilder<AlloyResource> builder, HostFacts facts, ILogger logger)
    {
        var socket = EngineSockets(facts, builder.ApplicationBuilder.Configuration).FirstOrDefault(path => !facts.SharesThisMachine || File.Exists(path));
        if (socket is not null)
        {
            builder.WithBindMount(socket, Socket, isReadOnly: true);
            return;
        }

        logger.LogWarning("'{Resource}' runs without the container engine's socket, which is not at its usual path; therefore missing: the logs of containers. Set DOCKER_HOST (unix://…) to the socket.", builder.Resource.Name);
    }

    private static IEnumerable<string> EngineSockets(HostFacts facts, ConfigurationManager configuration)
    {
        const string Scheme = "unix://";
        if (facts.SharesThisMachine)
        {
            if (configuration["DOCKER_HOST"] is { } host && host.StartsWith(Scheme, StringComparison.Ordinal))
            {
                yield return host[Scheme.Length..];
            }

            if (facts.IsRootless && configuration["XDG_RUNTIME_DIR"] is { } own)
            {
                yield return $"{own}/docker.sock";
                yield return $"{own}/podman/podman.sock";
            }
        }

        // Docker Desktop hands this path through to its virtual machine on every system; Podman's is elsewhere.
        yield return Socket;
        yield return "/run/podman/podman.sock";
    }
}
