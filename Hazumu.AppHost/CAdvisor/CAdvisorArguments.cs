namespace Hazumu.AppHost.CAdvisor;

/// <summary>How cAdvisor is run.</summary>
internal static class CAdvisorArguments
{
    /// <summary>The program's arguments: containers only, our labels only, and only the metric families that panels and rules read.</summary>
    public static readonly string[] All =
    [
        "--docker_only=true",
        "--housekeeping_interval=15s",
        "--store_container_labels=false",
        $"--whitelisted_container_labels={string.Join(',', ContainerLabels.All)}",
        // "disk" walks every container's files and is by far the costliest; disk input and output are "diskIO", which stays.
        "--disable_metrics=advtcp,app,cpu_topology,cpuset,disk,hugetlb,memory_numa,percpu,perf_event,process,referenced_memory,resctrl,sched,tcp,udp",
    ];

    /// <summary>Capabilities that it cannot do without when it is not privileged.</summary>
    public static readonly string[] Capabilities = ["DAC_READ_SEARCH", "SYS_PTRACE"];

    /// <summary>The engine's arguments when it is not privileged.</summary>
    public static IEnumerable<string> LeastPrivileges =>
        ["--cap-drop", "ALL", .. Capabilities.SelectMany(capability => new[] { "--cap-add", capability }), "--security-opt", "no-new-privileges"];
}
