namespace Hazumu.Grafana;

/// <summary>The dashboard "Inference".</summary>
internal static class InferenceDashboard
{
    /// <summary>Its definition.</summary>
    public static Dashboard Create() => new(
        "hazumu-inference",
        "Inference",
        "How fast models answer and where the time goes: by phase, cold and warm, by model, key and instance; the models in memory.",
        [
            new Row("Latency and objectives, all models"),
            new TimeSeries(8, 8, "Time to first token, warm", "Time until the first byte of a stream whose model was in memory, and the objective (dashed, if it is near). If the time is above the line, check in Phases whether the queue or the prefill grew. Runbooks TimeToFirstTokenBurnFast and …Slow.")
            {
                Queries =
                [
                    Query.Of("""cold:gen_ai_server_time_to_first_token_seconds:quantile5m{cold="false",quantile="0.5"}""", "p50"),
                    Query.Of("""cold:gen_ai_server_time_to_first_token_seconds:quantile5m{cold="false",quantile="0.95"}""", "p95"),
                    Query.Of("""cold:gen_ai_server_time_to_first_token_seconds:quantile5m{cold="false",quantile="0.99"}""", "p99"),
                    Query.Promise("time_to_first_token", """cold:gen_ai_server_time_to_first_token_seconds:quantile5m{cold="false",quantile="0.99"}"""),
                ],
                Unit = "s",
                Min = 0,
                Fill = 0,
                Links = [Link.LogsOfThatMinute("${instance:queryparam}&${model:queryparam}")],
                Overrides =
                [
                    .. Override.Percentiles,
                    Override.Promise,
                ],
            },
            new TimeSeries(8, 8, "Time to first token, cold", "The same for streams whose model had to be loaded first. Usually the load itself takes the time: it depends on the disk, the size of the model, and whether another model had to be unloaded. Runbook TimeToFirstTokenBurnFast.")
            {
                Queries =
                [
                    Query.Of("""cold:gen_ai_server_time_to_first_token_seconds:quantile5m{cold="true",quantile="0.5"}""", "p50"),
                    Query.Of("""cold:gen_ai_server_time_to_first_token_seconds:quantile5m{cold="true",quantile="0.95"}""", "p95"),
                    Query.Of("""cold:gen_ai_server_time_to_first_token_seconds:quantile5m{cold="true",quantile="0.99"}""", "p99"),
                    Query.Promise("time_to_first_token_cold", """cold:gen_ai_server_time_to_first_token_seconds:quantile5m{cold="true",quantile="0.99"}"""),
                ],
                Unit = "s",
                Min = 0,
                Fill = 0,
                Links = [Link.LogsOfThatMinute("${instance:queryparam}&${model:queryparam}")],
                Overrides =
                [
                    .. Override.Percentiles,
                    Override.Promise,
                ],
            },
            new TimeSeries(8, 8, "Time per token, warm", "Time from one token to the next, for each token after the first, and the objective (dashed, if it is near). Reasons for values above the line: a model that is partly on the CPU, a hot or throttled GPU, long contexts. Runbooks TimePerOutputTokenBurnFast and …Slow.")
            {
                Queries =
                [
                    Query.Of("""cold:gen_ai_server_time_per_output_token_seconds:quantile5m{cold="false",quantile="0.5"}""", "p50"),
                    Query.Of("""cold:gen_ai_server_time_per_output_token_seconds:quantile5m{cold="false",quantile="0.95"}""", "p95"),
                    Query.Of("""cold:gen_ai_server_time_per_output_token_seconds:quantile5m{cold="false",quantile="0.99"}""", "p99"),
                    Query.Promise("time_per_output_token", """cold:gen_ai_server_time_per_output_token_seconds:quantile5m{cold="false",quantile="0.99"}"""),
                ],
                Unit = "s",
                Min = 0,
                Fill = 0,
                Links = [Link.LogsOfThatMinute("${instance:queryparam}&${model:queryparam}")],
                Overrides =
                [
                    .. Override.Percentiles,
                    Override.Promise,
                ],
            },
            new Row("Time by phase"),
            new TimeSeries(8, 8, "Phases, warm (p95)", "95th percentile of each phase of requests whose model was in memory. Until the first token: queue (waiting for a slot), load and prefill (reading the prompt); after it: decode. For a long queue, add slots; for a long prefill, use shorter prompts or a prompt cache.")
            {
                Queries =
                [
                    Query.Of("""phase_cold:hazumu_gateway_request_phase_seconds:quantile5m{phase="queue",cold="false",quantile="0.95"}""", "queue"),
                    Query.Of("""phase_cold:hazumu_gateway_request_phase_seconds:quantile5m{phase="load",cold="false",quantile="0.95"}""", "load"),
                    Query.Of("""phase_cold:hazumu_gateway_request_phase_seconds:quantile5m{phase="prefill",cold="false",quantile="0.95"}""", "prefill"),
                    Query.Of("""phase_cold:hazumu_gateway_request_phase_seconds:quantile5m{phase="decode",cold="false",quantile="0.95"}""", "decode"),
                ],
                Unit = "s",
                Logarithmic = true,
                Fill = 0,
                Links = [Link.LogsOfThatMinute("${instance:queryparam}&${model:queryparam}")],
                Overrides = [.. Override.Phases],
            },
            new TimeSeries(8, 8, "Phases, cold (p95)", "The same for requests that had to wait until their model was loaded. The load should dominate; a queue beside it means that other models were loaded too.")
            {
                Queries =
                [
                    Query.Of("""phase_cold:hazumu_gateway_request_phase_seconds:quantile5m{phase="queue",cold="true",quantile="0.95"}""", "queue"),
                    Query.Of("""phase_cold:hazumu_gateway_request_phase_seconds:quantile5m{phase="load",cold="true",quantile="0.95"}""", "load"),
                    Query.Of("""phase_cold:hazumu_gateway_request_phase_seconds:quantile5m{phase="prefill",cold="true",quantile="0.95"}""", "prefill"),
                    Query.Of("""phase_cold:hazumu_gateway_request_phase_seconds:quantile5m{phase="decode",cold="true",quantile="0.95"}""", "decode"),
                ],
                Unit = "s",
                Logarithmic = true,
                Fill = 0,
                Links = [Link.LogsOfThatMinute("${instance:queryparam}&${model:queryparam}")],
                Overrides = [.. Override.Phases],
            },
            new TimeSeries(8, 8, "Phases by instance (mean)", "Mean of prefill and decode of warm requests at the slowest instances. An instance that is slower than others with the same models has a slower or hotter GPU, or a model that is partly on the CPU: see Host and GPU.")
            {
                Queries = [Query.Top(12, """hazumu_instance_phase_cold:hazumu_gateway_request_phase_seconds:mean5m{phase=~"prefill|decode",cold="false",hazumu_instance=~"(?:$instance)(@.+)?"}""", "{{hazumu_instance}} {{phase}}")],
                Unit = "s",
                Logarithmic = true,
                Fill = 0,
                Links = [Link.To("Host and GPU", "hazumu-host-gpu"), Link.LogsOfThatMinute("var-instance=${__field.labels.hazumu_instance}&${model:queryparam}")],
            },
            new Row("By model and instance"),
            new TimeSeries(8, 8, "First token by model (p95)", "95th percentile of the slowest models at their instances, warm and cold (dotted).")
            {
                Queries =
                [
                    Query.Top(6, """hazumu_instance_model_cold:gen_ai_server_time_to_first_token_seconds:quantile5m{cold="false",quantile="0.95",model=~"$model",hazumu_instance=~"(?:$instance)(@.+)?"}""", "{{model}} at {{hazumu_instance}}"),
                    Query.Top(6, """hazumu_instance_model_cold:gen_ai_server_time_to_first_token_seconds:quantile5m{cold="true",quantile="0.95",model=~"$model",hazumu_instance=~"(?:$instance)(@.+)?"}""", "{{model}} at {{hazumu_instance}} cold"),
                ],
                Unit = "s",
                Logarithmic = true,
                Fill = 0,
                Links = [Link.LogsOfThatMinute("${instance:queryparam}&var-model=${__field.labels.model}")],
                Overrides = [Override.Cold],
            },
            new TimeSeries(8, 8, "Time per token by model (p95)", "95th percentile of the slowest models at their instances, warm. A larger model is slower; if the same model is slower on one instance than on another, look at that instance.")
            {
                Queries = Query.Fleet(10, """hazumu_instance_model_cold:gen_ai_server_time_per_output_token_seconds:quantile5m{cold="false",quantile="0.95",model=~"$model",hazumu_instance=~"(?:$instance)(@.+)?"}""", "{{model}} at {{hazumu_instance}}"),
                Unit = "s",
                Min = 0,
                Fill = 0,
                Links = [Link.LogsOfThatMinute("${instance:queryparam}&var-model=${__field.labels.model}")],
            },
            new Heatmap(8, 8, "Time to first token, spread", "Number of streams of the chosen models by the time to their first byte. Two bands are two kinds of request, such as cold and warm or short and long prompts; percentiles hide that.")
            {
                Queries = [Query.Of("""sum by (le) (increase(gen_ai_server_time_to_first_token_seconds_bucket{gen_ai_request_model=~"$model"}[$__rate_interval]))""", "{{le}}")],
                Unit = "suffix:requests",
                Links = [Link.LogsOfThatMinute("${instance:queryparam}&${model:queryparam}")],
                BucketUnit = "s",
            },
            new Row("Throughput"),
            new TimeSeries(8, 8, "Tokens by model", "Tokens per second of the busiest models: generated (output) and read (input).")
            {
                Queries = [Query.Top(12, """model_type:gen_ai_tokens:rate5m{model=~"$model"}""", "{{model}} {{type}}")],
                Unit = "suffix:tokens/s",
                Min = 0,
            },
            new TimeSeries(8, 8, "Requests by model", "Requests per second to the busiest models: warm requests found the model in memory, cold ones had to wait until it was loaded. Many cold requests: there is too little memory for the models in use, or the keep-alive is too short. Runbook ModelThrashing.")
            {
                Queries =
                [
                    Query.Top(6, """model_cold:gen_ai_server_requests:rate5m{model=~"$model",cold="false"}""", "{{model}}"),
                    Query.Top(6, """model_cold:gen_ai_server_requests:rate5m{model=~"$model",cold="true"}""", "{{model}} cold"),
                ],
                Unit = "reqps",
                Min = 0,
                Overrides = [Override.Cold],
            },
            new TimeSeries(8, 8, "Prompt tokens from the cache", "Share of the prompts' tokens that the engine had in its cache and did not read again. It falls if conversations move between instances. Engines that do not report it show 0.")
            {
                Queries = [Query.Top(12, """sum by (gen_ai_request_model) (rate(gen_ai_client_inference_usage_cache_read_input_tokens_total{gen_ai_request_model=~"$model"}[$__rate_interval])) / (sum by (gen_ai_request_model) (rate(gen_ai_client_inference_usage_input_tokens_total{gen_ai_request_model=~"$model"}[$__rate_interval])) > 0)""", "{{gen_ai_request_model}}")],
                Unit = "percentunit",
                Min = 0,
                Max = 1,
            },
            new TimeSeries(8, 8, "Tokens by key", "Tokens per second of the ten busiest keys. If one key takes the capacity from the others, set a limit for it (docs/gateway.md).")
            {
                Queries = [Query.Top(10, "sum by (key) (key_type:hazumu_gateway_key_tokens:rate5m)", "{{key}}")],
                Unit = "suffix:tokens/s",
                Min = 0,
            },
            new TimeSeries(8, 8, "Requests by key", "Requests per second of the ten busiest keys, of every route.")
            {
                Queries = [Query.Top(10, "key:hazumu_gateway_requests:rate5m", "{{key}}")],
                Unit = "reqps",
                Min = 0,
            },
            new TimeSeries(8, 8, "Requests by operation", "Requests per second by operation (chat, generate, embed, …) and dialect.")
            {
                Queries = [Query.Top(12, "operation_dialect:hazumu_gateway_requests:rate5m", "{{operation}} {{dialect}}")],
                Unit = "reqps",
                Min = 0,
            },
            new Row("Models in memory"),
            new Table(10, 8, "Models in memory now", "Every loaded model: its instance, its size, the share in GPU memory, and the time until it is unloaded if no request comes. Less than 100 % on the GPU makes every token several times slower, unless the machine has no GPU. Runbook ModelPartlyOnCpu.")
            {
                Queries =
                [
                    Query.Of("""max by (hazumu_instance, model) (hazumu_gateway_model_size_bytes{model=~"$model",hazumu_instance=~"(?:$instance)(@.+)?"})""", "{{model}}"),
                    Query.Of("""max by (hazumu_instance, model) (hazumu_gateway_model_vram_bytes{model=~"$model",hazumu_instance=~"(?:$instance)(@.+)?"}) / (max by (hazumu_instance, model) (hazumu_gateway_model_size_bytes{model=~"$model",hazumu_instance=~"(?:$instance)(@.+)?"}) > 0)""", "{{model}}"),
                    Query.Of("""max by (hazumu_instance, model) (hazumu_gateway_model_expiry_seconds{model=~"$model",hazumu_instance=~"(?:$instance)(@.+)?"})""", "{{model}}"),
                ],
                Overrides =
                [
                    Override.ByName("Value #A", Set.Name("size"), Set.Unit("bytes")),
                    Override.ByName("Value #B", Set.Name("on the GPU"), Set.Unit("percentunit"), Set.Width(110), Set.Mappings(Mapping.Value("0", Colors.Yellow, "CPU")), Set.Decimals(0), Set.ColoredText, Set.Thresholds(new(Colors.Yellow), new(1, Colors.Green))),
                    Override.ByName("Value #C", Set.Name("leaves in"), Set.Unit("s")),
                    Override.ByName("hazumu_instance", Set.Name("instance")),
                ],
                SortBy = "model",
                Columns = ["model", "hazumu_instance", "Value #A", "Value #B", "Value #C"],
            },
            new TimeSeries(7, 8, "Memory of loaded models", "Memory of the largest loaded models at their instances, stacked. Models that take turns at the same instance evict each other.")
            {
                Queries = [Query.Top(12, """max by (hazumu_instance, model) (hazumu_gateway_model_size_bytes{model=~"$model",hazumu_instance=~"(?:$instance)(@.+)?"})""", "{{model}} at {{hazumu_instance}}")],
                Unit = "bytes",
                Min = 0,
                Stacked = true,
                Figure = "lastNotNull",
            },
            new TimeSeries(7, 8, "Loads within an hour", "How often each instance had to load a model for a request within the last hour. Above 20 with several models, the instance thrashes (ModelThrashing): use fewer models, more memory, or another instance.")
            {
                Queries = [Query.Top(12, """hazumu_instance_model:hazumu_gateway_cold_starts:increase1h{model=~"$model",hazumu_instance=~"(?:$instance)(@.+)?"}""", "{{model}} at {{hazumu_instance}}")],
                Unit = "suffix:loads",
                Min = 0,
                Decimals = 0,
                Thresholds = [new(Colors.Green), new(20, Colors.Red)],
                ShowsThresholds = true,
                Stacked = true,
            },
        ])
    {
        Alerts = "TimeTo.+|TimePer.+|AnswersSlow|Model.+|Request.+",
        Variables = [Variable.Instance, Variable.Model],
    };
}
