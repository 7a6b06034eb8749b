using Hazumu.Hosting.CAdvisor;
using Hazumu.Hosting.Preflight;
using Hazumu.Hosting.Publishing;
using Microsoft.Extensions.Logging;

namespace Aspire.Hosting;

/// <summary>Provides extension methods for adding cAdvisor to the application model.</summary>
public static class CAdvisorBuilderExtensions
{
    /// <summary>Adds a cAdvisor that measures the containers of this host.</summary>
    /// <remarks>This version defaults to the <inheritdoc cref="CAdvisorContainerImageTags.Tag"/> tag of the
    /// <inheritdoc cref="CAdvisorContainerImageTags.Image"/> container image.</remarks>
    /// <param name="builder">The <see cref="IDistributedApplicationBuilder"/>.</param>
    /// <param name="name">The name of the resource.</param>
    /// <param name="port">The host port; a random one unless given.</param>
    /// <returns>The <see cref="IResourceBuilder{T}"/>.</returns>
    public static IResourceBuilder<CAdvisorResource> AddCAdvisor(this IDistributedApplicationBuilder builder, [ResourceName] string name, int? port = null)
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentNullException.ThrowIfNull(name);

        var resource = builder.AddResource(new CAdvisorResource(name))
            .WithImage(CAdvisorContainerImageTags.Image, CAdvisorContainerImageTags.Tag)
            .WithImageRegistry(CAdvisorContainerImageTags.Registry)
            .WithHttpEndpoint(port: port, targetPort: 8080, name: CAdvisorResource.PrimaryEndpointName)
            .WithUrlForEndpoint(CAdvisorResource.PrimaryEndpointName, url => url.DisplayText = "cAdvisor")
            .WithIconName("Gauge")
            .WithHttpHealthCheck("/healthz")
            .WithComposeHttpHealthcheck(8080, "/healthz")
            .WithArgs(CAdvisorArguments.All)
            .WithAnnotation(new NotInChartAnnotation("the kubelet's own cAdvisor"))
            .WithAnnotation(new PublishedNetworksAnnotation(PublishedNetworksAnnotation.Exporters))
            // The engine's socket and the control groups' files are root's.
            .WithAnnotation(new PublishedConfinementAnnotation(PublishedConfinementAnnotation.Root, Memory: "512m", Cpus: "0.5", Pids: 200));

        return builder.ExecutionContext.IsRunMode
            ? resource.WithHostFacts((facts, logger) => MountHost(resource, facts, logger))
            : resource.WithAnnotation(new PublishedMountsAnnotation([.. HostMounts.All.Select(mount => (mount.Source, mount.Target))]));
    }

    /// <summary>Decides whether the container runs privileged; where it does not, it gets the least it needs.</summary>
    /// <param name="builder">The resource builder.</param>
    /// <param name="privileged">Whether the container is privileged.</param>
    /// <returns>The <see cref="IResourceBuilder{T}"/>.</returns>
    public static IResourceBuilder<CAdvisorResource> WithPrivileges(this IResourceBuilder<CAdvisorResource> builder, AutoSwitch privileged)
    {
        ArgumentNullException.ThrowIfNull(builder);

        return builder
            // The engine drops nothing where this is on.
            .WithDevelopmentForm(service => service.Add("privileged", $"${{{HazumuOptions.SectionName}__{nameof(HazumuOptions.CAdvisor)}__{nameof(CAdvisorOptions.Privileged)}:-true}}"))
            .WithHostFacts((facts, logger) =>
            {
                var isPrivileged = privileged is AutoSwitch.True || (privileged is AutoSwitch.Auto && facts.AllowsPrivileged);
                if (privileged is AutoSwitch.Auto && !isPrivileged)
                {
                    logger.LogInformation("'{Resource}' runs without privileges, because this kernel withholds CAP_SYS_RESOURCE from privileged containers.", builder.Resource.Name);
                }

                builder.WithContainerRuntimeArgs(isPrivileged ? ["--privileged"] : CAdvisorArguments.LeastPrivileges);
            });
    }

    private static void MountHost(IResourceBuilder<CAdvisorResource> builder, HostFacts facts, ILogger logger)
    {
        var mounts = HostMounts.For(facts, Path.Exists);
        foreach (var mount in mounts)
        {
            builder.WithBindMount(mount.Source, mount.Target, isReadOnly: true);
        }

        if (facts.IsRootless)
        {
            logger.LogWarning("'{Resource}' cannot see the containers of an engine that runs without root; therefore missing: CPU, memory, network and disk metrics of containers.", builder.Resource.Name);
        }

        var missing = HostMounts.All.Except(mounts).ToList();
        if (missing.Count > 0)
        {
            logger.LogWarning(
                "'{Resource}' runs without {Paths} of the host, which do not exist on this machine; therefore missing: {Metrics}.",
                builder.Resource.Name,
                string.Join(", ", missing.Select(mount => mount.Source)),
                string.Join(", ", missing.Select(mount => mount.Provides).Distinct()));
        }
    }
}
