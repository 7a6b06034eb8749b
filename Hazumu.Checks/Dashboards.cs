using System.Text.Json;
using System.Text.RegularExpressions;

namespace Hazumu.Checks;

/// <summary>A query of a dashboard, as it stands in the dashboard's file.</summary>
/// <param name="Dashboard">The file's name without its extension.</param>
/// <param name="Panel">The panel's title, or <c>$name</c> for the query of a variable.</param>
/// <param name="RefId">The query's letter within the panel; empty for a variable.</param>
/// <param name="Expression">PromQL with Grafana's variables in it.</param>
public sealed partial record DashboardExpression(string Dashboard, string Panel, string RefId, string Expression)
{
    // What Grafana would put in for a short, freshly opened time range and a scrape interval of 15 s.
    private static readonly Dictionary<string, string> s_builtIn = new()
    {
        ["__interval"] = "15s",
        ["__interval_ms"] = "15000",
        ["__range"] = "15m",
        ["__range_ms"] = "900000",
        ["__range_s"] = "900",
        ["__rate_interval"] = "1m",
    };

    /// <summary>The names of the variables in the expression that a dashboard declares itself.</summary>
    public IEnumerable<string> Variables => Variable().Matches(Expression)
        .Select(match => match.Groups["name"].Value)
        .Where(name => !s_builtIn.ContainsKey(name))
        .Distinct();

    /// <summary>The expression as Prometheus takes it: Grafana's own variables for a range of 15 minutes, all others matching anything.</summary>
    public string ToQuery() => Variable().Replace(Expression, match => s_builtIn.GetValueOrDefault(match.Groups["name"].Value, ".+"));

    /// <inheritdoc/>
    public override string ToString() => $"{Dashboard}, {Panel} {RefId}: {Expression}";

    // $name, ${name}, ${name:format} and [[name]]; not $1, which is PromQL's own.
    [GeneratedRegex(@"\$(?<name>[A-Za-z_]\w*)|\$\{(?<name>[A-Za-z_]\w*)(:[^}]*)?\}|\[\[(?<name>[A-Za-z_]\w*)(:[^\]]*)?\]\]")]
    private static partial Regex Variable();
}

/// <summary>Reads the provisioned Grafana dashboards.</summary>
public static partial class Dashboards
{
    /// <summary>The dashboards' files, absolute.</summary>
    public static IEnumerable<string> Files => Directory.EnumerateFiles(RepositoryRoot.Combine("grafana", "dashboards"), "*.json").Order(StringComparer.Ordinal);

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

    /// <summary>Every query of every dashboard: those of the panels, then those of the variables.</summary>
    public static IEnumerable<DashboardExpression> Expressions()
    {
        foreach (var file in Files)
        {
            var name = Path.GetFileNameWithoutExtension(file);
            using var document = JsonDocument.Parse(File.ReadAllText(file));

            foreach (var panel in Panels(document.RootElement))
            {
                foreach (var target in panel.TryGetProperty("targets", out var targets) ? targets.EnumerateArray() : [])
                {
                    yield return new(name, panel.GetProperty("title").GetString()!, target.GetProperty("refId").GetString()!, target.GetProperty("expr").GetString()!);
                }
            }

            foreach (var variable in Variables(document.RootElement))
            {
                if (variable.GetProperty("type").GetString() == "query" && SeriesOf(variable.GetProperty("query")) is { } series)
                {
                    yield return new(name, $"${variable.GetProperty("name").GetString()}", "", series);
                }
            }
        }
    }

    // label_values(series, label) and query_result(expression) read series; label_names(), metrics(name) and label_values(label) do not.
    private static string? SeriesOf(JsonElement query)
    {
        var text = query.ValueKind is JsonValueKind.String ? query.GetString()! : query.GetProperty("query").GetString()!;
        return VariableQuery().Match(text) is { Success: true } match ? match.Groups["series"].Value : null;
    }

    [GeneratedRegex(@"^\s*(label_values\((?<series>.+),\s*\w+\s*\)|query_result\((?<series>.+)\))\s*$", RegexOptions.Singleline)]
    private static partial Regex VariableQuery();
}
