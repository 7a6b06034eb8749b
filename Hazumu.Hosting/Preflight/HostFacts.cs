using System.ComponentModel;
using System.Globalization;
using System.Net;
using System.Net.NetworkInformation;
using System.Net.Sockets;
using System.Text.Json;
using Hazumu.Hosting.Containers;

namespace Hazumu.Hosting.Preflight;

/// <summary>Facts about the host and its container engine, gathered once before anything starts.</summary>
internal sealed record HostFacts
{
    /// <summary>Whether the engine runs without root: its socket is not where cAdvisor looks for it.</summary>
    public bool IsRootless { get; init; }

    /// <summary>
    /// Whether containers see this machine's own kernel and files: false for Docker Desktop's virtual machine and for a
    /// remote engine.
    /// </summary>
    public bool SharesThisMachine { get; init; } = true;

    /// <summary>
    /// Whether the engine is Docker Desktop, which gives containers a way to this machine's loopback.
    /// </summary>
    public bool IsDockerDesktop { get; init; }

    /// <summary>
    /// This machine's end of Docker's default bridge, which every container reaches; <see langword="null"/> where it
    /// has none.
    /// </summary>
    public IPAddress? BridgeAddress { get; init; }

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

    /// <summary>Reads the engine's description and this machine's.</summary>
    /// <exception cref="StartupProblemException">There is no engine, or it does not answer.</exception>
    public static async Task<HostFacts> ReadAsync(ContainerEngine engine, CancellationToken cancellationToken)
    {
        var bridge = FindBridgeAddressAsync(engine, cancellationToken);
        var info = await engine.GetInfoAsync(cancellationToken);
        var isPodman = !info.TryGetProperty("OSType", out _);
        var isDockerDesktop = Text(info, "OperatingSystem") == "Docker Desktop";
        var sharesThisMachine = engine.IsLocal && OperatingSystem.IsLinux() && !isDockerDesktop;

        return new HostFacts
        {
            IsRootless = isPodman ? info.GetRawText().Contains("\"rootless\":true", StringComparison.Ordinal) : info.GetRawText().Contains("name=rootless", StringComparison.Ordinal),
            SharesThisMachine = sharesThisMachine,
            IsDockerDesktop = engine.IsLocal && isDockerDesktop,
            BridgeAddress = sharesThisMachine && !isPodman ? await bridge : null,
            // Docker Desktop lists the runtime on machines without such a GPU too (docker/for-win#14331): the driver's
            // program decides.
            HasNvidiaDevice = File.Exists("/dev/nvidiactl") || (!sharesThisMachine && ExecutablePath.Find("nvidia-smi") is not null),
            EngineOffersNvidia = OffersNvidia(info, isPodman, sharesThisMachine),
            HasAmdDevice = sharesThisMachine && File.Exists("/dev/kfd") && Directory.Exists("/dev/dri"),
            AllowsPrivileged = !sharesThisMachine || HasCapability(CapSysResource),
        };
    }

    // The engine reports the bridge's subnet, and not always its gateway. With an engine that runs without root, the
    // gateway is in another network namespace than this process, and is therefore none of this machine's addresses.
    private static async Task<IPAddress?> FindBridgeAddressAsync(ContainerEngine engine, CancellationToken cancellationToken)
    {
        try
        {
            var bridge = await engine.RunAsync(["network", "inspect", "bridge", "--format", "{{range .IPAM.Config}}{{println .Subnet}}{{end}}"], cancellationToken);
            var subnets = bridge.StandardOutput
                .Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries)
                .Select(text => IPNetwork.TryParse(text, out var subnet) ? subnet : (IPNetwork?)null)
                .OfType<IPNetwork>()
                .ToList();

            return NetworkInterface.GetAllNetworkInterfaces()
                .SelectMany(card => card.GetIPProperties().UnicastAddresses)
                .Select(entry => entry.Address)
                .FirstOrDefault(address => address.AddressFamily == AddressFamily.InterNetwork && subnets.Exists(subnet => subnet.Contains(address)));
        }
        catch (Exception error) when (error is Win32Exception or StartupProblemException or NetworkInformationException)
        {
            // A missing engine, or one that does not answer, is reported where its description is read.
            return null;
        }
    }

    private static bool OffersNvidia(JsonElement info, bool isPodman, bool sharesThisMachine)
    {
        if (isPodman)
        {
            return HasCdiSpecification();
        }

        return (info.TryGetProperty("Runtimes", out var runtimes) && runtimes.ValueKind == JsonValueKind.Object && runtimes.TryGetProperty("nvidia", out _))
            || (info.TryGetProperty("DiscoveredDevices", out var devices) && devices.ValueKind == JsonValueKind.Array && devices.GetRawText().Contains("nvidia.com/gpu", StringComparison.Ordinal))
            // --gpus needs no registered runtime, only the toolkit's hook beside the daemon (moby,
            // daemon/nvidia_linux.go).
            || (sharesThisMachine && ExecutablePath.Find("nvidia-container-runtime-hook") is not null);
    }

    private static bool HasCdiSpecification() =>
        s_cdiFolders.Any(folder => Directory.Exists(folder) && Directory.EnumerateFiles(folder, "nvidia*").Any());

    // A bounding set without a capability refuses every privileged container: "operation not permitted".
    private static bool HasCapability(int capability)
    {
        var line = File.ReadLines("/proc/self/status").FirstOrDefault(line => line.StartsWith("CapBnd:", StringComparison.Ordinal));
        return line is null
            || (ulong.Parse(line["CapBnd:".Length..].Trim(), NumberStyles.HexNumber, CultureInfo.InvariantCulture) & (1UL << capability)) != 0;
    }

    private static string? Text(JsonElement element, string name) =>
        element.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.String ? value.GetString() : null;
}
