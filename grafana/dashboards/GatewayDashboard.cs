namespace Hazumu.Grafana;

/// <summary>The dashboard "Gateway".</summary>
internal static class GatewayDashboard
{
    /// <summary>Its definition.</summary>
    public static Dashboard Create() => new(
        "hazumu-gateway",
        "Gateway",
        "What the gateway does with requests: errors and budgets, admission, retries and circuits, and what it costs itself.",
        [
            new Row("Errors and budgets"),
            new TimeSeries(8, 8, "Requests by outcome", "Requests per second by how they ended, of every route. Clients' own faults (bad_request, unauthorized, rate_limited, client_disconnect, engine_refused) burn no budget.")
            {
                Queries = Query.Outcomes,
                Unit = "reqps",
                Min = 0,
                Stacked = true,
                Links = [Link.LogsOfThatMinute("${instance:queryparam}&${model:queryparam}")],
                Overrides = Override.Outcomes,
            },
            new TimeSeries(8, 8, "Errors by kind", "Requests per second that failed or were refused, the most frequent by kind and by the instance that was tried last; without an instance where none was tried. engine_unreachable, engine_error and the stream_ kinds point to that instance, queue_full and queue_timeout to too few slots. A value named none is good; no data: the gateway is not scraped. Runbooks RequestsFailing, RequestErrorsBurnFast.")
            {
                Queries = [Query.OrNone(Query.Highest(11, """hazumu_instance_error_type:hazumu_gateway_errors:rate5m{hazumu_instance=~"(?:$instance)(@.+)?|"}"""), "error_type", """up{job="gateway"} == 1""", "{{error_type}} {{hazumu_instance}}")],
                Unit = "reqps",
                Min = 0,
                Links = [Link.LogsOfThatMinute("${instance:queryparam}&${model:queryparam}")],
            },
            new TimeSeries(8, 8, "Burn of the error budgets", "How many times faster than allowed each error budget burns, over an hour and over five minutes (dotted). 1 uses it up just in time. Both above 14.4, or 6 over six hours, page; runbooks …BurnFast.")
            {
                Queries =
                [
                    Query.Of("slo:hazumu_error_budget:burn_rate1h", "{{slo}}"),
                    Query.Of("slo:hazumu_error_budget:burn_rate5m", "{{slo}} 5 min"),
                ],
                Unit = "suffix:×",
                Min = 0,
                Thresholds = [new(Colors.Green), new(1, Colors.Yellow), new(14.4, Colors.Red)],
                ShowsThresholds = true,
                Fill = 0,
                Overrides = [Override.ByRegex("/5 min$/", Set.Dotted)],
            },
            new Row("Admission"),
            new TimeSeries(8, 8, "Waiting", "Requests that wait for a slot: all, and the ten models with the longest queues. Somebody always waiting means fewer slots than work; waiting while nothing is answered means that it stands still. Runbooks RequestsWaiting, QueueNotDraining, QueueOverflow.")
            {
                Queries =
                [
                    Query.Of("max_over_time(hazumu:gateway_queued:sum[$__rate_interval])", "all"),
                    Query.Top(10, """max_over_time(model:hazumu_gateway_queued:sum{model=~"$model"}[$__rate_interval])""", "{{model}}"),
                ],
                Unit = "suffix:requests",
                Min = 0,
                Decimals = 0,
                Links = [Link.LogsOfThatMinute("${instance:queryparam}&${model:queryparam}")],
                Overrides = [Override.ByName("all", Set.Color(Colors.Orange))],
            },
            new TimeSeries(8, 8, "Time in the queue", "How long requests waited for a slot; 0 where they did not wait. Of those whose model was in memory.")
            {
                Queries =
                [
                    Query.Of("""phase_cold:hazumu_gateway_request_phase_seconds:quantile5m{phase="queue",cold="false",quantile="0.5"}""", "p50"),
                    Query.Of("""phase_cold:hazumu_gateway_request_phase_seconds:quantile5m{phase="queue",cold="false",quantile="0.95"}""", "p95"),
                    Query.Of("""phase_cold:hazumu_gateway_request_phase_seconds:quantile5m{phase="queue",cold="false",quantile="0.99"}""", "p99"),
                ],
                Unit = "s",
                Min = 0,
                Fill = 0,
                Links = [Link.LogsOfThatMinute("${instance:queryparam}&${model:queryparam}")],
                Overrides = [.. Override.Percentiles],
            },
            new TimeSeries(8, 8, "Slots in use", "Share of an instance's slots for a model that is in use. All at 100 % and somebody waiting: more slots (Hazumu:Ollama:Parallel) or instances. One at 100 % and another idle: the model is only in one memory.")
            {
                Queries = Query.Fleet(10, """avg_over_time(hazumu_instance_model:hazumu_gateway_slots_used:ratio{model=~"$model",hazumu_instance=~"(?:$instance)(@.+)?"}[$__rate_interval])""", "{{model}} at {{hazumu_instance}}"),
                Unit = "percentunit",
                Min = 0,
                Max = 1,
                Fill = 0,
            },
            new TimeSeries(8, 7, "Under way", "Requests under way by dialect, those that wait included. A line that only rises is of clients that never let go.")
            {
                Queries = [Query.Of("max_over_time(sum by (dialect) (hazumu_gateway_in_flight)[$__rate_interval:15s])", "{{dialect}}")],
                Unit = "suffix:requests",
                Min = 0,
                Decimals = 0,
                Stacked = true,
            },
            new TimeSeries(8, 7, "Requests by instance", "Requests per second that each instance answered: how the work is shared. Uneven is normal where models are in one memory only.")
            {
                Queries = Query.Fleet(10, """sum by (hazumu_instance) (rate(hazumu_gateway_request_phase_seconds_count{phase="overhead",model=~"$model",hazumu_instance=~"(?:$instance)(@.+)?"}[$__rate_interval]))""", "{{hazumu_instance}}"),
                Unit = "reqps",
                Min = 0,
                Fill = 0,
            },
            new TimeSeries(8, 7, "Clients that went away", "Requests per second whose client closed the connection: in the queue, before the first byte (prefill) or after it (decode). Many in the queue or prefill: people do not wait that long.")
            {
                Queries = [Query.OrNone("""sum by (phase) (rate(hazumu_gateway_disconnects_total{model=~"$model",hazumu_instance=~"(?:$instance)(@.+)?|"}[$__rate_interval]))""", "phase", """up{job="gateway"} == 1""", "{{phase}}")],
                Unit = "reqps",
                Min = 0,
                Overrides = [.. Override.Phases],
            },
            new Row("Instances"),
            new StateTimeline(8, 6, "Instances up", "What the gateway thinks of each instance; of a fleet, those that were down. Down here but up in Ollama monitoring: the way between the two is cut (runbook OllamaUnreachableFromGateway). Of an engine without a probe: runbook EngineDown.")
            {
                Queries = Query.Rows("""min by (hazumu_instance) (hazumu_gateway_instance_up{hazumu_instance=~"(?:$instance)(@.+)?"})""", isHighBad: false, "< 1", "{{hazumu_instance}}"),
                States = [Mapping.Value("1", Colors.Green, "Up"), Mapping.Value("0", Colors.Red, "Down")],
            },
            new StateTimeline(8, 6, "Circuits over time", "Of a fleet, the circuits that were not closed. Open: several failures in a row, so the gateway sends the instance nothing; half-open: one request is tried. Runbook CircuitOpen.")
            {
                Queries = Query.Rows("""max by (hazumu_instance) (hazumu_gateway_circuit_state{hazumu_instance=~"(?:$instance)(@.+)?"})""", isHighBad: true, "> 0", "{{hazumu_instance}}"),
                States = [Mapping.Value("0", Colors.Green, "Closed"), Mapping.Value("1", Colors.Yellow, "Half-open"), Mapping.Value("2", Colors.Red, "Open")],
            },
            new TimeSeries(8, 6, "Retries", "Attempts per second after a request's first, by the instance that was tried again. 0 is well; more means that first attempts fail before a byte is sent, which clients do not see yet.")
            {
                Queries = [Query.Top(12, """sum by (hazumu_instance) (hazumu_instance:hazumu_gateway_retries:rate5m{hazumu_instance=~"(?:$instance)(@.+)?"}) or sum by (hazumu_instance) (hazumu_gateway_instance_up{hazumu_instance=~"(?:$instance)(@.+)?"}) * 0""", "{{hazumu_instance}}")],
                Unit = "suffix:attempts/s",
                Min = 0,
                Links = [Link.LogsOfThatMinute("${instance:queryparam}&${model:queryparam}")],
            },
            new Row("What the gateway costs"),
            new TimeSeries(8, 7, "Overhead", "Time that the gateway itself adds to a request: neither the engine's nor the client's. Below a millisecond is usual; more means that its CPU is short.")
            {
                Queries =
                [
                    Query.Of("""phase_cold:hazumu_gateway_request_phase_seconds:quantile5m{phase="overhead",cold="false",quantile="0.5"}""", "p50"),
                    Query.Of("""phase_cold:hazumu_gateway_request_phase_seconds:quantile5m{phase="overhead",cold="false",quantile="0.95"}""", "p95"),
                    Query.Of("""phase_cold:hazumu_gateway_request_phase_seconds:quantile5m{phase="overhead",cold="false",quantile="0.99"}""", "p99"),
                ],
                Unit = "s",
                Min = 0,
                Fill = 0,
                Links = [Link.LogsOfThatMinute("${instance:queryparam}&${model:queryparam}")],
                Overrides = [.. Override.Percentiles],
            },
            new TimeSeries(8, 7, "CPU of the gateway", "Processor cores in use, and the share of the time that the collector stops everything (right).")
            {
                Queries =
                [
                    Query.Of("""sum by (instance) (rate(dotnet_process_cpu_time_seconds_total{job="gateway"}[$__rate_interval]))""", "{{instance}}"),
                    Query.Of("""sum by (instance) (rate(dotnet_gc_pause_time_seconds_total{job="gateway"}[$__rate_interval]))""", "{{instance}} paused"),
                ],
                Unit = "suffix:cores",
                Min = 0,
                Overrides = [Override.ByRegex("/paused$/", Set.Unit("percentunit"), Set.RightAxis, Set.NoFill)],
            },
            new TimeSeries(8, 7, "Memory and connections", "Memory that the process holds, and open connections of clients (right). About 31 KiB belong to each open stream (bench/README.md); memory that rises without connections is a leak.")
            {
                Queries =
                [
                    Query.Of("""sum by (instance) (dotnet_process_memory_working_set_bytes{job="gateway"})""", "{{instance}}"),
                    Query.Of("""sum by (instance) (kestrel_active_connections{job="gateway"})""", "{{instance}} connections"),
                ],
                Unit = "bytes",
                Min = 0,
                Overrides = [Override.ByRegex("/connections$/", Set.Unit("suffix:connections"), Set.RightAxis, Set.NoFill)],
            },
            new Row("Several gateways"),
            new StateTimeline(12, 6, "Who admits", "Of several gateways one admits for all; exactly one row is to say so, but for a moment when another takes over (runbook AdmissionSplit).")
            {
                Queries = [Query.Of("max by (instance) (hazumu_gateway_admits)", "{{instance}}")],
                States = [Mapping.Value("1", Colors.Green, "Admits"), Mapping.Value("0", Colors.Yellow, "Asks another")],
            },
            new TimeSeries(12, 6, "Peers that each gateway sees", "Other gateways that each is connected to: with two gateways 1, with one 0. Fewer than there are: the store or the network between them fails (runbooks AdmissionStoreDown and AdmissionSplit).")
            {
                Queries = [Query.Of("max by (instance) (hazumu_gateway_peers)", "{{instance}}")],
                Unit = "suffix:gateways",
                Min = 0,
                Decimals = 0,
                Fill = 0,
            },
        ])
    {
        Alerts = "Gateway.+|Request.+|Queue.+|Circuit.+|OllamaUnreachable.*|EngineDown|Admission.+|Key.+|Address.+|AccessLog.+",
        Variables = [Variable.Instance, Variable.Model],
    };
}
