namespace Hazumu.Grafana;

/// <summary>The dashboard "Logs".</summary>
internal static class LogsDashboard
{
    /// <summary>Its definition.</summary>
    public static Dashboard Create() => new(
        "hazumu-logs",
        "Logs",
        "The programs' logs and the gateway's access log: how much, what went wrong, which requests were slow.",
        [
            new TimeSeries(12, 7, "Lines by service and level", "Lines per step of each program. A program that suddenly writes many more lines usually has a problem; a program that stopped writing may be down.")
            {
                Queries = [Query.Logs("""sum by (service, level) (count_over_time({service=~"$service"} |= ${search:doublequote} [$__auto]))""", "{{service}} {{level}}")],
                Unit = "suffix:lines",
                Min = 0,
                Bars = true,
                Stacked = true,
                Figure = "sum",
                Overrides =
                [
                    Override.ByRegex("/ (error|critical|fatal)$/", Set.Color(Colors.Red)),
                    Override.ByRegex("/ (warn|warning)$/", Set.Color(Colors.Yellow)),
                ],
            },
            new TimeSeries(12, 7, "Errors by service", "Lines of level error or higher. Next: the lines themselves, below.")
            {
                Queries = [Query.Logs("""sum by (service) (count_over_time({service=~"$service",level=~"error|critical|fatal"} |= ${search:doublequote} [$__auto]))""", "{{service}}")],
                Unit = "suffix:lines",
                Min = 0,
                Bars = true,
                Stacked = true,
                Figure = "sum",
            },
            new Row("The gateway's access log"),
            new Table(24, 10, "Requests to models", "The gateway's line for each request to a model: its time, outcome, key, instance and duration. The full line, below, also has the phases and tokens; docs/metrics.md explains every member. For a slow request, find its longest phase, then follow its request id to all lines of that request, or to its trace.")
            {
                Queries = [Query.Logs("""{service="gateway"} |= `"type":"access"` | json answered_by="instance", model="model", key="key", operation="operation", outcome="outcome", cold="cold", total_ms="total_ms" | model!="" | label_format model=`{{if contains ":" .model}}{{.model}}{{else}}{{.model}}:latest{{end}}` | answered_by=~"(?:$instance)(@.+)?|" | model=~"$model" |= ${search:doublequote}""")],
                Overrides =
                [
                    Override.ByName("time", Set.Unit("time:YYYY-MM-DD HH:mm:ss"), Set.Width(160)),
                    Override.ByRegex("/_ms$/", Set.Unit("ms"), Set.Decimals(0), Set.Width(80)),
                    Override.ByName("outcome", Set.ColoredText, Set.Mappings(Mapping.Value("success", Colors.Green), Mapping.Matches("^(?!success$).+", Colors.Red))),
                    Override.ByName("request_id", Set.Links(Link.To("All lines of this request", "hazumu-logs", "var-search=${__value.raw}"))),
                    Override.ByName("trace", Set.Links(Link.To("All lines of this trace, each with a link to it where traces are kept", "hazumu-logs", "var-search=${__value.raw}"))),
                ],
                SortBy = "time",
                SortsDescending = true,
                Columns = ["time", "outcome", "model", "key", "instance", "total_ms", "queue_ms", "ttft_ms", "output_tokens", "cold", "request_id", "trace"],
                ReadsJsonLines = true,
            },
            new Table(12, 9, "Slowest requests", "The longest request of each model, key, instance and outcome in the chosen time range, the twenty longest first.")
            {
                Queries = [Query.Logs("""topk(20, max by (model, key, answered_by, operation, outcome, cold) (max_over_time({service="gateway"} |= `"type":"access"` | json answered_by="instance", model="model", key="key", operation="operation", outcome="outcome", cold="cold", total_ms="total_ms" | model!="" | label_format model=`{{if contains ":" .model}}{{.model}}{{else}}{{.model}}:latest{{end}}` | answered_by=~"(?:$instance)(@.+)?|" | model=~"$model" | unwrap total_ms | __error__="" [$__range])))""", "{{model}}")],
                Overrides =
                [
                    Override.ByName("outcome", Set.ColoredText, Set.Mappings(Mapping.Value("success", Colors.Green), Mapping.Matches("^(?!success$).+", Colors.Red))),
                    Override.ByRegex("/^Value/", Set.Name("longest"), Set.Unit("ms")),
                    Override.ByName("answered_by", Set.Name("instance")),
                ],
                SortBy = "longest",
                SortsDescending = true,
                Columns = ["Value #A", "model", "key", "answered_by", "operation", "outcome", "cold"],
            },
            new TimeSeries(12, 9, "Requests in the log by outcome", "Requests to models per step, according to the access log, for the chosen models and instances.")
            {
                Queries = [Query.Logs("""sum by (outcome) (count_over_time({service="gateway"} |= `"type":"access"` | json answered_by="instance", model="model", key="key", operation="operation", outcome="outcome", cold="cold", total_ms="total_ms" | model!="" | label_format model=`{{if contains ":" .model}}{{.model}}{{else}}{{.model}}:latest{{end}}` | answered_by=~"(?:$instance)(@.+)?|" | model=~"$model" [$__auto]))""", "{{outcome}}")],
                Unit = "suffix:requests",
                Min = 0,
                Bars = true,
                Stacked = true,
                Figure = "sum",
                Overrides = Override.Outcomes,
            },
            new Row("Lines"),
            new LogLines(24, 9, "Errors", "Lines of level error or higher, the newest first.")
            {
                Queries = [Query.Logs("""{service=~"$service",level=~"error|critical|fatal"} |= ${search:doublequote}""")],
            },
            new LogLines(24, 12, "All lines", "Every line of the chosen services that contains the search text, the newest first. Prompts and answers are never logged.")
            {
                Queries = [Query.Logs("""{service=~"$service"} |= ${search:doublequote}""")],
            },
        ])
    {
        Alerts = "Loki.+|Log.+|AccessLog.+",
        Variables = [Variable.OfLogLabel("service", "Service", "Programs whose logs are stored."), Variable.Instance, Variable.Model, Variable.Text("search", "Search", "Only lines with exactly this text, such as a request id. Write a backslash twice.")],
    };
}
