namespace Hazumu.Hosting.Settings;

/// <summary>Which GPU Ollama gets.</summary>
public enum GpuMode
{
    /// <summary>The GPU that the container engine and the host offer, if any.</summary>
    Auto,

    /// <summary>NVIDIA, through the NVIDIA Container Toolkit.</summary>
    Nvidia,

    /// <summary>AMD, through ROCm.</summary>
    Amd,

    /// <summary>The CPU only.</summary>
    None,
}
