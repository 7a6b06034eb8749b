namespace Hazumu.Grafana;

/// <summary>The dashboard "Containers".</summary>
internal static class ContainersDashboard
{
    /// <summary>Its definition.</summary>
    public static Dashboard Create() => new(
        "hazumu-containers",
        "Containers",
        "Processor, memory, network and disk of every container of the graph.",
        [
            new Table(24, 8, "Containers now", "Every container: how long it has been running, how often it was restarted in the chosen time range, and the share that it uses of its processor and memory limits (without a limit, of the whole machine). Red memory: the kernel will soon kill a process. Runbooks ContainerRestarting, ContainerOutOfMemory.")
            {
                Queries =
                [
                    Query.Of("""time() - max by (service, instance) (container_start_time_seconds{job=~"cadvisor|engines",instance=~"$instance"})""", "{{instance}}"),
                    Query.Of("""changes(max by (service, instance) (container_start_time_seconds{job=~"cadvisor|engines",instance=~"$instance"})[$__range:15s])""", "{{instance}}"),
                    Query.Of("""sum by (service, instance) (rate(container_cpu_usage_seconds_total{job=~"cadvisor|engines",instance=~"$instance"}[$__rate_interval])) / sum by (service, instance) (container_spec_cpu_quota{job=~"cadvisor|engines",instance=~"$instance"} / container_spec_cpu_period{job=~"cadvisor|engines",instance=~"$instance"} or container_spec_cpu_period{job=~"cadvisor|engines",instance=~"$instance"} * 0 + scalar(max(machine_cpu_cores{job="cadvisor"})))""", "{{instance}}"),
                    Query.Of("""sum by (service, instance) (container_memory_working_set_bytes{job=~"cadvisor|engines",instance=~"$instance"}) / sum by (service, instance) (container_spec_memory_limit_bytes{job=~"cadvisor|engines",instance=~"$instance"} > 0 or container_spec_memory_limit_bytes{job=~"cadvisor|engines",instance=~"$instance"} + scalar(max(machine_memory_bytes{job="cadvisor"})))""", "{{instance}}"),
                    Query.Of("""sum by (service, instance) (increase(container_oom_events_total{job=~"cadvisor|engines",instance=~"$instance"}[$__range]))""", "{{instance}}"),
                ],
                Overrides =
                [
                    Override.ByName("Value #A", Set.Name("runs for"), Set.Unit("s")),
                    Override.ByName("Value #B", Set.Name("restarts"), Set.Unit("none"), Set.Decimals(0), Set.ColoredText, Set.Thresholds(new(Colors.Green), new(1, Colors.Yellow), new(3, Colors.Red))),
                    Override.ByName("Value #C", Set.Name("CPU"), Set.Unit("percentunit"), Set.Decimals(1), Set.Gauge, Set.Min(0), Set.Max(1), Set.Thresholds(new(Colors.Green), new(0.9, Colors.Yellow))),
                    Override.ByName("Value #D", Set.Name("memory"), Set.Unit("percentunit"), Set.Decimals(1), Set.Gauge, Set.Min(0), Set.Max(1), Set.Thresholds(new(Colors.Green), new(0.8, Colors.Yellow), new(0.95, Colors.Red))),
                    Override.ByName("Value #E", Set.Name("out-of-memory kills"), Set.Unit("none"), Set.Decimals(0), Set.ColoredText, Set.Thresholds(new(Colors.Green), new(1, Colors.Red))),
                    Override.ByName("instance", Set.Name("container"), Set.Links(Link.To("Its log", "hazumu-logs", "var-service=${__data.fields.service}"))),
                ],
                SortBy = "container",
                Columns = ["instance", "service", "Value #A", "Value #B", "Value #C", "Value #D", "Value #E"],
            },
            new Row("Processor and memory"),
            new TimeSeries(8, 8, "CPU", "Processor cores in use, of the twelve busiest containers. Without a GPU, Ollama uses all available cores during an answer.")
            {
                Queries = [Query.Top(12, """sum by (service, instance) (rate(container_cpu_usage_seconds_total{job=~"cadvisor|engines",instance=~"$instance"}[$__rate_interval]))""", "{{instance}}")],
                Unit = "suffix:cores",
                Min = 0,
            },
            new TimeSeries(8, 8, "CPU held back", "Share of the periods in which a container reached its CPU limit. If it stays above 25 %, answers get slower (ContainerCpuThrottled): raise the limit. Containers without a limit show 0.")
            {
                Queries = [Query.Top(12, """sum by (service, instance) (rate(container_cpu_cfs_throttled_periods_total{job=~"cadvisor|engines",instance=~"$instance"}[$__rate_interval])) / (sum by (service, instance) (rate(container_cpu_cfs_periods_total{job=~"cadvisor|engines",instance=~"$instance"}[$__rate_interval])) > 0) or max by (service, instance) (container_start_time_seconds{job=~"cadvisor|engines",instance=~"$instance"}) * 0""", "{{instance}}")],
                Unit = "percentunit",
                Min = 0,
                Max = 1,
                Thresholds = [new(Colors.Green), new(0.25, Colors.Yellow)],
                ShowsThresholds = true,
                Fill = 0,
            },
            new TimeSeries(8, 8, "Memory", "Memory that the kernel cannot reclaim, of the twelve largest containers. A line that rises for days and never falls is a leak.")
            {
                Queries = [Query.Top(12, """sum by (service, instance) (container_memory_working_set_bytes{job=~"cadvisor|engines",instance=~"$instance"})""", "{{instance}}")],
                Unit = "bytes",
                Min = 0,
            },
            new Row("Network and disk"),
            new TimeSeries(8, 8, "Network traffic", "Received above the line, sent below it; all networks of a container together, of the six busiest each.")
            {
                Queries =
                [
                    Query.Top(6, """sum by (service, instance) (rate(container_network_receive_bytes_total{job=~"cadvisor|engines",instance=~"$instance"}[$__rate_interval]))""", "{{instance}} received"),
                    Query.Top(6, """sum by (service, instance) (rate(container_network_transmit_bytes_total{job=~"cadvisor|engines",instance=~"$instance"}[$__rate_interval]))""", "{{instance}} sent"),
                ],
                Unit = "Bps",
                CentersZero = true,
                Overrides = [Override.OfQuery("B", Set.Negative)],
            },
            new TimeSeries(8, 8, "Network errors", "Packets per second that were broken or dropped, in both directions. If it stays above 0, the reason is a cable, a driver, or a queue that is too short.")
            {
                Queries = [Query.Top(12, """sum by (service, instance) (rate(container_network_receive_errors_total{job=~"cadvisor|engines",instance=~"$instance"}[$__rate_interval])) + sum by (service, instance) (rate(container_network_receive_packets_dropped_total{job=~"cadvisor|engines",instance=~"$instance"}[$__rate_interval])) + sum by (service, instance) (rate(container_network_transmit_errors_total{job=~"cadvisor|engines",instance=~"$instance"}[$__rate_interval])) + sum by (service, instance) (rate(container_network_transmit_packets_dropped_total{job=~"cadvisor|engines",instance=~"$instance"}[$__rate_interval]))""", "{{instance}}")],
                Unit = "pps",
                Min = 0,
            },
            new TimeSeries(8, 8, "Disk traffic", "Read above the line, written below it: bytes that reached a disk, of the six busiest containers each. Reads served from the file cache are not included. A container that has never used a disk shows 0.")
            {
                Queries =
                [
                    Query.Top(6, """sum by (service, instance) (rate(container_fs_reads_bytes_total{job=~"cadvisor|engines",instance=~"$instance"}[$__rate_interval])) or max by (service, instance) (container_start_time_seconds{job=~"cadvisor|engines",instance=~"$instance"}) * 0""", "{{instance}} read"),
                    Query.Top(6, """sum by (service, instance) (rate(container_fs_writes_bytes_total{job=~"cadvisor|engines",instance=~"$instance"}[$__rate_interval])) or max by (service, instance) (container_start_time_seconds{job=~"cadvisor|engines",instance=~"$instance"}) * 0""", "{{instance}} written"),
                ],
                Unit = "Bps",
                CentersZero = true,
                Overrides = [Override.OfQuery("B", Set.Negative)],
            },
        ])
    {
        Alerts = "Container.+",
        Variables = [Variable.OfLabel("instance", "Container", "Every container of the graph, by its resource's name.", """label_values(container_start_time_seconds{job=~"cadvisor|engines"}, instance)""")],
        // There "instance" is any container; elsewhere it is an engine.
        SharesVariables = false,
    };
}
