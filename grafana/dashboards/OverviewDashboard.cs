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
            new Stat(4, 4, "Requests that fail", "Share of the last five minutes' requests to models that failed through no fault of their client. From half on it pages (RequestsFailing). Next: the errors by kind on the Gateway dashboard.")
            {
                Queries = [Query.Of("hazumu:gen_ai_server_requests_failed:ratio_rate5m", "failing")],
                Unit = "percentunit",
                Min = 0,
                Max = 1,
                Decimals = 1,
                Thresholds = [new(Colors.Green), new(0.01, Colors.Yellow), new(0.5, Colors.Red)],
                Links = [Link.To("Gateway: errors by kind", "hazumu-gateway")],
            },
            new Stat(4, 4, "Fastest budget burn", "How many times faster than allowed the error budget burns that burns fastest, over an hour. 1 is just right; 6 and 14.4 are where alerts wake somebody (runbooks …BurnFast). Next: Gateway for errors, Inference for slowness.")
            {
                Queries = [Query.Of("topk(1, slo:hazumu_error_budget:burn_rate1h)", "{{slo}}")],
                Unit = "suffix:×",
                Min = 0,
                Decimals = 1,
                Thresholds = [new(Colors.Green), new(1, Colors.Yellow), new(6, Colors.Red)],
                ShowsName = true,
                Links = [Link.To("Gateway: burn rates", "hazumu-gateway"), Link.To("Inference: latency", "hazumu-inference")],
            },
            new Stat(6, 4, "Instances", "How many of the engines that the gateway knows do not answer, and which: nothing is sent there. 0 is well. Runbooks OllamaDown, OllamaUnreachable, OllamaUnreachableFromGateway, EngineDown.")
            {
                Queries = Query.NotWell("""instance:hazumu_gateway_instance_up:min{instance=~"$instance"}""", "== 0", "down", "{{instance}}"),
                Decimals = 0,
                Thresholds = [new(Colors.Green), new(1, Colors.Red)],
                ShowsName = true,
                Overrides = [Override.OfQuery("B", Set.Mappings(Mapping.Value("0", Colors.Red, "Down")))],
                Links = [Link.To("Ollama monitoring", "ollama-monitoring"), Link.To("Gateway: instances", "hazumu-gateway")],
            },
            new Table(10, 8, "Alerts firing", "Every alert that fires now, the Watchdog aside, the newest last; none while nothing fires. No data: Prometheus evaluates no rules. Critical wakes somebody, a warning is for a working day. docs/runbooks has a page of the alert's name: what it means, what to look at, what to do.")
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
            new BarGauge(6, 4, "Error budget left", "What is left of each error budget of 14 days (targets.yaml promises, slo.yaml counts). 100 %: nothing bad happened. At 0 % and below the promise is broken: no risky change until it recovers.")
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
            new Stat(4, 4, "Circuits", "How many circuits are not closed, and which: open, the instance failed several requests in a row, and the gateway sends it nothing until a trial succeeds. 0 is well. Runbook CircuitOpen.")
            {
                Queries = Query.NotWell("""instance:hazumu_gateway_circuit_state:max{instance=~"$instance"}""", "> 0", "open", "{{instance}}"),
                Decimals = 0,
                Thresholds = [new(Colors.Green), new(1, Colors.Red)],
                ShowsName = true,
                Overrides = [Override.OfQuery("B", Set.Mappings(Mapping.Value("1", Colors.Yellow, "Half-open"), Mapping.Value("2", Colors.Red, "Open")))],
                Links = [Link.To("Gateway: instances", "hazumu-gateway")],
            },
            new Stat(4, 4, "Targets down", "Scrape targets that do not answer. What they would tell is unknown, and alerts that need it are mute. Runbooks ScrapeFailing, TargetMissing.")
            {
                Queries = [Query.Of("count(up == 0) or vector(0)", "targets")],
                Min = 0,
                Decimals = 0,
                Thresholds = [new(Colors.Green), new(1, Colors.Red)],
                Links = [Link.To("Monitoring itself: every target", "hazumu-monitoring")],
            },
            new TimeSeries(8, 7, "Waiting and running", "Requests that wait for a slot, and the share of the slots that is in use. Slots at 100 % without anybody waiting is a busy, healthy system; somebody always waiting means too few slots. Runbooks RequestsWaiting, QueueNotDraining.")
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
            new TimeSeries(8, 7, "Tokens", "Tokens per second of all models together: read from prompts, and made. Falling output under the same load means slower engines: see Inference.")
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
            new TimeSeries(8, 7, "Requests", "Requests per second by how they ended, of every route. Anything but success that grows deserves a look at Gateway, errors by kind.")
            {
                Queries = Query.Outcomes,
                Unit = "reqps",
                Min = 0,
                Stacked = true,
                Links = [Link.To("Gateway: errors by kind", "hazumu-gateway"), Link.LogsOfThatMinute()],
                Overrides = Override.Outcomes,
            },
            new TimeSeries(8, 7, "Time to first token", "Until the first byte of a stream: median and 95th percentile where the model was in memory (warm) and where it had to be loaded (cold), and what is promised (dashed, where it is near). Above the dashed line the budget burns. Next: its phases on Inference. Runbook TimeToFirstTokenBurnFast.")
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
            new TimeSeries(8, 7, "Time per token", "From one token to the next of warm streams, median and 95th percentile, and what is promised (dashed, where it is near). It grows with the length of the context, with requests in parallel, and where a model is not wholly on the GPU. Runbook TimePerOutputTokenBurnFast.")
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
            new TimeSeries(8, 7, "GPUs", "How busy each GPU is, and how much of its memory is in use; the six highest of each. Busy at 100 % with nobody waiting is healthy; memory above 97 % is not (GpuMemoryNearlyFull). Nothing here: there is no GPU, or its exporter is left out.")
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
