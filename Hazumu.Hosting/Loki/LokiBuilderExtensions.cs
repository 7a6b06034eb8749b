using Aspire.Hosting.Utils;
using Hazumu.Hosting.Publishing;

namespace Aspire.Hosting;

/// <summary>Provides extension methods for adding Lokis to the application model.</summary>
public static class LokiBuilderExtensions
{
    private const string ConfigurationDirectory = "/etc/loki";
    private const string DataDirectory = "/loki";

    /// <summary>Adds a Loki. A published application has it in a further file.</summary>
    /// <remarks>This version defaults to the <inheritdoc cref="LokiContainerImageTags.Tag"/> tag of the
    /// <inheritdoc cref="LokiContainerImageTags.Image"/> container image.</remarks>
    /// <param name="builder">The <see cref="IDistributedApplicationBuilder"/>.</param>
    /// <param name="name">The name of the resource.</param>
    /// <param name="port">The host port; a random one unless given.</param>
    /// <returns>The <see cref="IResourceBuilder{T}"/>.</returns>
    public static IResourceBuilder<LokiResource> AddLoki(this IDistributedApplicationBuilder builder, [ResourceName] string name, int? port = null)
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentNullException.ThrowIfNull(name);

        var resource = builder.AddResource(new LokiResource(name))
            .WithImage(LokiContainerImageTags.Image, LokiContainerImageTags.Tag)
            .WithImageRegistry(LokiContainerImageTags.Registry)
            .WithHttpEndpoint(port: port, targetPort: 3100, name: LokiResource.PrimaryEndpointName)
            .WithUrlForEndpoint(LokiResource.PrimaryEndpointName, url => url.DisplayText = "Loki")
            .WithIconName("DocumentText")
            .WithHttpHealthCheck("/ready")
            // The image has this one program, which requests /ready itself (3.7 and later).
            .WithComposeHealthcheck("/usr/bin/loki", "-health")
            .WithArgs($"-config.file={ConfigurationDirectory}/loki.yaml", "-config.expand-env=true");

        return builder.ExecutionContext.IsPublishMode
            ? resource
                .WithAnnotation(new PublishedOptionAnnotation(PublishedOptionAnnotation.Logs))
                .WithAnnotation(new PublishedNetworksAnnotation(PublishedNetworksAnnotation.Backend, PublishedNetworksAnnotation.Logs, PublishedNetworksAnnotation.Sources))
                .WithAnnotation(new PublishedConfinementAnnotation("10001:10001", Memory: "1g", Cpus: "1", Pids: 500) { WritesTo = ["/tmp"] })
            : resource;
    }

    /// <summary>Mounts the folder that holds <c>loki.yaml</c>, read-only.</summary>
    /// <param name="builder">The resource builder.</param>
    /// <param name="source">The folder, relative to the AppHost's; the package's own unless given.</param>
    /// <returns>The <see cref="IResourceBuilder{T}"/>.</returns>
    public static IResourceBuilder<LokiResource> WithConfiguration(this IResourceBuilder<LokiResource> builder, string? source = null) =>
        builder.WithConfigurationFolder("loki", source, ConfigurationDirectory);

    /// <summary>Keeps the logs in a named volume.</summary>
    /// <param name="builder">The resource builder.</param>
    /// <param name="name">The volume's exact name; generated from the application's and the resource's name unless
    /// given.</param>
    /// <returns>The <see cref="IResourceBuilder{T}"/>.</returns>
    public static IResourceBuilder<LokiResource> WithDataVolume(this IResourceBuilder<LokiResource> builder, string? name = null)
    {
        ArgumentNullException.ThrowIfNull(builder);

        return builder.WithVolume(name ?? VolumeNameGenerator.Generate(builder, "data"), DataDirectory);
    }

    /// <summary>Sets how long lines are kept.</summary>
    /// <param name="builder">The resource builder.</param>
    /// <param name="settings">The settings.</param>
    /// <returns>The <see cref="IResourceBuilder{T}"/>.</returns>
    public static IResourceBuilder<LokiResource> WithRetention(this IResourceBuilder<LokiResource> builder, LokiOptions settings)
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentNullException.ThrowIfNull(settings);

        return builder.WithEnvironment("LOKI_RETENTION", settings, nameof(settings.Retention), settings.Retention);
    }
}
