namespace Hazumu.Grafana;

/// <summary>The dashboard "Gateway".</summary>
internal static class GatewayDashboard
{
    /// <summary>Its definition.</summary>
    public static Dashboard Create() => new(
        "hazumu-gateway",
        "Gateway",
        "How the gateway handles requests: errors and budgets, admission, retries and circuits, and its own cost.",
        [
            new Row("Errors and budgets"),
            new TimeSeries(8, 8, "Requests by outcome", "Requests per second by outcome, of every route. Errors that clients cause (bad_request, unauthorized, rate_limited, client_disconnect, engine_refused) burn no budget.")
            {
                Queries = Query.Outcomes,
                Unit = "reqps",
                Min = 0,
                Stacked = true,
                Links = [Link.LogsOfThatMinute("${instance:queryparam}&${model:queryparam}")],
                Overrides = Override.Outcomes,
            },
            new TimeSeries(8, 8, "Errors by kind", "Requests per second that failed or were refused, the most frequent ones, by kind and by the instance that was tried last (no instance if none was tried). engine_unreachable, engine_error and the stream_ kinds point to that instance, queue_full and queue_timeout to too few slots. A series named none means no errors; no data means that the gateway is not scraped. Runbooks RequestsFailing, RequestErrorsBurnFast.")
            {
                Queries = [Query.OrNone(Query.Highest(11, """hazumu_instance_error_type:hazumu_gateway_errors:rate5m{hazumu_instance=~"(?:$instance)(@.+)?|"}"""), "error_type", """up{job="gateway"} == 1""", "{{error_type}} {{hazumu_instance}}")],
                Unit = "reqps",
                Min = 0,
                Links = [Link.LogsOfThatMinute("${instance:queryparam}&${model:queryparam}")],
            },
            new TimeSeries(8, 8, "Burn of the error budgets", "How many times faster than allowed each error budget burns, over an hour and over five minutes (dotted). At 1, the budget lasts exactly for its period. Both above 14.4, or above 6 over six hours, page; runbooks …BurnFast.")
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
            new TimeSeries(8, 8, "Waiting", "Requests that wait for a slot: all, and the ten models with the longest queues. If requests always wait, there are too few slots for the load. If requests wait and none is answered, the queue does not move. Runbooks RequestsWaiting, QueueNotDraining, QueueOverflow.")
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
            new TimeSeries(8, 8, "Time in the queue", "How long requests waited for a slot; 0 if they did not wait. Only requests whose model was in memory.")
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
            new TimeSeries(8, 8, "Slots in use", "Share of an instance's slots for a model that is in use. If all are at 100 % and requests wait, add slots (Hazumu:Ollama:Parallel) or instances. If one is at 100 % and another is idle, the model is in memory at one instance only.")
            {
                Queries = Query.Fleet(10, """avg_over_time(hazumu_instance_model:hazumu_gateway_slots_used:ratio{model=~"$model",hazumu_instance=~"(?:$instance)(@.+)?"}[$__rate_interval])""", "{{model}} at {{hazumu_instance}}"),
                Unit = "percentunit",
                Min = 0,
                Max = 1,
                Fill = 0,
            },
            new TimeSeries(8, 7, "Under way", "Requests in progress by dialect, including queued ones. A line that only rises shows clients that never close their requests.")
            {
                Queries = [Query.Of("max_over_time(sum by (dialect) (hazumu_gateway_in_flight)[$__rate_interval:15s])", "{{dialect}}")],
                Unit = "suffix:requests",
                Min = 0,
                Decimals = 0,
                Stacked = true,
            },
            new TimeSeries(8, 7, "Requests by instance", "Requests per second that each instance answered: how the load is distributed. An uneven distribution is normal if models are in memory at one instance only.")
            {
                Queries = Query.Fleet(10, """sum by (hazumu_instance) (rate(hazumu_gateway_request_phase_seconds_count{phase="overhead",model=~"$model",hazumu_instance=~"(?:$instance)(@.+)?"}[$__rate_interval]))""", "{{hazumu_instance}}"),
                Unit = "reqps",
                Min = 0,
                Fill = 0,
            },
            new TimeSeries(8, 7, "Clients that went away", "Requests per second whose client closed the connection: in the queue, before the first byte (prefill) or after it (decode). Many in the queue or in prefill: users do not wait that long.")
            {
                Queries = [Query.OrNone("""sum by (phase) (rate(hazumu_gateway_disconnects_total{model=~"$model",hazumu_instance=~"(?:$instance)(@.+)?|"}[$__rate_interval]))""", "phase", """up{job="gateway"} == 1""", "{{phase}}")],
                Unit = "reqps",
                Min = 0,
                Overrides = [.. Override.Phases],
            },
            new Row("Instances"),
            new StateTimeline(8, 6, "Instances up", "Whether the gateway reaches each instance; with many instances, only those that were down. Down here but up in the dashboard Engines: the connection between gateway and instance is interrupted (runbook EngineUnreachableFromGateway). For an engine outside this installation, see runbook ExternalEngineDown.")
            {
                Queries = Query.Rows("""min by (hazumu_instance) (hazumu_gateway_instance_up{hazumu_instance=~"(?:$instance)(@.+)?"})""", isHighBad: false, "< 1", "{{hazumu_instance}}"),
                States = [Mapping.Value("1", Colors.Green, "Up"), Mapping.Value("0", Colors.Red, "Down")],
            },
            new StateTimeline(8, 6, "Circuits over time", "The circuit of each instance; with many instances, only those that were not closed. Open: several requests in a row failed, so the gateway sends the instance no requests; half-open: one trial request is sent. Runbook CircuitOpen.")
            {
                Queries = Query.Rows("""max by (hazumu_instance) (hazumu_gateway_circuit_state{hazumu_instance=~"(?:$instance)(@.+)?"})""", isHighBad: true, "> 0", "{{hazumu_instance}}"),
                States = [Mapping.Value("0", Colors.Green, "Closed"), Mapping.Value("1", Colors.Yellow, "Half-open"), Mapping.Value("2", Colors.Red, "Open")],
            },
            new TimeSeries(8, 6, "Retries", "Attempts per second after the first attempt of a request, by the instance of the new attempt. 0 is normal; more means that first attempts fail before a byte is sent, which clients do not see yet.")
            {
                Queries = [Query.Top(12, """sum by (hazumu_instance) (hazumu_instance:hazumu_gateway_retries:rate5m{hazumu_instance=~"(?:$instance)(@.+)?"}) or sum by (hazumu_instance) (hazumu_gateway_instance_up{hazumu_instance=~"(?:$instance)(@.+)?"}) * 0""", "{{hazumu_instance}}")],
                Unit = "suffix:attempts/s",
                Min = 0,
                Links = [Link.LogsOfThatMinute("${instance:queryparam}&${model:queryparam}")],
            },
            new Row("Cost of the gateway"),
            new TimeSeries(8, 7, "Overhead", "Time that the gateway itself adds to a request, without the time of the engine and the client. Below a millisecond is usual; more means that the gateway needs more CPU.")
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
            new TimeSeries(8, 7, "CPU of the gateway", "Processor cores in use, and the share of the time for which the garbage collector pauses the process (right).")
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
            new TimeSeries(8, 7, "Memory and connections", "Memory of the process, and open client connections (right). Each open stream needs about 31 KiB (bench/README.md); memory that rises without connections is a leak.")
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
            new StateTimeline(12, 6, "Admitting gateway", "Of several gateways, one admits requests for all. Exactly one row must show Admits, except for a moment when another gateway takes over (runbook AdmissionSplit).")
            {
                Queries = [Query.Of("max by (instance) (hazumu_gateway_admits)", "{{instance}}")],
                States = [Mapping.Value("1", Colors.Green, "Admits"), Mapping.Value("0", Colors.Yellow, "Follows another")],
            },
            new TimeSeries(12, 6, "Peers that each gateway sees", "Other gateways to which each gateway is connected: 1 with two gateways, 0 with one. A lower number means that the store or the network between them fails (runbooks AdmissionStoreDown and AdmissionSplit).")
            {
                Queries = [Query.Of("max by (instance) (hazumu_gateway_peers)", "{{instance}}")],
                Unit = "suffix:gateways",
                Min = 0,
                Decimals = 0,
                Fill = 0,
            },
        ])
    {
        Alerts = "Gateway.+|Request.+|Queue.+|Circuit.+|EngineUnreachable.*|ExternalEngineDown|Admission.+|Key.+|Address.+|AccessLog.+",
        Variables = [Variable.Instance, Variable.Model],
    };
}
