using Hazumu.Hosting.Preflight;

namespace Hazumu.Hosting.Preflight;

/// <summary>Which GPU an Ollama container gets, and why.</summary>
/// <param name="Vendor">The vendor; <see langword="null"/> for the CPU only.</param>
/// <param name="Reason">The rest of a sentence that begins with "because".</param>
internal sealed record GpuChoice(OllamaGpuVendor? Vendor, string Reason)
{
    private const string Key = $"{HazumuOptions.SectionName}:{nameof(HazumuOptions.Gpu)}";

    /// <summary>Chooses.</summary>
    /// <exception cref="StartupProblemException">A demanded GPU, or what its containers need, is not there.</exception>
    public static GpuChoice Make(GpuMode mode, HostFacts host) => mode switch
    {
        GpuMode.None => new(null, $"{Key} says so"),
        GpuMode.Nvidia when !host.EngineOffersNvidia => throw new StartupProblemException(
            $"{Key} is 'nvidia', but the container engine has no NVIDIA runtime; install the NVIDIA Container Toolkit (https://docs.nvidia.com/datacenter/cloud-native/container-toolkit/) or set {Key} to auto or none."),
        GpuMode.Nvidia => new(OllamaGpuVendor.Nvidia, $"{Key} is set and the container engine offers it"),
        GpuMode.Amd when !host.HasAmdDevice => throw new StartupProblemException(
            $"{Key} is 'amd', but this machine has no /dev/kfd and /dev/dri; install the amdgpu driver with ROCm (https://rocm.docs.amd.com/) or set {Key} to auto or none."),
        GpuMode.Amd => new(OllamaGpuVendor.AMD, $"{Key} is set and /dev/kfd exists"),
        GpuMode.Auto => Find(host),
        _ => throw new ArgumentOutOfRangeException(nameof(mode), mode, "Not a GPU mode."),
    };

    private static GpuChoice Find(HostFacts host) => host switch
    {
        { HasNvidiaDevice: true, EngineOffersNvidia: true } => new(OllamaGpuVendor.Nvidia, "this machine has an NVIDIA GPU and the container engine offers it"),
        { HasAmdDevice: true } => new(OllamaGpuVendor.AMD, "this machine has /dev/kfd and /dev/dri"),
        { HasNvidiaDevice: true } => new(null, "this machine has an NVIDIA GPU, but the container engine has no NVIDIA runtime: install the NVIDIA Container Toolkit to use it"),
        { EngineOffersNvidia: true } => new(null, "the container engine has an NVIDIA runtime, but this machine shows no NVIDIA device"),
        _ => new(null, "neither an NVIDIA nor an AMD GPU was found"),
    };
}
