using Hazumu.Hosting.Publishing;

namespace Aspire.Hosting;

/// <summary>Provides extension methods for adding Blackbox exporters to the application model.</summary>
public static class BlackboxExporterBuilderExtensions
{
    private const string ConfigurationDirectory = "/etc/blackbox_exporter";

    /// <summary>Adds a Blackbox exporter.</summary>
    /// <remarks>This version defaults to the <inheritdoc cref="BlackboxExporterContainerImageTags.Tag"/> tag of the
    /// <inheritdoc cref="BlackboxExporterContainerImageTags.Image"/> container image.</remarks>
    /// <param name="builder">The <see cref="IDistributedApplicationBuilder"/>.</param>
    /// <param name="name">The name of the resource.</param>
    /// <param name="port">The host port; a random one unless given.</param>
    /// <returns>The <see cref="IResourceBuilder{T}"/>.</returns>
    public static IResourceBuilder<BlackboxExporterResource> AddBlackboxExporter(this IDistributedApplicationBuilder builder, [ResourceName] string name, int? port = null)
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentNullException.ThrowIfNull(name);

        return builder.AddResource(new BlackboxExporterResource(name))
            .WithImage(BlackboxExporterContainerImageTags.Image, BlackboxExporterContainerImageTags.Tag)
            .WithImageRegistry(BlackboxExporterContainerImageTags.Registry)
            .WithHttpEndpoint(port: port, targetPort: 9115, name: BlackboxExporterResource.PrimaryEndpointName)
            .WithUrlForEndpoint(BlackboxExporterResource.PrimaryEndpointName, url => url.DisplayText = "Recent probes")
            .WithIconName("HeartPulse")
            .WithHttpHealthCheck("/-/healthy")
            .WithComposeHttpHealthcheck(9115, "/-/healthy")
            .WithArgs($"--config.file={ConfigurationDirectory}/config.yml")
            .WithAnnotation(new PublishedConfinementAnnotation(PublishedConfinementAnnotation.Nobody, Memory: "128m", Cpus: "0.5", Pids: 100));
    }

    /// <summary>Mounts the folder that holds <c>config.yml</c>, read-only.</summary>
    /// <param name="builder">The resource builder.</param>
    /// <param name="source">The folder, relative to the AppHost's; the package's own unless given.</param>
    /// <returns>The <see cref="IResourceBuilder{T}"/>.</returns>
    public static IResourceBuilder<BlackboxExporterResource> WithConfiguration(this IResourceBuilder<BlackboxExporterResource> builder, string? source = null) =>
        builder.WithConfigurationFolder("blackbox", source, ConfigurationDirectory);
}
