using Hazumu.Hosting.Preflight;
using Hazumu.Hosting.Publishing;

namespace Aspire.Hosting;

/// <summary>Provides extension methods for adding exporters of GPU metrics to the application model.</summary>
public static class GpuExporterBuilderExtensions
{
    /// <summary>
    /// Adds an exporter for the GPU that Ollama gets: which one is known when the host has been looked at, and where
    /// Ollama gets none the exporter is left out. A published application has it in the file that adds the GPU.
    /// </summary>
    /// <param name="builder">The <see cref="IDistributedApplicationBuilder"/>.</param>
    /// <param name="name">The name of the resource.</param>
    /// <param name="settings">The exporter's settings; the defaults unless given.</param>
    /// <param name="mode">Which GPU Ollama gets.</param>
    /// <returns>The <see cref="IResourceBuilder{T}"/>.</returns>
    public static IResourceBuilder<GpuExporterResource> AddGpuExporter(this IDistributedApplicationBuilder builder, [ResourceName] string name, GpuExporterOptions? settings = null, GpuMode mode = GpuMode.Auto)
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentNullException.ThrowIfNull(name);

        settings ??= new HazumuOptions().GpuExporter;

        var image = GpuExporterImage.For(mode == GpuMode.Amd ? OllamaGpuVendor.AMD : OllamaGpuVendor.Nvidia, settings.Nvidia);
        var resource = builder.AddResource(new GpuExporterResource(name))
            .WithImage(image.Image, image.Tag)
            .WithImageRegistry(image.Registry)
            .WithHttpEndpoint(port: settings.Port, targetPort: image.Port, name: GpuExporterResource.PrimaryEndpointName)
            .WithUrlForEndpoint(GpuExporterResource.PrimaryEndpointName, url => url.DisplayText = "GPU metrics")
            .WithIconName("DeveloperBoard")
            .WithHttpHealthCheck("/metrics")
            .WithAnnotation(new PublishedNetworksAnnotation(PublishedNetworksAnnotation.Exporters))
            .WithAnnotation(new PublishedConfinementAnnotation(PublishedConfinementAnnotation.Nobody, Memory: "256m", Cpus: "0.5", Pids: 200) { WritesTo = ["/tmp"] });

        return builder.ExecutionContext.IsRunMode
            ? resource.WithHostFacts((facts, _) => Apply(resource, settings, mode, facts))
            : resource
                .WithAnnotation(new PublishedOptionAnnotation(PublishedOptionAnnotation.Nvidia))
                .WithAnnotation(new PublishedOptionAnnotation(PublishedOptionAnnotation.Amd, GpuExporterImage.Amd.ToAnnotation(), GpuExporterImage.Amd.Port))
                .WithPublishedGpus()
                .WithAnnotation(new PublishedChoiceAnnotation(
                    Choice("amd", GpuExporterImage.Amd),
                    Choice("dcgm", GpuExporterImage.NvidiaDcgm),
                    Choice("smi", GpuExporterImage.NvidiaSmi)));

        static (string, ContainerImageAnnotation, int) Choice(string key, GpuExporterImage image) => (key, image.ToAnnotation(), image.Port);
    }

    private static void Apply(IResourceBuilder<GpuExporterResource> builder, GpuExporterOptions settings, GpuMode mode, HostFacts facts)
    {
        if (GpuChoice.Make(mode, facts).Vendor is not { } vendor)
        {
            builder.ApplicationBuilder.Resources.Remove(builder.Resource);
            return;
        }

        var image = GpuExporterImage.For(vendor, settings.Nvidia);
        builder.WithEndpoint(GpuExporterResource.PrimaryEndpointName, endpoint => endpoint.TargetPort = image.Port);
        if (settings.Image is null)
        {
            builder.WithImage(image.Image, image.Tag).WithImageRegistry(settings.Host.ImageRegistry ?? image.Registry);
        }

        builder.WithContainerRuntimeArgs(vendor == OllamaGpuVendor.AMD ? ["--device", "/dev/kfd", "--device", "/dev/dri"] : ["--gpus", "all"]);
    }
}
