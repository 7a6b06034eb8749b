using Hazumu.Hosting.Containers;

namespace Hazumu.Hosting.CAdvisor;

/// <summary>
/// How cAdvisor is run. The costs and spacings were measured with v0.60.5 on Docker 20.10, cgroup v1.
/// </summary>
internal static class CAdvisorArguments
{
    /// <summary>
    /// The program's arguments: containers only, our labels only, and only the metric families that panels and rules
    /// read.
    /// </summary>
    public static readonly string[] All =
    [
        "--docker_only=true",
        "--disable_root_cgroup_stats=true",

        // A sample each scrape. By default an idle container is looked at less and less often, up to 76 s apart: too
        // far for rate(…[1m]).
        "--housekeeping_interval=15s",
        "--allow_dynamic_housekeeping=false",
        "--jitter_factor=0",

        // The default, 5 m, is as long as Prometheus looks back: machine_* would drop out now and then.
        "--update_machine_info_interval=2m",

        "--store_container_labels=false",
        $"--whitelisted_container_labels={string.Join(',', ContainerLabels.All)}",

        // Not "disk": it walks every container's files, by far the costliest, and does not see volumes, where models
        // and data are.
        "--enable_metrics=cpu,diskIO,memory,network,oom_event",
    ];

    /// <summary>
    /// The engine's arguments when it is not privileged. It needs no capability at all; what is missing then are
    /// out-of-memory events.
    /// </summary>
    public static readonly string[] LeastPrivileges = ["--cap-drop", "ALL", "--security-opt", "no-new-privileges"];
}
