
namespace Aspire.Hosting;

/// <summary>The exporter of a vendor's GPUs.</summary>
/// <param name="Registry">The default registry.</param>
/// <param name="Image">The repository.</param>
/// <param name="Tag">The tag.</param>
/// <param name="Port">The port that it listens on.</param>
internal sealed record GpuExporterImage(string Registry, string Image, string Tag, int Port)
{
    /// <summary>nvidia_gpu_exporter (https://github.com/utkuozdemir/nvidia_gpu_exporter).</summary>
    public static readonly GpuExporterImage NvidiaSmi = new("docker.io", "utkuozdemir/nvidia_gpu_exporter", "1.14.0", 9835);

    /// <summary>NVIDIA's dcgm-exporter (https://github.com/NVIDIA/dcgm-exporter).</summary>
    public static readonly GpuExporterImage NvidiaDcgm = new("nvcr.io", "nvidia/k8s/dcgm-exporter", "4.5.3-4.8.2-distroless", 9400);

    /// <summary>AMD's device-metrics-exporter (https://github.com/ROCm/device-metrics-exporter).</summary>
    public static readonly GpuExporterImage Amd = new("docker.io", "rocm/device-metrics-exporter", "v1.5.2", 5000);

    /// <summary>The same as Aspire writes it.</summary>
    public ContainerImageAnnotation ToAnnotation() => new() { Registry = Registry, Image = Image, Tag = Tag };

    /// <summary>Chooses.</summary>
    public static GpuExporterImage For(OllamaGpuVendor vendor, NvidiaExporter nvidia) => vendor switch
    {
        OllamaGpuVendor.AMD => Amd,
        _ when nvidia == NvidiaExporter.Dcgm => NvidiaDcgm,
        _ => NvidiaSmi,
    };
}
