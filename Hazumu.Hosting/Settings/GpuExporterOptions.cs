namespace Hazumu.Hosting.Settings;

/// <summary>Settings of the GPU exporter.</summary>
public sealed class GpuExporterOptions : ComponentOptions
{
    /// <summary>Which exporter measures NVIDIA GPUs.</summary>
    [Setting("The exporter for NVIDIA GPUs: `smi` for every card, `dcgm` for data centre cards, with more metrics")]
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
