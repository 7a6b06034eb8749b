using Hazumu.Hosting.Ollama;
using Hazumu.Hosting.Preflight;
using Hazumu.Hosting.Publishing;
using Microsoft.Extensions.Logging;
using YamlDotNet.RepresentationModel;

namespace Aspire.Hosting;

/// <summary>Provides extension methods that complete the Toolkit's Ollama resource.</summary>
public static class OllamaBuilderExtensions
{
    /// <summary>
    /// Adds as many Ollama instances as the settings ask for: <c>ollama</c>, <c>ollama-2</c>, …, each with a port and a
    /// volume of its own.
    /// </summary>
    /// <param name="builder">The <see cref="IDistributedApplicationBuilder"/>.</param>
    /// <param name="name">The name of the first one.</param>
    /// <param name="settings">The instances' settings.</param>
    /// <param name="configure">Completes each of them, when all are in the application model.</param>
    /// <returns>The resource builders, the first one first.</returns>
    public static IReadOnlyList<IResourceBuilder<OllamaResource>> AddOllamaInstances(this IDistributedApplicationBuilder builder, [ResourceName] string name, OllamaOptions settings, Action<IResourceBuilder<OllamaResource>> configure)
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentNullException.ThrowIfNull(name);
        ArgumentNullException.ThrowIfNull(settings);
        ArgumentNullException.ThrowIfNull(configure);

        // A published application must not depend on what runs on the machine that published it.
        Func<int, bool> isTaken = builder.ExecutionContext.IsRunMode && settings.Enabled
            ? InstancePorts.OnThisMachine(settings.Host, builder.Configuration)
            : _ => false;

        var instances = InstancePorts.Choose(settings, isTaken)
            .Select((port, index) => builder
                .AddOllama(index == 0 ? name : $"{name}-{index + 1}", port)
                .WithModelVolume(index == 0 ? settings.Volume : $"{settings.Volume}_{index + 1}"))
            .ToList();
        instances.ForEach(configure);
        return instances;
    }

    /// <summary>Sets how many requests Ollama answers at the same time with one model.</summary>
    /// <param name="builder">The resource builder.</param>
    /// <param name="settings">The instance's settings.</param>
    /// <returns>The <see cref="IResourceBuilder{T}"/>.</returns>
    public static IResourceBuilder<OllamaResource> WithParallel(this IResourceBuilder<OllamaResource> builder, OllamaOptions settings)
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentNullException.ThrowIfNull(settings);

        return builder.WithEnvironment("OLLAMA_NUM_PARALLEL", settings, nameof(settings.Parallel), settings.Parallel);
    }

    /// <summary>Gives Ollama the GPU that the setting names, or one that the host offers.</summary>
    /// <param name="builder">The resource builder.</param>
    /// <param name="mode">The setting.</param>
    /// <returns>The <see cref="IResourceBuilder{T}"/>.</returns>
    /// <remarks>Decided before anything starts; a demanded GPU that is not there stops the start with a sentence. In a
    /// published application the choice is the override file's.</remarks>
    public static IResourceBuilder<OllamaResource> WithGpu(this IResourceBuilder<OllamaResource> builder, GpuMode mode)
    {
        ArgumentNullException.ThrowIfNull(builder);

        return builder.WithHostFacts((facts, logger) =>
        {
            var choice = GpuChoice.Make(mode, facts);
            if (choice.Vendor is { } vendor)
            {
                var image = builder.Resource.Annotations.OfType<ContainerImageAnnotation>().Last();
                var tag = image.Tag;
                builder.WithGPUSupport(vendor);
                if (SettingsAnnotation.Of(builder.Resource)?.Image is not null)
                {
                    // The Toolkit appends -rocm to whatever tag there is; an image that the user named is the user's.
                    image.Tag = tag;
                }
            }

            logger.LogInformation("GPU for '{Resource}': {Gpu}, because {Reason}.", builder.Resource.Name, choice.Vendor?.ToString() ?? "none (CPU only)", choice.Reason);
        });
    }

    /// <summary>
    /// Adds a resource for each model that is to be ready; it is pulled where Ollama does not have it, and the
    /// dashboard shows the progress.
    /// </summary>
    /// <param name="builder">The resource builder.</param>
    /// <param name="models">Model names; a name without a tag means <c>:latest</c>.</param>
    /// <returns>The <see cref="IResourceBuilder{T}"/>.</returns>
    public static IResourceBuilder<OllamaResource> WithModels(this IResourceBuilder<OllamaResource> builder, IEnumerable<string> models)
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentNullException.ThrowIfNull(models);

        if (builder.ApplicationBuilder.Resources.Contains(builder.Resource))
        {
            foreach (var model in models.Select(OllamaModelName.Normalize).Distinct(StringComparer.OrdinalIgnoreCase))
            {
                var name = OllamaModelName.ToResourceName(builder.Resource.Name, model, name => builder.ApplicationBuilder.Resources.Any(resource => resource.Name.Equals(name, StringComparison.OrdinalIgnoreCase)));
                builder.AddModel(name, model).WithIconName("BrainCircuit");
            }
        }

        return builder;
    }

    /// <summary>
    /// Pins the engine's version and adds what people who run it look for: a named address, commands to pull and to
    /// unload a model, a health check for Compose.
    /// </summary>
    /// <param name="builder">The resource builder.</param>
    /// <returns>The <see cref="IResourceBuilder{T}"/>.</returns>
    public static IResourceBuilder<OllamaResource> WithOperations(this IResourceBuilder<OllamaResource> builder)
    {
        ArgumentNullException.ThrowIfNull(builder);

        return builder
            .WithImageTag(OllamaContainerImageTags.Tag)
            .WithIconName("BrainCircuit")
            .WithUrlForEndpoint("http", url => url.DisplayText = "Ollama API")
            .WithComposeHealthcheck("ollama", "list")
            .WithModelCommands();
    }

    // A published container's user is none that may look into /root, where the image has its folder.
    private static IResourceBuilder<OllamaResource> WithModelVolume(this IResourceBuilder<OllamaResource> builder, string name)
    {
        const string Home = "/var/lib/ollama";
        // The Toolkit's WithGPUSupport(AMD) appends the same suffix in run mode.
        var rocm = new PublishedVariantAnnotation("rocm");
        return builder.ApplicationBuilder.ExecutionContext.IsRunMode
            ? builder.WithDataVolume(name)
            : builder
                .WithVolume(name, $"{Home}/.ollama")
                .WithComposeEnvironment("HOME", Home)
                // Prompts stay on this machine.
                .WithComposeEnvironment("OLLAMA_NO_CLOUD", "1")
                // The models decide what is enough memory, and they take every processor there is.
                .WithAnnotation(new PublishedConfinementAnnotation("65532:65532", Memory: "0", Cpus: "0", Pids: 4096) { WritesTo = ["/tmp"], TakesVolume = true })
                .WithAnnotation(rocm)
                .WithPublishedGpus((service, services) =>
                {
                    var image = ComposeFiles.Quoted(ComposeVariables.Image(SettingsAnnotation.Of(builder.Resource)!, rocm.ImageOf(builder.Resource)));
                    service.Add("image", image);
                    // It would pull the other image for this alone.
                    services.MappingAt(ComposeProduction.VolumeService(builder.Resource)).Add("image", image);
                    // The volume is another user's.
                    service.Add("cap_add", new YamlSequenceNode(ComposeFiles.Quoted("DAC_OVERRIDE")));
                });
    }
}
