using Hazumu.Hosting.Publishing;

namespace Aspire.Hosting;

/// <summary>Provides extension methods for adding Valkeys to the application model.</summary>
public static class ValkeyBuilderExtensions
{
    private const int Port = 6379;

    // It has one key that is rewritten ten times a second: nothing needs to be saved.
    private const string Arguments = "--save '' --appendonly no --maxmemory 32mb --dir /tmp";

    /// <summary>
    /// Adds a Valkey that keeps nothing, with a password. A published application has it in a further file.
    /// </summary>
    /// <remarks>This version defaults to the <inheritdoc cref="ValkeyContainerImageTags.Tag"/> tag of the
    /// <inheritdoc cref="ValkeyContainerImageTags.Image"/> container image.</remarks>
    /// <param name="builder">The <see cref="IDistributedApplicationBuilder"/>.</param>
    /// <param name="name">The name of the resource.</param>
    /// <param name="port">The host port; a random one unless given.</param>
    /// <returns>The <see cref="IResourceBuilder{T}"/>.</returns>
    public static IResourceBuilder<ValkeyResource> AddValkey(this IDistributedApplicationBuilder builder, [ResourceName] string name, int? port = null)
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentNullException.ThrowIfNull(name);

        var password = new PublishedSecretAnnotation($"{name}_password", $"./secrets/{name}_password");
        return builder.AddResource(new ValkeyResource(name))
            .WithImage(ValkeyContainerImageTags.Image, ValkeyContainerImageTags.Tag)
            .WithImageRegistry(ValkeyContainerImageTags.Registry)
            .WithEndpoint(port: port, targetPort: Port, scheme: "tcp", name: ValkeyResource.PrimaryEndpointName)
            .WithIconName("KeyMultiple")
            .WithEntrypoint("/bin/sh")
            // The settings come by the standard input, so that the password is not among the arguments, which every
            // process of the host can read.
            .WithArgs("-c", $"exec valkey-server - {Arguments} <<END\nrequirepass $(cat {password.Path})\nEND")
            // Without the password the answer is an error, and an answer.
            .WithComposeHealthcheck("valkey-cli", "ping")
            .WithAnnotation(password)
            .WithAnnotation(new PublishedOptionAnnotation(PublishedOptionAnnotation.Cluster))
            .WithAnnotation(new PublishedNetworksAnnotation(PublishedNetworksAnnotation.Cluster))
            .WithAnnotation(new PublishedConfinementAnnotation("999:999", Memory: "64m", Cpus: "0.5", Pids: 50) { WritesTo = ["/tmp"] });
    }
}
