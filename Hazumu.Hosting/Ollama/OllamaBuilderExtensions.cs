using Hazumu.Hosting.Containers;
using Hazumu.Hosting.Ollama;
using Hazumu.Hosting.Preflight;
using Hazumu.Hosting.Publishing;
using Microsoft.Extensions.DependencyInjection;
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

        var gpus = GpuDevices.Read(settings.Gpus);
        if (settings.Enabled && gpus.Count > 0 && gpus.Count != settings.Instances)
        {
            const string Section = $"{HazumuOptions.SectionName}:{nameof(HazumuOptions.Ollama)}";
            throw new StartupProblemException(
                $"'{Section}:{nameof(settings.Gpus)}' is '{settings.Gpus}', the GPUs of {gpus.Count} instances, and '{Section}:{nameof(settings.Instances)}' is {settings.Instances}; name the GPUs of each instance, with ';' between the instances.") { ExitCode = 2 };
        }

        var instances = InstancePorts.Choose(builder, name, settings, settings.Instances)
            .Select((instance, index) => builder
                .AddOllama(instance.Name, instance.Port)
                .WithAnnotation(new EngineAnnotation(EngineKind.Ollama))
                .WithGpus(gpus.ElementAtOrDefault(index))
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

    /// <summary>Sets how Ollama uses memory and whom it talks to: its own variables.</summary>
    /// <param name="builder">The resource builder.</param>
    /// <param name="settings">The instance's settings.</param>
    /// <returns>The <see cref="IResourceBuilder{T}"/>.</returns>
    public static IResourceBuilder<OllamaResource> WithVariables(this IResourceBuilder<OllamaResource> builder, OllamaOptions settings)
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentNullException.ThrowIfNull(settings);

        // Ollama takes 0 and nothing for its own choice, and so it can be set back by a variable of the published application.
        return builder
            .WithEnvironment("OLLAMA_KEEP_ALIVE", settings, nameof(settings.KeepAlive), settings.KeepAlive)
            .WithEnvironment("OLLAMA_CONTEXT_LENGTH", settings, nameof(settings.ContextLength), settings.ContextLength)
            .WithEnvironment("OLLAMA_MAX_LOADED_MODELS", settings, nameof(settings.MaxLoadedModels), settings.MaxLoadedModels)
            .WithEnvironment("OLLAMA_KV_CACHE_TYPE", settings, nameof(settings.KvCacheType), settings.KvCacheType ?? "")
            .WithEnvironment("OLLAMA_FLASH_ATTENTION", settings, nameof(settings.FlashAttention), settings.FlashAttention ?? "")
            .WithEnvironment("OLLAMA_ORIGINS", settings, nameof(settings.Origins), settings.Origins ?? "")
            .WithVariableIfSet("HTTPS_PROXY", settings, nameof(settings.Proxy), settings.Proxy)
            .WithVariableIfSet("NO_PROXY", settings, nameof(settings.NoProxy), settings.NoProxy);
    }

    // An empty one would take the place of the proxy that the engine's client gives to every container.
    private static IResourceBuilder<OllamaResource> WithVariableIfSet(this IResourceBuilder<OllamaResource> builder, string name, OllamaOptions settings, string setting, string? value) =>
        value is null ? builder : builder.WithEnvironment(name, settings, setting, value);

    private static IResourceBuilder<OllamaResource> WithGpus(this IResourceBuilder<OllamaResource> builder, GpuDevices? gpus) => gpus is null ? builder : builder.WithAnnotation(gpus);

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
                if (vendor is OllamaGpuVendor.Nvidia && GpuDevices.Of(builder.Resource) is { } gpus)
                {
                    builder.WithContainerRuntimeArgs(GpuDevices.NvidiaArguments(builder.ApplicationBuilder.Configuration, gpus));
                }
                else
                {
                    builder.WithGPUSupport(vendor);
                }

                if (vendor is OllamaGpuVendor.AMD && GpuDevices.Of(builder.Resource) is { } ofAmd)
                {
                    builder.WithEnvironment(GpuDevices.AmdVariable, ofAmd.List);
                }

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
    /// <param name="models">Model names, of which one without a tag means <c>:latest</c>; and paths of GGUF files, which are imported under the file's name.</param>
    /// <returns>The <see cref="IResourceBuilder{T}"/>.</returns>
    /// <exception cref="StartupProblemException">A file cannot be read, or is no GGUF file.</exception>
    public static IResourceBuilder<OllamaResource> WithModels(this IResourceBuilder<OllamaResource> builder, IEnumerable<string> models)
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentNullException.ThrowIfNull(models);

        if (builder.ApplicationBuilder.Resources.Contains(builder.Resource))
        {
            foreach (var model in models.Where(model => !ModelFile.IsPath(model)).Select(OllamaModelName.Normalize).Distinct(StringComparer.OrdinalIgnoreCase))
            {
                var name = OllamaModelName.ToResourceName(builder.Resource.Name, model, name => builder.ApplicationBuilder.Resources.Any(resource => resource.Name.Equals(name, StringComparison.OrdinalIgnoreCase)));
                builder.AddModel(name, model).WithIconName("BrainCircuit");
            }

            // A published application does not run on this machine, which has the files. Models of several files are llama-server's alone.
            var files = builder.ApplicationBuilder.ExecutionContext.IsRunMode ? models.Where(ModelFile.IsPath) : [];
            foreach (var model in files.Select(path => ModelFile.Find(path, builder.ApplicationBuilder.AppHostDirectory)).Where(model => !model.IsSplit))
            {
                builder.WithModelFile(model);
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

    private static IResourceBuilder<OllamaResource> WithModelFile(this IResourceBuilder<OllamaResource> builder, ModelFile model) => builder.OnResourceReady((ollama, ready, cancellationToken) =>
    {
        var logger = ready.Services.GetRequiredService<ILoggerFactory>().CreateLogger("Hazumu");
        // Not awaited: a large file must not hold up what waits for Ollama itself.
        _ = Task.Run(async () =>
        {
            try
            {
                using var http = await OllamaModelCommands.CreateHttpClientAsync(ollama, cancellationToken);
                await OllamaModelFiles.ImportAsync(http, model, cancellationToken);
                logger.LogInformation("The model {Model} is ready on '{Resource}', imported from {Path}.", model.Name, ollama.Name, model.Path);
            }
            catch (Exception error) when (error is HttpRequestException or IOException)
            {
                logger.LogError("The model {Model} is not ready on '{Resource}': {Reason}", model.Name, ollama.Name, error.Message);
            }
        }, cancellationToken);
        return Task.CompletedTask;
    });

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
                .WithPublishedGpus(GpuDevices.Of(builder.Resource)?.Names, (service, services) =>
                {
                    if (GpuDevices.Of(builder.Resource) is { } gpus)
                    {
                        service.MappingAt("environment").Add(GpuDevices.AmdVariable, ComposeFiles.Quoted(gpus.List));
                    }

                    var image = ComposeFiles.Quoted(ComposeVariables.Image(SettingsAnnotation.Of(builder.Resource)!, rocm.ImageOf(builder.Resource)));
                    service.Add("image", image);
                    // It would pull the other image for this alone.
                    services.MappingAt(ComposeProduction.VolumeService(builder.Resource)).Add("image", image);
                    // The volume is another user's.
                    service.Add("cap_add", new YamlSequenceNode(ComposeFiles.Quoted("DAC_OVERRIDE")));
                });
    }
}
