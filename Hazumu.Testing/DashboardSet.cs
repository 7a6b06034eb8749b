using System.Text.Json;
using System.Text.RegularExpressions;
using Hazumu.Grafana;

namespace Hazumu.Testing;

/// <summary>A query of a dashboard, as it stands in the dashboard's file.</summary>
/// <param name="Dashboard">The file's name without its extension.</param>
/// <param name="Panel">The panel's title, <c>$name</c> for the query of a variable, or <c>@name</c> for that of an annotation.</param>
/// <param name="RefId">The query's letter within the panel; empty for a variable and an annotation.</param>
/// <param name="Expression">PromQL, or LogQL, with Grafana's variables in it.</param>
public sealed partial record DashboardExpression(string Dashboard, string Panel, string RefId, string Expression)
{
    // The values that Grafana would use for a short, freshly opened time range and a scrape interval of 15 s.
    private static readonly Dictionary<string, string> s_builtIn = new()
    {
        ["__auto"] = "15s",
        ["__interval"] = "15s",
        ["__interval_ms"] = "15000",
        ["__range"] = "15m",
        ["__range_ms"] = "900000",
        ["__range_s"] = "900",
        ["__rate_interval"] = "1m",
    };

    // By what stands in the expression; a recording rule has the name of what it is made of.
    private static readonly (string Service, Regex Pattern)[] s_sources =
    [
        ("gateway", GatewayMetric()),
        ("cadvisor", CAdvisorMetric()),
        ("blackbox", BlackboxMetric()),
        ("nodeexporter", NodeMetric()),
        ("gpuexporter", GpuMetric()),
        ("alertmanager", AlertmanagerMetric()),
        ("loki", LokiMetric()),
        ("alloy", AlloyMetric()),
    ];

    /// <summary>Whether it is an annotation's, which has data only when something happens.</summary>
    public bool IsAnnotation => Panel.StartsWith('@');

    /// <summary>Whether it has data of a fleet only: the median of all, and the worst of all, beside those that are shown by name.</summary>
    public bool IsForFleet => Fleet().IsMatch(Expression);

    /// <summary>Whose metrics the expression reads, by service; Prometheus' own are not among them, for they are always there.</summary>
    public IReadOnlyList<string> Sources => [.. s_sources.Where(source => source.Pattern.IsMatch(Expression)).Select(source => source.Service)];

    /// <summary>The names of the variables in the expression that a dashboard declares itself.</summary>
    public IEnumerable<string> Variables => Variable().Matches(Expression)
        .Select(match => match.Groups["name"].Value)
        .Where(name => !s_builtIn.ContainsKey(name))
        .Distinct();

    /// <summary>The expression as Prometheus takes it: Grafana's own variables for a range of 15 minutes, all others matching anything.</summary>
    public string ToQuery() => Variable().Replace(Expression, match => match.Value.EndsWith(":doublequote}", StringComparison.Ordinal) ? "\"\"" : s_builtIn.GetValueOrDefault(match.Groups["name"].Value, ".+"));

    /// <inheritdoc/>
    public override string ToString() => $"{Dashboard}, {Panel} {RefId}: {Expression}";

    // $name, ${name}, ${name:format} and [[name]]; not $1, which is PromQL's own.
    [GeneratedRegex(@"\$(?<name>[A-Za-z_]\w*)|\$\{(?<name>[A-Za-z_]\w*)(:[^}]*)?\}|\[\[(?<name>[A-Za-z_]\w*)(:[^\]]*)?\]\]")]
    private static partial Regex Variable();

    [GeneratedRegex(@" and on \(\) count\(.+\) > \d+$")]
    private static partial Regex Fleet();

    [GeneratedRegex("gen_ai_|hazumu_gateway_|hazumu:gateway_|slo:hazumu_|dotnet_|kestrel_")]
    private static partial Regex GatewayMetric();

    [GeneratedRegex(@"\b(container|machine)_")]
    private static partial Regex CAdvisorMetric();

    [GeneratedRegex(@"\bprobe_")]
    private static partial Regex BlackboxMetric();

    [GeneratedRegex(@"\bnode_")]
    private static partial Regex NodeMetric();

    [GeneratedRegex("hazumu:gpu_")]
    private static partial Regex GpuMetric();

    [GeneratedRegex(@"\balertmanager_")]
    private static partial Regex AlertmanagerMetric();

    [GeneratedRegex(@"\bloki_(distributor|discarded)_")]
    private static partial Regex LokiMetric();

    [GeneratedRegex(@"\bloki_write_")]
    private static partial Regex AlloyMetric();
}

/// <summary>Reads the provisioned Grafana dashboards.</summary>
public static partial class DashboardSet
{
    /// <summary>The dashboards by the names of their files, without ending.</summary>
    public static IReadOnlyDictionary<string, JsonElement> ByName { get; } = DashboardFiles.All()
        .ToDictionary(file => Path.GetFileNameWithoutExtension(file.Key), file => JsonSerializer.Deserialize<JsonElement>(file.Value), StringComparer.Ordinal);

    /// <summary>Every dashboard's root element, by its uid.</summary>
    public static IReadOnlyDictionary<string, JsonElement> ByUid { get; } = ByName.Values
        .ToDictionary(dashboard => dashboard.GetProperty("uid").GetString()!);

    /// <summary>Every panel of a dashboard, those in collapsed rows and the rows themselves included.</summary>
    /// <param name="dashboard">The dashboard's root element.</param>
    public static IEnumerable<JsonElement> Panels(JsonElement dashboard) =>
        dashboard.TryGetProperty("panels", out var panels)
            ? panels.EnumerateArray().SelectMany(panel => Panels(panel).Prepend(panel))
            : [];

    /// <summary>The variables that a dashboard declares.</summary>
    /// <param name="dashboard">The dashboard's root element.</param>
    public static IEnumerable<JsonElement> Variables(JsonElement dashboard) =>
        dashboard.GetProperty("templating").GetProperty("list").EnumerateArray();

    /// <summary>
    /// Panels that are empty while everything is healthy, by dashboard, title and query, with the reason. Every other
    /// empty panel is an error.
    /// </summary>
    public static IReadOnlyDictionary<(string Dashboard, string Panel, string RefId), string> EmptyWhileWell { get; } = new Dictionary<(string, string, string), string>
    {
        [("gateway", "Requests by outcome", "B")] = "every request succeeds",
        [("gateway", "Waiting", "B")] = "nobody waits for a slot",
        [("host-gpu", "GPU faults", "A")] = "no GPU reports an error",
        [("inference", "Time to first token, warm", "D")] = "it is far below what is promised",
        [("inference", "Time to first token, cold", "D")] = "it is far below what is promised",
        [("inference", "Time per token, warm", "D")] = "it is far below what is promised",
        [("monitoring", "Log lines on their way", "D")] = "Loki refuses no line",
        [("engines", "Down now", "B")] = "no engine is down",
        [("engines", "Requests in the engine", "A")] = "Ollama has no metrics",
        [("engines", "Requests in the engine", "B")] = "Ollama has no metrics",
        [("engines", "Tokens in the engine", "A")] = "Ollama has no metrics",
        [("engines", "Tokens in the engine", "B")] = "Ollama has no metrics",
        [("engines", "KV cache in use", "A")] = "only vLLM tells it",
        [("overview", "Circuits", "B")] = "no circuit is open",
        [("overview", "Instances", "B")] = "no instance is down",
        [("overview", "Requests", "B")] = "every request succeeds",
        [("overview", "Time per token", "C")] = "it is far below what is promised",
        [("overview", "Time to first token", "C")] = "it is far below what is promised",
        [("overview", "Time to first token", "F")] = "it is far below what is promised",
    };

    /// <summary>Whether a query may return nothing of a small graph that is well.</summary>
    /// <param name="expression">The query.</param>
    public static bool MayBeEmpty(DashboardExpression expression) => expression.IsForFleet || EmptyWhileWell.ContainsKey((expression.Dashboard, expression.Panel, expression.RefId));

    /// <summary>Every query for Prometheus: those of the panels, then those of the variables and annotations.</summary>
    public static IEnumerable<DashboardExpression> Expressions() => Queries("prometheus");

    /// <summary>Every query for Loki, but for those of variables.</summary>
    public static IEnumerable<DashboardExpression> LogQueries() => Queries("loki");

    private static IEnumerable<DashboardExpression> Queries(string type)
    {
        foreach (var (name, dashboard) in ByName)
        {
            foreach (var panel in Panels(dashboard))
            {
                foreach (var target in (panel.TryGetProperty("targets", out var targets) ? targets.EnumerateArray() : []).Where(target => IsFor(type, target)))
                {
                    yield return new(name, panel.GetProperty("title").GetString()!, target.GetProperty("refId").GetString()!, target.GetProperty("expr").GetString()!);
                }
            }

            foreach (var variable in Variables(dashboard).Where(variable => variable.GetProperty("type").GetString() == "query" && IsFor(type, variable)))
            {
                if (SeriesOf(variable.GetProperty("query")) is { } series)
                {
                    yield return new(name, $"${variable.GetProperty("name").GetString()}", "", series);
                }
            }

            foreach (var annotation in dashboard.GetProperty("annotations").GetProperty("list").EnumerateArray().Where(annotation => IsFor(type, annotation)))
            {
                yield return new(name, $"@{annotation.GetProperty("name").GetString()}", "", annotation.GetProperty("expr").GetString()!);
            }
        }
    }

    private static bool IsFor(string type, JsonElement query) => query.GetProperty("datasource").GetProperty("type").GetString() == type;

    // label_values(series, label) and query_result(expression) read series; label_names(), metrics(name) and label_values(label) do not.
    private static string? SeriesOf(JsonElement query)
    {
        var text = query.ValueKind is JsonValueKind.String ? query.GetString()! : query.TryGetProperty("query", out var inner) ? inner.GetString()! : "";
        return VariableQuery().Match(text) is { Success: true } match ? match.Groups["series"].Value : null;
    }

    [GeneratedRegex(@"^\s*(label_values\((?<series>.+),\s*\w+\s*\)|query_result\((?<series>.+)\))\s*$", RegexOptions.Singleline)]
    private static partial Regex VariableQuery();
}
