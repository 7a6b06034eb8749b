using System.Text.Json;

namespace Hazumu.Cli.Doctor;

/// <summary>The addresses of the graph. A component without an address is not part of it.</summary>
public sealed record DoctorOptions
{
    /// <summary>Prometheus' address.</summary>
    public Uri? Prometheus { get; init; }

    /// <summary>Alertmanager's address.</summary>
    public Uri? Alertmanager { get; init; }

    /// <summary>Grafana's address.</summary>
    public Uri? Grafana { get; init; }

    /// <summary>The gateway's address.</summary>
    public Uri? Gateway { get; init; }

    /// <summary>Grafana's administrator.</summary>
    public string GrafanaUser { get; init; } = "admin";

    /// <summary>That administrator's password.</summary>
    public string GrafanaPassword { get; init; } = "admin";

    /// <summary>
    /// Names of components that are not part of the graph, such as <c>cadvisor</c>: a published application lists their
    /// targets all the same, and the rules expect some of them.
    /// </summary>
    public IReadOnlyCollection<string> LeftOut { get; init; } = [];

    /// <summary>
    /// The folder of the host that the container engine keeps volumes in, which may be a disk of its own.
    /// </summary>
    public string VolumesFolder { get; init; } = DefaultVolumesFolder;

    /// <summary>Docker's default folder for volumes.</summary>
    public const string DefaultVolumesFolder = "/var/lib/docker/volumes";

    /// <summary>
    /// Finds the folder that an engine keeps volumes in: Docker reports the folder above it, Podman the folder itself.
    /// </summary>
    /// <param name="info">The output of the engine's <c>info</c>, as JSON.</param>
    public static string FindVolumesFolder(JsonElement info) =>
        info.TryGetProperty("DockerRootDir", out var root) && root.GetString() is { Length: > 0 } folder ? $"{folder}/volumes"
        : info.TryGetProperty("store", out var store) && store.TryGetProperty("volumePath", out var volumes) && volumes.GetString() is { Length: > 0 } path ? path
        : DefaultVolumesFolder;
}
