namespace Hazumu.Hosting.Settings;

/// <summary>Settings of the GPU exporter.</summary>
public sealed class GpuExporterOptions : ComponentOptions
{
    /// <summary>Which exporter measures NVIDIA GPUs.</summary>
    [Setting("Which exporter measures NVIDIA GPUs: `smi` every card, `dcgm` those of data centres in more depth")]
    public NvidiaExporter Nvidia { get; set; } = NvidiaExporter.Smi;
}

/// <summary>Which exporter measures NVIDIA GPUs.</summary>
public enum NvidiaExporter
{
    /// <summary>nvidia_gpu_exporter, which runs nvidia-smi: every card, GeForce too.</summary>
    Smi,

    /// <summary>NVIDIA's dcgm-exporter: cards of data centres, with XID errors and MIG.</summary>
    Dcgm,
}
