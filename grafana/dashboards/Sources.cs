using System.Text.Json.Nodes;

namespace Hazumu.Grafana;

/// <summary>A query of a panel.</summary>
/// <param name="Expression">PromQL or LogQL.</param>
/// <param name="Legend">The names of its series; labels are in double braces.</param>
/// <param name="IsLoki">Whether the query is for Loki instead of Prometheus.</param>
public sealed record Query(string Expression, string Legend, bool IsLoki)
{
    internal static Query Of(string expression, string legend = "") => new(expression, legend, IsLoki: false);

    /// <summary>
    /// The result of an expression or, if it is empty, the value 0 with a label <c>none</c>, provided that a metric
    /// shows that the value is measured at all.
    /// </summary>
    /// <param name="expression">PromQL.</param>
    /// <param name="label">The label that reads <c>none</c>.</param>
    /// <param name="watched">PromQL that finds something only while <paramref name="expression"/> would find what is wrong.</param>
    /// <param name="legend">The names of its series.</param>
    internal static Query OrNone(string expression, string label, string watched, string legend = "") =>
        Of($"""{expression} or on () label_replace(0 * group({watched}), "{label}", "none", "", "")""", legend);

    /// <summary>The series of an expression that were highest in the chosen time range, and only those: all of them, as long as they are few.</summary>
    /// <param name="count">How many a panel can show.</param>
    /// <param name="expression">PromQL.</param>
    internal static string Highest(int count, string expression) =>
        $"({expression}) and topk({count}, max_over_time(({expression})[$__range:$__interval] @ end()))";

    /// <summary>The series of <see cref="Highest"/>.</summary>
    internal static Query Top(int count, string expression, string legend) => Of(Highest(count, expression), legend);

    /// <summary>Lines for each of what may be few or a fleet: the highest by name and, where others are left out, the median of all.</summary>
    internal static IReadOnlyList<Query> Fleet(int count, string expression, string legend) =>
        [Top(count, expression, legend), Of($"quantile(0.5, {expression}) and on () count({expression}) > {count}", "median of all")];

    /// <summary>The number of unhealthy series, and the names of up to three of them.</summary>
    /// <param name="all">PromQL: all.</param>
    /// <param name="bad">What is compared with the value of those that are not well, such as <c>== 0</c>.</param>
    /// <param name="word">What those are.</param>
    /// <param name="legend">Their names.</param>
    internal static IReadOnlyList<Query> NotWell(string all, string bad, string word, string legend) =>
    [
        Of($"""(count({all} {bad}) or on () 0 * count({all})) + on () group_right () 0 * count_values("total", count({all}))""", $$$"""of {{total}} {{{word}}}"""),
        Of($"topk(3, {all} {bad})", legend),
    ];

    /// <summary>
    /// Rows of a state timeline: the series that were unhealthy in the chosen time range; all of them if they are few,
    /// otherwise one row for all.
    /// </summary>
    /// <param name="all">PromQL: all.</param>
    /// <param name="isHighBad">Whether what is not well has a higher value, or else a lower one.</param>
    /// <param name="bad">What is compared with the value of those that are not well.</param>
    /// <param name="legend">Their names.</param>
    internal static IReadOnlyList<Query> Rows(string all, bool isHighBad, string bad, string legend)
    {
        var (most, worst) = isHighBad ? ("topk", "max") : ("bottomk", "min");
        return
        [
            Of($"({all}) and ({most}({RowsShown}, {worst}_over_time(({all})[$__range:$__interval] @ end()) {bad}) or ({all}) and on () count({all}) <= {RowsShown})", legend),
            Of($"{worst}({all}) and on () count({all}) > {RowsShown}", "the worst of all"),
        ];
    }

    private const int RowsShown = 12;

    /// <summary>Requests by how they ended, success at the bottom of the stack and first in the legend.</summary>
    internal static IReadOnlyList<Query> Outcomes =>
    [
        Of("""outcome:hazumu_gateway_requests:rate5m{outcome="success"}""", "{{outcome}}"),
        Top(11, """outcome:hazumu_gateway_requests:rate5m{outcome!="success"} > 0""", "{{outcome}}"),
    ];

    /// <summary>
    /// The objective, while it is less than twice the measured value: a line far above would press the curve against
    /// the axis.
    /// </summary>
    /// <param name="slo">The promise.</param>
    /// <param name="measured">PromQL: what is compared with it.</param>
    /// <param name="legend">Its name.</param>
    internal static Query Promise(string slo, string measured, string legend = "promised") =>
        Of($$"""hazumu:slo_threshold:seconds{slo="{{slo}}"} < 2 * scalar(max(max_over_time(({{measured}})[$__range:$__interval] @ end())))""", legend);

    internal static Query Logs(string expression, string legend = "") => new(expression, legend, IsLoki: true);

    /// <summary>The data source.</summary>
    internal JsonObject Source() => IsLoki ? DataSources.Loki : DataSources.Prometheus;

    internal JsonObject ToJson(char id, bool isInstant, string? format)
    {
        var query = new JsonObject { ["datasource"] = Source(), ["editorMode"] = "code", ["expr"] = Expression, ["legendFormat"] = Legend, ["refId"] = id.ToString() };
        if (IsLoki)
        {
            query["queryType"] = isInstant ? "instant" : "range";
            return query;
        }

        query["instant"] = isInstant;
        query["range"] = !isInstant;
        if (format is not null)
        {
            query["format"] = format;
        }

        return query;
    }
}

/// <summary>The data sources, by the ids that they are provisioned with.</summary>
internal static class DataSources
{
    public static JsonObject Prometheus => new() { ["type"] = "prometheus", ["uid"] = "hazumu-prometheus" };

    public static JsonObject Loki => new() { ["type"] = "loki", ["uid"] = "loki" };
}

/// <summary>A choice above the panels.</summary>
/// <param name="Name">Its name in expressions.</param>
/// <param name="Label">Its name on the page.</param>
/// <param name="Description">The meaning of the choice.</param>
/// <param name="Json">The members of its kind.</param>
public sealed record Variable(string Name, string Label, string Description, JsonObject Json)
{
    internal static Variable Instance => OfLabel("instance", "Engine", "Engines that the gateway knows.", "label_values(instance:hazumu_gateway_instance_up:min, instance)");

    internal static Variable Model => OfLabel(
        "model", "Model", "Models that were requested or are in memory.", """label_values({__name__=~"model_cold:gen_ai_server_requests:rate5m|hazumu_gateway_slots"}, model)""");

    /// <summary>Values of a label in Prometheus.</summary>
    internal static Variable OfLabel(string name, string label, string description, string query) => Several(name, label, description, DataSources.Prometheus, query, new JsonObject
    {
        ["qryType"] = 1,
        ["query"] = query,
        ["refId"] = "PrometheusVariableQueryEditor-VariableQuery",
    });

    /// <summary>A number that titles name; it is not shown above the panels.</summary>
    internal static Variable Number(string name, string label, string description, string expression) => new(name, label, description, new JsonObject
    {
        ["type"] = "query",
        ["datasource"] = DataSources.Prometheus,
        ["definition"] = $"query_result({expression})",
        ["query"] = new JsonObject { ["qryType"] = 3, ["query"] = $"query_result({expression})", ["refId"] = "PrometheusVariableQueryEditor-VariableQuery" },
        // Of "{} 8 1767614400000".
        ["regex"] = "/ (\\d+) /",
        ["refresh"] = 2,
        ["sort"] = 0,
        ["multi"] = false,
        ["includeAll"] = false,
        ["current"] = new JsonObject(),
        ["options"] = new JsonArray(),
    })
    { IsHidden = true };

    /// <summary>Whether it is not shown above the panels.</summary>
    public bool IsHidden { get; init; }

    /// <summary>Values of a label in Loki.</summary>
    internal static Variable OfLogLabel(string name, string label, string description) => Several(name, label, description, DataSources.Loki, "", new JsonObject
    {
        ["label"] = name,
        ["refId"] = "LokiVariableQueryEditor-VariableQuery",
        ["stream"] = "",
        ["type"] = 1,
    });

    /// <summary>A text that people write.</summary>
    internal static Variable Text(string name, string label, string description, string text = "") => new(name, label, description, new JsonObject
    {
        ["type"] = "textbox",
        ["query"] = text,
        ["current"] = new JsonObject { ["text"] = text, ["value"] = text },
        ["options"] = new JsonArray(new JsonObject { ["selected"] = true, ["text"] = text, ["value"] = text }),
    });

    internal JsonObject ToJson()
    {
        var variable = (JsonObject)Json.DeepClone();
        variable["name"] = Name;
        variable["label"] = Label;
        variable["description"] = Description;
        variable["hide"] = IsHidden ? 2 : 0;
        variable["skipUrlSync"] = false;
        return variable;
    }

    private static Variable Several(string name, string label, string description, JsonObject source, string definition, JsonObject query) => new(name, label, description, new JsonObject
    {
        ["type"] = "query",
        ["datasource"] = source,
        ["definition"] = definition,
        ["query"] = query,
        ["regex"] = "",
        ["refresh"] = 2,
        ["sort"] = 1,
        ["multi"] = true,
        ["includeAll"] = true,
        ["allValue"] = ".+",
        ["current"] = new JsonObject { ["text"] = new JsonArray("All"), ["value"] = new JsonArray("$__all") },
        ["options"] = new JsonArray(),
    });
}

/// <summary>Marks in the time axis of every panel.</summary>
/// <param name="Name">The marked event.</param>
/// <param name="Color">The colour.</param>
/// <param name="Expression">PromQL: a mark for each series and time at which it has a value.</param>
/// <param name="Title">The mark's title.</param>
/// <param name="Text">The mark's text.</param>
/// <param name="Step">How far values may lie apart that are one mark; Grafana's choice where it is empty.</param>
internal sealed record Annotation(string Name, string Color, string Expression, string Title, string Text, string Step)
{
    /// <summary>The marks of a dashboard.</summary>
    /// <param name="alerts">The alerts that have to do with it: a regular expression on their names.</param>
    public static IEnumerable<Annotation> For(string alerts)
    {
        // Only where an alert begins and ends, once for each name: marked while they fire, a few would paint over the data.
        var firing = $$"""ALERTS{alertstate="firing",alertname!="Watchdog",alertname=~"{{alerts}}"}""";
        yield return new("Alerts that begin", Colors.Red, $"group by (alertname, severity) ({firing}) unless group by (alertname, severity) ({firing} offset 1m)", "{{alertname}}", "{{severity}}: begins to fire", "60s");
        yield return new("Alerts that end", Colors.Green, $"group by (alertname, severity) ({firing} offset 1m) unless group by (alertname, severity) ({firing})", "{{alertname}}", "{{severity}}: no longer fires", "60s");
        yield return new(
            "Starts and deploys",
            Colors.Blue,
            // Once for all instances of a service: a fleet starts one after the other.
            """group by (service) (label_replace(resets(dotnet_process_cpu_time_seconds_total{job="gateway",cpu_mode="user"}[$__rate_interval]) > 0 unless on () container_start_time_seconds{service="gateway"}, "service", "gateway", "", "") or changes(max by (service, instance) (container_start_time_seconds)[$__rate_interval:15s]) > 0)""",
            "{{service}} started",
            "A deploy, or a restart.",
            "");
    }

    public JsonObject ToJson() => new()
    {
        ["datasource"] = DataSources.Prometheus,
        ["enable"] = true,
        ["expr"] = Expression,
        ["hide"] = false,
        ["iconColor"] = Color,
        ["name"] = Name,
        ["step"] = Step,
        ["tagKeys"] = "severity",
        ["textFormat"] = Text,
        ["titleFormat"] = Title,
    };
}
