using Hazumu.Hosting.Containers;
using Hazumu.Hosting.Preflight;
using Hazumu.Hosting.Publishing;

namespace Aspire.Hosting;

/// <summary>Provides extension methods for adding vLLM to the application model.</summary>
public static class VllmBuilderExtensions
{
    private const int ContainerPort = 8000;

    // Outside the image's own folders, so that a read-only container finds everything that it writes in the volume.
    private const string Home = "/var/lib/vllm";

    /// <summary>Adds vLLM, which serves one model of Hugging Face. It needs an NVIDIA GPU.</summary>
    /// <remarks>This version defaults to the <inheritdoc cref="VllmContainerImageTags.Tag"/> tag of the <inheritdoc cref="VllmContainerImageTags.Image"/> container image.</remarks>
    /// <param name="builder">The <see cref="IDistributedApplicationBuilder"/>.</param>
    /// <param name="name">The name of the resource.</param>
    /// <param name="port">The host port; a random one unless given.</param>
    /// <returns>The <see cref="IResourceBuilder{T}"/>.</returns>
    public static IResourceBuilder<VllmResource> AddVllm(this IDistributedApplicationBuilder builder, [ResourceName] string name, int? port = null)
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentNullException.ThrowIfNull(name);

        var vllm = builder.AddResource(new VllmResource(name))
            .WithImage(VllmContainerImageTags.Image, VllmContainerImageTags.Tag)
            .WithImageRegistry(VllmContainerImageTags.Registry)
            .WithHttpEndpoint(port: port, targetPort: ContainerPort, name: VllmResource.PrimaryEndpointName)
            .WithUrlForEndpoint(VllmResource.PrimaryEndpointName, url => url.DisplayText = "OpenAI's API")
            .WithIconName("BrainCircuit")
            .WithAnnotation(new EngineAnnotation(EngineKind.Vllm))
            // Answers when the model is loaded, which takes minutes the first time.
            .WithHttpHealthCheck("/health")
            // The first start downloads the model.
            .WithAnnotation(new ComposeHealthcheckAnnotation(["curl", "--noproxy", "*", "-fsS", "-o", "/dev/null", $"http://127.0.0.1:{ContainerPort}/health"]) { StartPeriod = "30m" })
            .WithEnvironment("HOME", Home)
            .WithEnvironment("HF_HOME", $"{Home}/huggingface")
            // Requests on this port are not counted elsewhere.
            .WithEnvironment("VLLM_NO_USAGE_STATS", "1");

        return builder.ExecutionContext.IsRunMode ? vllm : vllm
            .WithAnnotation(new PublishedOptionAnnotation(PublishedOptionAnnotation.HuggingFace))
            // The image is made for root, who owns the volume; the model decides what is enough memory.
            .WithAnnotation(new PublishedConfinementAnnotation(PublishedConfinementAnnotation.Root, Memory: "0", Cpus: "0", Pids: 8192) { WritesTo = ["/tmp"] });
    }

    /// <summary>Keeps what is downloaded and compiled in a named volume.</summary>
    /// <param name="builder">The resource builder.</param>
    /// <param name="name">The volume's exact name; generated from the application's and the resource's name unless given.</param>
    /// <returns>The <see cref="IResourceBuilder{T}"/>.</returns>
    public static IResourceBuilder<VllmResource> WithDataVolume(this IResourceBuilder<VllmResource> builder, string? name = null)
    {
        ArgumentNullException.ThrowIfNull(builder);

        return builder.WithVolume(name ?? VolumeNameGenerator.Generate(builder, "data"), Home);
    }

    /// <summary>Sets the model, how many requests are answered at the same time, and the token that downloads are made with.</summary>
    /// <param name="builder">The resource builder.</param>
    /// <param name="settings">The settings.</param>
    /// <returns>The <see cref="IResourceBuilder{T}"/>.</returns>
    /// <exception cref="StartupProblemException">The token's file is not there.</exception>
    public static IResourceBuilder<VllmResource> WithModel(this IResourceBuilder<VllmResource> builder, VllmOptions settings)
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentNullException.ThrowIfNull(settings);

        if (settings.Enabled && builder.ApplicationBuilder.ExecutionContext.IsRunMode)
        {
            StartupProblemException.ThrowIfAny([.. settings.FindMissingFiles(builder.ApplicationBuilder.AppHostDirectory, (nameof(settings.TokenFile), settings.TokenFile))]);
        }

        const string Token = "huggingface_token";
        return builder
            .WithArgument("--model=", settings, nameof(settings.Model), settings.Model)
            .WithArgument("--tensor-parallel-size=", settings, nameof(settings.TensorParallel), settings.TensorParallel)
            .WithArgument("--max-num-seqs=", settings, nameof(settings.Parallel), settings.Parallel)
            // An empty file means no token, as in a published application without one.
            .WithEnvironment("HF_TOKEN_PATH", $"{PublishedSecretAnnotation.Directory}/{Token}")
            .WithSecretFile(Token, settings, nameof(settings.TokenFile), settings.TokenFile);
    }

    /// <summary>Gives vLLM NVIDIA's GPUs, and the shared memory that several of them exchange data by.</summary>
    /// <param name="builder">The resource builder.</param>
    /// <param name="settings">The settings.</param>
    /// <returns>The <see cref="IResourceBuilder{T}"/>.</returns>
    /// <remarks>Decided before anything starts: without a GPU for containers a sentence says what is missing.</remarks>
    public static IResourceBuilder<VllmResource> WithGpus(this IResourceBuilder<VllmResource> builder, VllmOptions settings)
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentNullException.ThrowIfNull(settings);

        const string SharedMemory = "8g";
        var devices = GpuDevices.Read(settings.Gpus).SingleOrDefault();
        return builder
            .WithComposeForm(PublishedOptionAnnotation.HuggingFace, (service, _) =>
            {
                service.ReserveNvidia(devices?.Names);
                service.Add("shm_size", ComposeFiles.Quoted(SharedMemory));
            })
            .WithHostFacts((facts, _) =>
            {
                if (!facts.EngineOffersNvidia)
                {
                    throw new StartupProblemException(
                        "Hazumu:Vllm:Enabled is 'true', but the container engine has no NVIDIA runtime; install the NVIDIA Container Toolkit (https://docs.nvidia.com/datacenter/cloud-native/container-toolkit/) or set Hazumu:Vllm:Enabled to false.");
                }

                builder.WithContainerRuntimeArgs([.. GpuDevices.NvidiaArguments(builder.ApplicationBuilder.Configuration, devices), "--shm-size", SharedMemory]);
            });
    }
}
