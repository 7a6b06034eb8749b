namespace Hazumu.Doctor;

/// <summary>Where the graph is that is looked at. A component without an address is not part of it.</summary>
public sealed record WatchedGraph
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
    /// Names of components that are not part of the graph, such as <c>cadvisor</c>: a published application lists their targets all the same,
    /// and the rules expect some of them.
    /// </summary>
    public IReadOnlyCollection<string> LeftOut { get; init; } = [];

    /// <summary>The folder of the host that the container engine keeps volumes in, which may be a disk of its own.</summary>
    public string VolumesFolder { get; init; } = DefaultVolumesFolder;

    /// <summary>Where Docker keeps volumes unless told otherwise.</summary>
    public const string DefaultVolumesFolder = "/var/lib/docker/volumes";
}
