using Hazumu.Hosting.Containers;
using Hazumu.Hosting.LlamaServer;
using Hazumu.Hosting.Preflight;
using Hazumu.Hosting.Publishing;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using YamlDotNet.RepresentationModel;

namespace Aspire.Hosting;

/// <summary>Provides extension methods for adding llama.cpp's server to the application model.</summary>
public static class LlamaServerBuilderExtensions
{
    private const int ContainerPort = 8080;
    private const string ModelsDirectory = "/models";
    private const string Health = "http://127.0.0.1:8080/health";

    /// <summary>Adds llama.cpp's server, which serves one model; give it one by <see cref="WithModelFile"/> or <see cref="WithTestModel"/>.</summary>
    /// <remarks>This version defaults to the <inheritdoc cref="LlamaServerContainerImageTags.Tag"/> tag of the <inheritdoc cref="LlamaServerContainerImageTags.Image"/> container image.</remarks>
    /// <param name="builder">The <see cref="IDistributedApplicationBuilder"/>.</param>
    /// <param name="name">The name of the resource.</param>
    /// <param name="port">The host port; a random one unless given.</param>
    /// <returns>The <see cref="IResourceBuilder{T}"/>.</returns>
    public static IResourceBuilder<LlamaServerResource> AddLlamaServer(this IDistributedApplicationBuilder builder, [ResourceName] string name, int? port = null)
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentNullException.ThrowIfNull(name);

        var server = builder.AddResource(new LlamaServerResource(name))
            .WithImage(LlamaServerContainerImageTags.Image, LlamaServerContainerImageTags.Tag)
            .WithImageRegistry(LlamaServerContainerImageTags.Registry)
            .WithHttpEndpoint(port: port, targetPort: ContainerPort, name: LlamaServerResource.PrimaryEndpointName)
            .WithUrlForEndpoint(LlamaServerResource.PrimaryEndpointName, url => url.DisplayText = "OpenAI's and Anthropic's APIs")
            .WithIconName("BrainCircuit")
            .WithAnnotation(new EngineAnnotation(EngineKind.LlamaServer))
            // 503 until the model is loaded.
            .WithHttpHealthCheck("/health")
            // Upstream's image has curl, Debian's wget. A large model takes minutes to load from a slow disk.
            .WithAnnotation(new ComposeHealthcheckAnnotation(["sh", "-c", $"curl --noproxy '*' -fsS {Health} > /dev/null || wget -Y off -q -O /dev/null {Health}"]) { StartPeriod = "10m" })
            // Debian's program listens on another port of loopback.
            .WithArgs("--host", "0.0.0.0", "--port", ComponentOptions.Format(ContainerPort), "--metrics", "--no-webui", "--offline");

        return builder.ExecutionContext.IsRunMode ? server : server
            .WithAnnotation(new PublishedOptionAnnotation(PublishedOptionAnnotation.ModelFile))
            // The model decides what is enough memory, and it takes every processor there is.
            .WithAnnotation(new PublishedConfinementAnnotation(PublishedConfinementAnnotation.Nobody, Memory: "0", Cpus: "0", Pids: 1000) { WritesTo = ["/tmp"] });
    }

    /// <summary>Adds a llama-server for each model file: <c>llamaserver</c>, <c>llamaserver-2</c>, …; one with the test model where there is no file.</summary>
    /// <param name="builder">The <see cref="IDistributedApplicationBuilder"/>.</param>
    /// <param name="name">The name of the first one.</param>
    /// <param name="settings">The instances' settings.</param>
    /// <param name="models">The models to have ready; those that are no files are left to others.</param>
    /// <param name="configure">Completes each of them.</param>
    /// <returns>The resource builders, the first one first.</returns>
    /// <exception cref="StartupProblemException">A file cannot be read, or is no GGUF file.</exception>
    public static IReadOnlyList<IResourceBuilder<LlamaServerResource>> AddLlamaServerInstances(this IDistributedApplicationBuilder builder, [ResourceName] string name, LlamaServerOptions settings, IEnumerable<string> models, Action<IResourceBuilder<LlamaServerResource>> configure)
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentNullException.ThrowIfNull(name);
        ArgumentNullException.ThrowIfNull(settings);
        ArgumentNullException.ThrowIfNull(models);
        ArgumentNullException.ThrowIfNull(configure);

        // A published application takes the file of the server that it runs on.
        List<string> files = builder.ExecutionContext.IsRunMode && settings.Enabled ? [.. models.Where(ModelFile.IsPath)] : [];
        var instances = InstancePorts.Choose(builder, name, settings, Math.Max(1, files.Count))
            .Select((instance, index) => builder.AddLlamaServer(instance.Name, instance.Port) is var server && index < files.Count
                ? server.WithModelFile(files[index])
                : server.WithTestModel())
            .ToList();
        instances.ForEach(configure);
        return instances;
    }

    /// <summary>Serves the model of a GGUF file, which is mounted read-only.</summary>
    /// <param name="builder">The resource builder.</param>
    /// <param name="path">The file, relative to the AppHost's folder.</param>
    /// <param name="name">The name by which clients request it; the file's name without its ending unless given.</param>
    /// <returns>The <see cref="IResourceBuilder{T}"/>.</returns>
    /// <exception cref="StartupProblemException">The file cannot be read, or is no GGUF file.</exception>
    public static IResourceBuilder<LlamaServerResource> WithModelFile(this IResourceBuilder<LlamaServerResource> builder, string path, string? name = null)
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentException.ThrowIfNullOrEmpty(path);

        var model = ModelFile.Find(path, builder.ApplicationBuilder.AppHostDirectory);
        foreach (var part in model.Parts)
        {
            builder.WithBindMount(part, Target(part), isReadOnly: true);
        }

        // Of a model of several files it takes the first, and finds the others beside it.
        return builder.WithModel(Target(model.Path), name ?? model.Name);

        static string Target(string file) => $"{ModelsDirectory}/{Path.GetFileName(file)}";
    }

    /// <summary>
    /// Serves <see cref="TinyModel"/>, whose words mean nothing, by the name <c>tiny</c>. In a published application the variables
    /// <c>MODEL_FILE</c> and <c>MODEL_NAME</c> put a file and its name in its place.
    /// </summary>
    /// <param name="builder">The resource builder.</param>
    /// <returns>The <see cref="IResourceBuilder{T}"/>.</returns>
    public static IResourceBuilder<LlamaServerResource> WithTestModel(this IResourceBuilder<LlamaServerResource> builder)
    {
        ArgumentNullException.ThrowIfNull(builder);

        const string Target = $"{ModelsDirectory}/{TinyModel.FileName}";
        if (builder.ApplicationBuilder.ExecutionContext.IsPublishMode)
        {
            const string Published = $"{ModelsDirectory}/model.gguf";
            return builder
                .WithModel(Published, $"${{MODEL_NAME:-{TinyModel.Name}}}")
                .WithAnnotation(new PublishedBinaryAnnotation(TinyModel.FileName, TinyModel.File))
                .WithComposeForm(PublishedOptionAnnotation.ModelFile, (service, _) =>
                {
                    var mount = ComposeService.Mount("bind", $"${{MODEL_FILE:-./{TinyModel.FileName}}}", Published, isReadOnly: true);
                    // The engine would create a folder of this name.
                    mount.Add("bind", new YamlMappingNode("create_host_path", "false"));
                    service.SequenceAt("volumes").Add(mount);
                });
        }

        return builder
            .WithHostFacts((_, logger) => logger.LogInformation(
                "'{Resource}' serves the test model '{Model}', whose output is meaningless: set Hazumu:Models to the path of a GGUF file for a model of your own.", builder.Resource.Name, TinyModel.Name))
            .WithModel(Target, TinyModel.Name)
            // The test model's output is meaningless: a longer one would only cost time.
            .WithEnvironment("LLAMA_ARG_N_PREDICT", "128")
            .WithContainerFiles(ModelsDirectory, (context, _) =>
            {
                using var file = new MemoryStream(TinyModel.File);
                var path = context.Services.GetRequiredService<IAspireStore>().GetFileNameWithContent(TinyModel.FileName, file);
                return Task.FromResult<IEnumerable<ContainerFileSystemItem>>([new ContainerFile { Name = TinyModel.FileName, SourcePath = path }]);
            });
    }

    // By variables, which a published application can replace one by one.
    private static IResourceBuilder<LlamaServerResource> WithModel(this IResourceBuilder<LlamaServerResource> builder, string file, string name) => builder
        .WithEnvironment("LLAMA_ARG_MODEL", file)
        .WithEnvironment("LLAMA_ARG_ALIAS", name);

    /// <summary>Sets how many requests it answers at the same time, and how much context they share.</summary>
    /// <param name="builder">The resource builder.</param>
    /// <param name="settings">The instance's settings.</param>
    /// <returns>The <see cref="IResourceBuilder{T}"/>.</returns>
    public static IResourceBuilder<LlamaServerResource> WithSlots(this IResourceBuilder<LlamaServerResource> builder, LlamaServerOptions settings)
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentNullException.ThrowIfNull(settings);

        return builder
            .WithEnvironment("LLAMA_ARG_N_PARALLEL", settings, nameof(settings.Parallel), settings.Parallel)
            .WithEnvironment("LLAMA_ARG_CTX_SIZE", settings, nameof(settings.ContextLength), settings.ContextLength);
    }
}
