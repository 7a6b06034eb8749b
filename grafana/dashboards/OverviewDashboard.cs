namespace Hazumu.Grafana;

/// <summary>The dashboard "Overview".</summary>
internal static class OverviewDashboard
{
    /// <summary>Its definition.</summary>
    public static Dashboard Create() => new(
        "hazumu-overview",
        "Overview",
        "Is it well? One screen: what is promised, what fires, who waits, how fast it answers, how full the GPUs are.",
        [
            new Stat(4, 4, "Requests that fail", "Share of the last five minutes' requests to models that failed, without failures that clients cause. An alert pages above one half (RequestsFailing). Next: the errors by kind on the Gateway dashboard.")
            {
                Queries = [Query.Of("hazumu:gen_ai_server_requests_failed:ratio_rate5m", "failing")],
                Unit = "percentunit",
                Min = 0,
                Max = 1,
                Decimals = 1,
                Thresholds = [new(Colors.Green), new(0.01, Colors.Yellow), new(0.5, Colors.Red)],
                Links = [Link.To("Gateway: errors by kind", "hazumu-gateway")],
            },
            new Stat(4, 4, "Fastest budget burn", "The error budget that burns fastest, over an hour: how many times faster than allowed. At 1, the budget lasts exactly for its period; alerts page at 6 and 14.4 (runbooks …BurnFast). Next: Gateway for errors, Inference for slowness.")
            {
                Queries = [Query.Of("topk(1, slo:hazumu_error_budget:burn_rate1h)", "{{slo}}")],
                Unit = "suffix:×",
                Min = 0,
                Decimals = 1,
                Thresholds = [new(Colors.Green), new(1, Colors.Yellow), new(6, Colors.Red)],
                ShowsName = true,
                Links = [Link.To("Gateway: burn rates", "hazumu-gateway"), Link.To("Inference: latency", "hazumu-inference")],
            },
            new Stat(6, 4, "Instances", "The engines that do not answer the gateway, which sends them no requests. 0 is good. Runbooks EngineDown, EngineUnreachable, EngineUnreachableFromGateway, ExternalEngineDown.")
            {
                Queries = Query.NotWell("""instance:hazumu_gateway_instance_up:min{instance=~"$instance"}""", "== 0", "down", "{{instance}}"),
                Decimals = 0,
                Thresholds = [new(Colors.Green), new(1, Colors.Red)],
                ShowsName = true,
                Overrides = [Override.OfQuery("B", Set.Mappings(Mapping.Value("0", Colors.Red, "Down")))],
                Links = [Link.To("Engines", "hazumu-engines"), Link.To("Gateway: instances", "hazumu-gateway")],
            },
            new Table(10, 8, "Alerts firing", "Every alert that fires now, without the Watchdog, the newest last; none if no alert fires. No data: Prometheus evaluates no rules. Act on a critical alert now, on a warning on a working day. docs/runbooks has a page for each alert: its meaning, what to check, how to cure it.")
            {
                Queries = [Query.OrNone("""max by (severity, alertname, job, instance, model, gpu, device) (ALERTS_FOR_STATE{alertname!="Watchdog"} and ignoring (alertstate) ALERTS{alertstate="firing"}) * 1000""", "alertname", "prometheus_rule_group_interval_seconds", "{{alertname}}")],
                Unit = "string",
                Overrides =
                [
                    Override.ByName("severity", Set.Width(90), Set.ColoredCell, Set.Mappings(Mapping.Value("critical", Colors.Red), Mapping.Value("warning", Colors.Yellow), Mapping.Value("info", Colors.Blue))),
                    Override.ByName("alertname", Set.Name("alert"), Set.Links(new Link("The rule, its text and its runbook", "/alerting/list?search=rule:${__value.raw}"))),
                    Override.ByName("Value", Set.Name("since"), Set.Unit("dateTimeFromNow"), Set.Width(130)),
                ],
                SortBy = "severity",
                Columns = ["severity", "alertname", "instance", "model", "gpu", "device", "job", "Value"],
            },
            new BarGauge(6, 4, "Error budget left", "The rest of each error budget of 14 days (objectives in targets.yaml, counted in slo.yaml). 100 %: no bad requests. At 0 % and below, the objective is missed: make no risky changes until it recovers.")
            {
                Queries = [Query.Of("slo:hazumu_error_budget:remaining_ratio14d", "{{slo}}")],
                Unit = "percentunit",
                Min = 0,
                Max = 1,
                Decimals = 1,
                Name = "${__field.labels.slo}",
                Thresholds = [new(Colors.Red), new(0.25, Colors.Yellow), new(0.5, Colors.Green)],
                Links = [Link.To("Gateway: burn rates", "hazumu-gateway"), Link.To("Inference: latency", "hazumu-inference")],
            },
            new Stat(4, 4, "Circuits", "The circuits that are not closed. Open: several requests in a row failed, and the gateway sends the instance no requests until a trial succeeds. 0 is good. Runbook CircuitOpen.")
            {
                Queries = Query.NotWell("""instance:hazumu_gateway_circuit_state:max{instance=~"$instance"}""", "> 0", "open", "{{instance}}"),
                Decimals = 0,
                Thresholds = [new(Colors.Green), new(1, Colors.Red)],
                ShowsName = true,
                Overrides = [Override.OfQuery("B", Set.Mappings(Mapping.Value("1", Colors.Yellow, "Half-open"), Mapping.Value("2", Colors.Red, "Open")))],
                Links = [Link.To("Gateway: instances", "hazumu-gateway")],
            },
            new Stat(4, 4, "Targets down", "Scrape targets that do not answer. Their metrics are missing, and alerts that need them cannot fire. Runbooks ScrapeFailing, TargetMissing.")
            {
                Queries = [Query.Of("count(up == 0) or vector(0)", "targets")],
                Min = 0,
                Decimals = 0,
                Thresholds = [new(Colors.Green), new(1, Colors.Red)],
                Links = [Link.To("Monitoring itself: every target", "hazumu-monitoring")],
            },
            new TimeSeries(8, 7, "Waiting and running", "Requests that wait for a slot, and the share of the slots in use. Slots at 100 % with an empty queue show a busy, healthy system; if requests always wait, there are too few slots. Runbooks RequestsWaiting, QueueNotDraining.")
            {
                Queries =
                [
                    Query.Of("max_over_time(hazumu:gateway_queued:sum[$__rate_interval])", "waiting"),
                    Query.Of("max_over_time(sum(hazumu_gateway_in_flight)[$__rate_interval:15s])", "under way"),
                    Query.Of("avg_over_time(hazumu:gateway_slots_used:ratio[$__rate_interval])", "slots in use"),
                ],
                Unit = "suffix:requests",
                Min = 0,
                Links = [Link.To("Gateway: admission", "hazumu-gateway")],
                Overrides =
                [
                    Override.ByName("waiting", Set.Color(Colors.Orange)),
                    Override.ByName("under way", Set.Color(Colors.Blue)),
                    Override.ByName("slots in use", Set.Unit("percentunit"), Set.Max(1), Set.RightAxis, Set.NoFill, Set.Color(Colors.Purple)),
                ],
            },
            new TimeSeries(8, 7, "Tokens", "Tokens per second of all models together: read from prompts, and generated. Falling output under the same load means slower engines: see Inference.")
            {
                Queries =
                [
                    Query.Of("""type:gen_ai_tokens:rate5m{type="output"}""", "output"),
                    Query.Of("""type:gen_ai_tokens:rate5m{type="input"}""", "input"),
                ],
                Unit = "suffix:tokens/s",
                Min = 0,
                Links = [Link.To("Inference: throughput", "hazumu-inference")],
                Overrides =
                [
                    Override.ByName("output", Set.Color(Colors.Blue)),
                    Override.ByName("input", Set.Color(Colors.Purple)),
                ],
            },
            new TimeSeries(8, 7, "Requests", "Requests per second by outcome, of every route. If an outcome other than success grows, see Gateway, Errors by kind.")
            {
                Queries = Query.Outcomes,
                Unit = "reqps",
                Min = 0,
                Stacked = true,
                Links = [Link.To("Gateway: errors by kind", "hazumu-gateway"), Link.LogsOfThatMinute()],
                Overrides = Override.Outcomes,
            },
            new TimeSeries(8, 7, "Time to first token", "Time until the first byte of a stream: median and 95th percentile with the model in memory (warm) and with a model that had to be loaded (cold), and the objective (dashed, if it is near). Above the dashed line, the budget burns. Next: its phases on Inference. Runbook TimeToFirstTokenBurnFast.")
            {
                Queries =
                [
                    Query.Of("""cold:gen_ai_server_time_to_first_token_seconds:quantile5m{cold="false",quantile="0.5"}""", "p50 warm"),
                    Query.Of("""cold:gen_ai_server_time_to_first_token_seconds:quantile5m{cold="false",quantile="0.95"}""", "p95 warm"),
                    Query.Promise("time_to_first_token", """cold:gen_ai_server_time_to_first_token_seconds:quantile5m{cold="false",quantile="0.95"}""", "promised warm"),
                    Query.Of("""cold:gen_ai_server_time_to_first_token_seconds:quantile5m{cold="true",quantile="0.5"}""", "p50 cold"),
                    Query.Of("""cold:gen_ai_server_time_to_first_token_seconds:quantile5m{cold="true",quantile="0.95"}""", "p95 cold"),
                    Query.Promise("time_to_first_token_cold", """cold:gen_ai_server_time_to_first_token_seconds:quantile5m{cold="true",quantile="0.95"}""", "promised cold"),
                ],
                Unit = "s",
                Logarithmic = true,
                Fill = 0,
                Links = [Link.To("Inference: phases", "hazumu-inference"), Link.LogsOfThatMinute()],
                Overrides =
                [
                    .. Override.Percentiles,
                    Override.Cold,
                    Override.Promise,
                ],
            },
            new TimeSeries(8, 7, "Time per token", "Time from one token to the next of warm streams, median and 95th percentile, and the objective (dashed, if it is near). It grows with the length of the context, with requests in parallel, and if a model is not completely on the GPU. Runbook TimePerOutputTokenBurnFast.")
            {
                Queries =
                [
                    Query.Of("""cold:gen_ai_server_time_per_output_token_seconds:quantile5m{cold="false",quantile="0.5"}""", "p50"),
                    Query.Of("""cold:gen_ai_server_time_per_output_token_seconds:quantile5m{cold="false",quantile="0.95"}""", "p95"),
                    Query.Promise("time_per_output_token", """cold:gen_ai_server_time_per_output_token_seconds:quantile5m{cold="false",quantile="0.95"}"""),
                ],
                Unit = "s",
                Min = 0,
                Fill = 0,
                Links = [Link.To("Inference: per model and instance", "hazumu-inference"), Link.LogsOfThatMinute()],
                Overrides =
                [
                    .. Override.Percentiles,
                    Override.Promise,
                ],
            },
            new TimeSeries(8, 7, "GPUs", "How busy each GPU is, and how much of its memory is in use; the six highest of each. 100 % busy with an empty queue is healthy; memory above 97 % is not (GpuMemoryNearlyFull). No data: there is no GPU, or its exporter is disabled.")
            {
                Queries =
                [
                    Query.Top(6, "hazumu:gpu_utilization:ratio", "{{gpu}} busy"),
                    Query.Top(6, "hazumu:gpu_memory_used:ratio", "{{gpu}} memory"),
                ],
                Unit = "percentunit",
                Min = 0,
                Max = 1,
                Fill = 0,
                Links = [Link.To("Host and GPU", "hazumu-host-gpu")],
                Overrides = [Override.ByRegex("/memory$/", Set.Dotted)],
            },
        ])
    {
        Variables = [Variable.Instance],
    };
}
