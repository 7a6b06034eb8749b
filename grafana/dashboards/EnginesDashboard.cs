namespace Hazumu.Grafana;

/// <summary>The dashboard "Engines".</summary>
internal static class EnginesDashboard
{
    /// <summary>Its definition.</summary>
    public static Dashboard Create() => new(
        "hazumu-engines",
        "Engines",
        "Kind, availability, response time, resources and own metrics of every engine, and the state of the targets.",
        [
            new Stat(4, 4, "Availability", "Share of the probes in the chosen time range that found the engine answering, of the four worst engines. Times without probes do not count.")
            {
                Queries = [Query.Of("""bottomk(4, avg by (instance) (avg_over_time(probe_success{job="engine-health",instance=~"$instance"}[$__range])))""", "{{instance}}")],
                Unit = "percentunit",
                Min = 0,
                Max = 1,
                Decimals = 2,
                Thresholds = [new(Colors.Red), new(0.99, Colors.Yellow), new(0.999, Colors.Green)],
            },
            new Stat(4, 4, "Down now", "The engines that did not answer the latest probe: GET / of Ollama with its own text, GET /health of other kinds. 0 is good.")
            {
                Queries = Query.NotWell("""min by (instance) (probe_success{job="engine-health",instance=~"$instance"})""", "== 0", "down", "{{instance}}"),
                Decimals = 0,
                Thresholds = [new(Colors.Green), new(1, Colors.Red)],
                ShowsName = true,
                Overrides = [Override.OfQuery("B", Set.Mappings(Mapping.Value("0", Colors.Red, "Down")))],
            },
            new Stat(4, 4, "Response time (median)", "Median duration of the successful probes in the chosen time range, of the four slowest engines. A probe loads no model: it should stay at a few milliseconds.")
            {
                Queries = [Query.Of("""topk(4, quantile_over_time(0.5, max by (instance) (probe_duration_seconds{job="engine-health",instance=~"$instance"} and probe_success{job="engine-health",instance=~"$instance"} == 1)[$__range:15s]))""", "{{instance}}")],
                Unit = "s",
                Min = 0,
                Thresholds = [new(Colors.Green), new(0.25, Colors.Yellow), new(1, Colors.Red)],
            },
            new Stat(4, 4, "Restarts", "How often the engine's container was restarted in the chosen time range, under the same name or another; the four highest.")
            {
                Queries = [Query.Of("""topk(4, changes(max by (instance) (container_start_time_seconds{job="engines",instance=~"$instance"})[$__range:15s]))""", "{{instance}}")],
                Min = 0,
                Decimals = 0,
                Thresholds = [new(Colors.Green), new(1, Colors.Yellow), new(3, Colors.Red)],
            },
            new Stat(4, 4, "CPU share", "Processor time as a share of the container's limit (without a limit, of the whole machine); the four highest. Without a GPU, a high share during an answer is normal.")
            {
                Queries = [Query.Of("""topk(4, sum by (instance) (rate(container_cpu_usage_seconds_total{job="engines",instance=~"$instance"}[$__rate_interval])) / sum by (instance) (container_spec_cpu_quota{job="engines",instance=~"$instance"} / container_spec_cpu_period{job="engines",instance=~"$instance"} or container_spec_cpu_period{job="engines",instance=~"$instance"} * 0 + scalar(max(machine_cpu_cores{job="cadvisor"}))))""", "{{instance}}")],
                Unit = "percentunit",
                Min = 0,
                Decimals = 1,
                Thresholds = [new(Colors.Green), new(0.9, Colors.Yellow)],
            },
            new Stat(4, 4, "Memory share", "Memory as a share of the container's limit (without a limit, of the whole machine); the four highest. Near 100 %, the kernel kills a process of the container.")
            {
                Queries = [Query.Of("""topk(4, sum by (instance) (container_memory_working_set_bytes{job="engines",instance=~"$instance"}) / sum by (instance) (container_spec_memory_limit_bytes{job="engines",instance=~"$instance"} > 0 or container_spec_memory_limit_bytes{job="engines",instance=~"$instance"} + scalar(max(machine_memory_bytes{job="cadvisor"}))))""", "{{instance}}")],
                Unit = "percentunit",
                Min = 0,
                Decimals = 1,
                Thresholds = [new(Colors.Green), new(0.8, Colors.Yellow), new(0.95, Colors.Red)],
            },
            new Table(24, 6, "Engines now", "Every engine that the gateway has had an answer from, those elsewhere included: its kind, its version, and whether it answers the gateway now. Runbooks EngineDown, EngineUnreachableFromGateway, ExternalEngineDown.")
            {
                Queries = [Query.Of("""max by (hazumu_instance, kind, version) (hazumu_gateway_engine_info) * on (hazumu_instance) group_left () max by (hazumu_instance) (hazumu_gateway_instance_up)""", "{{hazumu_instance}}")],
                Overrides =
                [
                    Override.ByName("hazumu_instance", Set.Name("engine")),
                    Override.ByName("Value", Set.Name("state"), Set.ColoredText, Set.Mappings(Mapping.Value("1", Colors.Green, "Up"), Mapping.Value("0", Colors.Red, "Down"))),
                ],
                SortBy = "engine",
                Columns = ["hazumu_instance", "kind", "version", "Value"],
                Hidden = ["Time"],
            },
            new Row("Probe"),
            new TimeSeries(12, 7, "Response time", "Duration of successful probes: the slowest engines and, with many engines, the median of all. A gap is a time without an answer.")
            {
                Queries = Query.Fleet(10, """max by (instance) (probe_duration_seconds{job="engine-health",instance=~"$instance"} and probe_success{job="engine-health",instance=~"$instance"} == 1)""", "{{instance}}"),
                Unit = "s",
                Min = 0,
                Thresholds = [new(Colors.Green), new(0.25, Colors.Yellow), new(1, Colors.Red)],
                ShowsThresholds = true,
            },
            new TimeSeries(12, 7, "Phases of the probe", "Time of each phase of a successful probe: resolve (the name), connect, processing (waiting for the first byte), transfer. If processing is slow, the reason is the engine; otherwise it is the network.")
            {
                Queries = [Query.Top(12, """max by (instance, phase) (probe_http_duration_seconds{job="engine-health",instance=~"$instance",phase!="tls"} and on (instance) probe_success{job="engine-health",instance=~"$instance"} == 1)""", "{{instance}} {{phase}}")],
                Unit = "s",
                Min = 0,
                Fill = 0,
            },
            new Row("The engines' containers"),
            new TimeSeries(12, 7, "CPU in use", "Processor cores in use: the busiest engines and, with many engines, the median of all.")
            {
                Queries = Query.Fleet(10, """sum by (instance) (rate(container_cpu_usage_seconds_total{job="engines",instance=~"$instance"}[$__rate_interval]))""", "{{instance}}"),
                Unit = "suffix:cores",
                Min = 0,
            },
            new TimeSeries(12, 7, "Memory in use", "In use: memory that the kernel cannot reclaim. Own pages: without the model files that are mapped from disk. With file cache: all memory, of which the kernel can reclaim a part.")
            {
                Queries =
                [
                    Query.Top(4, """sum by (instance) (container_memory_working_set_bytes{job="engines",instance=~"$instance"})""", "{{instance}} in use"),
                    Query.Top(4, """sum by (instance) (container_memory_rss{job="engines",instance=~"$instance"})""", "{{instance}} own pages"),
                    Query.Top(4, """sum by (instance) (container_memory_usage_bytes{job="engines",instance=~"$instance"})""", "{{instance}} with file cache"),
                ],
                Unit = "bytes",
                Min = 0,
                Fill = 0,
            },
            new TimeSeries(12, 7, "Network", "Received above the line, sent below it; all networks of the container together.")
            {
                Queries =
                [
                    Query.Top(6, """sum by (instance) (rate(container_network_receive_bytes_total{job="engines",instance=~"$instance"}[$__rate_interval]))""", "{{instance}} received"),
                    Query.Top(6, """sum by (instance) (rate(container_network_transmit_bytes_total{job="engines",instance=~"$instance"}[$__rate_interval]))""", "{{instance}} sent"),
                ],
                Unit = "Bps",
                CentersZero = true,
                Overrides = [Override.OfQuery("B", Set.Negative)],
            },
            new TimeSeries(12, 7, "Disk", "Read above the line, written below it: bytes that reached a disk. Reads served from the file cache are not included, nor, on cgroup v1, writes that the kernel delays. A container that has never used a disk shows 0.")
            {
                Queries =
                [
                    Query.Top(6, """sum by (instance) (rate(container_fs_reads_bytes_total{job="engines",instance=~"$instance"}[$__rate_interval])) or max by (instance) (container_start_time_seconds{job="engines",instance=~"$instance"}) * 0""", "{{instance}} read"),
                    Query.Top(6, """sum by (instance) (rate(container_fs_writes_bytes_total{job="engines",instance=~"$instance"}[$__rate_interval])) or max by (instance) (container_start_time_seconds{job="engines",instance=~"$instance"}) * 0""", "{{instance}} written"),
                ],
                Unit = "Bps",
                CentersZero = true,
                Overrides = [Override.OfQuery("B", Set.Negative)],
            },
            new Row("The engines' own metrics"),
            new TimeSeries(8, 7, "Requests in the engine", "Requests that the engine runs, and those that wait inside it, as llama-server and vLLM count them. Requests that wait in the gateway are not included. Some wait here all the time: the gateway counts more slots than the engine has. Ollama has no metrics.")
            {
                Queries =
                [
                    Query.Top(6, """max by (instance, engine) ({__name__=~"llamacpp:requests_processing|vllm:num_requests_running",instance=~"$instance"})""", "{{instance}} run"),
                    Query.Top(6, """max by (instance, engine) ({__name__=~"llamacpp:requests_deferred|vllm:num_requests_waiting",instance=~"$instance"})""", "{{instance}} wait"),
                ],
                Min = 0,
                Fill = 0,
            },
            new TimeSeries(8, 7, "Tokens in the engine", "Tokens of prompts above the line, generated tokens below it, as llama-server and vLLM count them: also those of clients that do not use the gateway.")
            {
                Queries =
                [
                    Query.Top(6, """sum by (instance, engine) (rate({__name__=~"llamacpp:prompt_tokens_total|vllm:prompt_tokens_total",instance=~"$instance"}[$__rate_interval]))""", "{{instance}} prompts"),
                    Query.Top(6, """sum by (instance, engine) (rate({__name__=~"llamacpp:tokens_predicted_total|vllm:generation_tokens_total",instance=~"$instance"}[$__rate_interval]))""", "{{instance}} generated"),
                ],
                Unit = "suffix:tokens/s",
                CentersZero = true,
                Overrides = [Override.OfQuery("B", Set.Negative)],
            },
            new TimeSeries(8, 7, "KV cache in use", "Share of vLLM's memory for running requests that is taken. At 100 % requests wait inside it, or are put back and computed again.")
            {
                Queries = Query.Fleet(6, """max by (instance, engine) (vllm:kv_cache_usage_perc{instance=~"$instance"})""", "{{instance}}"),
                Unit = "percentunit",
                Min = 0,
                Max = 1,
            },
            new Row("Targets"),
            new StateTimeline(24, 9, "State of every target", "The state of each target; with many targets, only those that were down. Up: Prometheus scraped the target. The job engines reads the metrics of the engines' containers from cAdvisor, the job engine-health reads the probes of the Blackbox exporter. Probe: the engine itself answered. A gap: the state is unknown.")
            {
                Queries = Query.Rows("""min by (job, instance) (up) or label_replace(min by (instance) (probe_success{job="engine-health"}), "job", "probe", "", "")""", isHighBad: false, "< 1", "{{job}} / {{instance}}"),
                States = [Mapping.Value("1", Colors.Green, "Up"), Mapping.Value("0", Colors.Red, "Down")],
            },
        ])
    {
        Alerts = "Engine.+|ExternalEngineDown|ProbeSlow|Container.+",
        Variables = [Variable.OfLabel("instance", "Engine", "Every engine that is probed.", """label_values(probe_success{job="engine-health"}, instance)""")],
        Tags = ["engines"],
    };
}
