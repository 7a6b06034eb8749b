using System.Globalization;
using System.Text.Json;

namespace Hazumu.AppHost.Preflight;

/// <summary>What the host and its container engine offer, found out once before anything starts.</summary>
internal sealed record HostFacts
{
    /// <summary>Whether the engine runs without root: its socket is not where cAdvisor looks for it.</summary>
    public bool IsRootless { get; init; }

    /// <summary>Whether containers see this machine's own kernel and files: false for Docker Desktop's virtual machine and for a remote engine.</summary>
    public bool SharesThisMachine { get; init; } = true;

    /// <summary>Whether this machine has NVIDIA's device files or, with Docker Desktop, its driver's program.</summary>
    public bool HasNvidiaDevice { get; init; }

    /// <summary>Whether the engine can hand NVIDIA GPUs to a container.</summary>
    public bool EngineOffersNvidia { get; init; }

    /// <summary>Whether this machine has AMD's compute device files.</summary>
    public bool HasAmdDevice { get; init; }

    /// <summary>Whether the kernel lets a container have every capability, as a privileged one does.</summary>
    public bool AllowsPrivileged { get; init; } = true;

    private const int CapSysResource = 24;
    private static readonly string[] s_cdiFolders = ["/etc/cdi", "/var/run/cdi"];

    /// <summary>Asks the engine and looks at this machine.</summary>
    /// <exception cref="StartupProblemException">There is no engine, or it does not answer.</exception>
    public static async Task<HostFacts> FindOutAsync(ContainerEngine engine, CancellationToken cancellationToken)
    {
        var info = await engine.GetInfoAsync(cancellationToken);
        var isPodman = !info.TryGetProperty("OSType", out _);
        var sharesThisMachine = engine.IsLocal && OperatingSystem.IsLinux() && Text(info, "OperatingSystem") != "Docker Desktop";

        return new HostFacts
        {
            IsRootless = isPodman ? info.GetRawText().Contains("\"rootless\":true", StringComparison.Ordinal) : info.GetRawText().Contains("name=rootless", StringComparison.Ordinal),
            SharesThisMachine = sharesThisMachine,
            // Docker Desktop lists the runtime on machines without such a GPU too (docker/for-win#14331): the driver's program tells.
            HasNvidiaDevice = File.Exists("/dev/nvidiactl") || (!sharesThisMachine && ExecutablePath.Find("nvidia-smi") is not null),
            EngineOffersNvidia = OffersNvidia(info, isPodman, sharesThisMachine),
            HasAmdDevice = sharesThisMachine && File.Exists("/dev/kfd") && Directory.Exists("/dev/dri"),
            AllowsPrivileged = !sharesThisMachine || KernelGrants(CapSysResource),
        };
    }

    private static bool OffersNvidia(JsonElement info, bool isPodman, bool sharesThisMachine)
    {
        if (isPodman)
        {
            return HasCdiSpecification();
        }

        return (info.TryGetProperty("Runtimes", out var runtimes) && runtimes.ValueKind == JsonValueKind.Object && runtimes.TryGetProperty("nvidia", out _))
            || (info.TryGetProperty("DiscoveredDevices", out var devices) && devices.ValueKind == JsonValueKind.Array && devices.GetRawText().Contains("nvidia.com/gpu", StringComparison.Ordinal))
            // --gpus needs no registered runtime, only the toolkit's hook beside the daemon (moby, daemon/nvidia_linux.go).
            || (sharesThisMachine && ExecutablePath.Find("nvidia-container-runtime-hook") is not null);
    }

    private static bool HasCdiSpecification() =>
        s_cdiFolders.Any(folder => Directory.Exists(folder) && Directory.EnumerateFiles(folder, "nvidia*").Any());

    // A bounding set without a capability refuses every privileged container: "operation not permitted".
    private static bool KernelGrants(int capability)
    {
        var line = File.ReadLines("/proc/self/status").FirstOrDefault(line => line.StartsWith("CapBnd:", StringComparison.Ordinal));
        return line is null
            || (ulong.Parse(line["CapBnd:".Length..].Trim(), NumberStyles.HexNumber, CultureInfo.InvariantCulture) & (1UL << capability)) != 0;
    }

    private static string? Text(JsonElement element, string name) =>
        element.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.String ? value.GetString() : null;
}
