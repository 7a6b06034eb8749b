using Hazumu.Hosting.Containers;
using Microsoft.Extensions.Configuration;

namespace Hazumu.Hosting.Preflight;

/// <summary>The GPUs of one container, where it does not get all of them.</summary>
/// <param name="Names">As the driver numbers or names them.</param>
internal sealed record GpuDevices(IReadOnlyList<string> Names) : IResourceAnnotation
{
    /// <summary>AMD's variable: a container sees the device files of all GPUs, and ROCm uses only these.</summary>
    public const string AmdVariable = "ROCR_VISIBLE_DEVICES";

    /// <summary>The GPUs as a list of the driver's.</summary>
    public string List => string.Join(',', Names);

    /// <summary>Reads a setting: <c>0;1</c>.</summary>
    /// <param name="setting">The setting's value.</param>
    /// <returns>The GPUs of each container; nothing where each gets all.</returns>
    public static IReadOnlyList<GpuDevices> Read(string? setting) =>
        [.. (setting ?? "").Split(';', StringSplitOptions.RemoveEmptyEntries).Select(entry => new GpuDevices(entry.Split(',')))];

    /// <summary>The GPUs of a container; <see langword="null"/> for all.</summary>
    /// <param name="resource">The container.</param>
    public static GpuDevices? Of(IResource resource) => resource.Annotations.OfType<GpuDevices>().LastOrDefault();

    /// <summary>The arguments that have the engine give NVIDIA's GPUs to a container.</summary>
    /// <param name="configuration">The application's configuration, which names the engine.</param>
    /// <param name="devices">The GPUs; all unless given.</param>
    public static string[] NvidiaArguments(IConfiguration configuration, GpuDevices? devices) =>
        new ContainerEngine(configuration).Program == "podman" ? [.. (devices?.Names ?? ["all"]).SelectMany(device => new[] { "--device", $"nvidia.com/gpu={device}" })]
        : devices is null ? ["--gpus", "all"]
        // Docker reads the value as a line of CSV.
        : ["--gpus", $"\"device={devices.List}\""];
}
