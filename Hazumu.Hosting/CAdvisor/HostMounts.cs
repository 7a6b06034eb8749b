using Hazumu.Hosting.Preflight;

namespace Hazumu.Hosting.CAdvisor;

/// <summary>A path of the host that cAdvisor reads.</summary>
/// <param name="Source">On the host.</param>
/// <param name="Target">In the container.</param>
/// <param name="Provides">The measures that need it.</param>
internal sealed record HostMount(string Source, string Target, string Provides);

/// <summary>The mounts that cAdvisor reads the host by, always read-only.</summary>
internal static class HostMounts
{
    /// <summary>Everything, as on a Linux host.</summary>
    public static readonly IReadOnlyList<HostMount> All =
    [
        new("/", "/rootfs", "network metrics of containers"),
        new("/var/run", "/var/run", "container names and labels"),
        new("/sys", "/sys", "CPU, memory and disk metrics of containers"),
    ];

    // Docker Desktop hands this one path through to its virtual machine on every system.
    private static readonly HostMount s_socket = new("/var/run/docker.sock", "/var/run/docker.sock", "container names and labels");

    /// <summary>The mounts that this host allows.</summary>
    /// <param name="facts">The host.</param>
    /// <param name="exists">Whether a path exists on this machine.</param>
    public static IReadOnlyList<HostMount> For(HostFacts facts, Func<string, bool> exists) =>
        facts.SharesThisMachine ? [.. All.Where(mount => exists(mount.Source))] : [s_socket];
}
