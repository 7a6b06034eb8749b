using System.Text.Json.Nodes;

namespace Hazumu.Grafana;

/// <summary>A dashboard of Grafana. The common parts of dashboards are in <see cref="ToJson"/>.</summary>
/// <param name="Uid">The end of its address, <c>/d/UID</c>.</param>
/// <param name="Title">Its title.</param>
/// <param name="Description">The question that it answers.</param>
/// <param name="Panels">The panels, in reading order; each takes the highest free place, then the leftmost.</param>
/// <remarks>Source of the format: <c>@grafana/schema</c> 13.2.</remarks>
public sealed record Dashboard(string Uid, string Title, string Description, IReadOnlyList<Panel> Panels)
{
    private const int Columns = 24;

    /// <summary>The variables above the panels.</summary>
    public IReadOnlyList<Variable> Variables { get; init; } = [];

    /// <summary>Further tags than <c>hazumu</c>.</summary>
    public IReadOnlyList<string> Tags { get; init; } = [];

    /// <summary>Whether its variables mean the same in the other dashboards, and are taken along there.</summary>
    public bool SharesVariables { get; init; } = true;

    /// <summary>How often it reloads itself.</summary>
    public string Refresh { get; init; } = "15s";

    /// <summary>The alerts that have to do with what it shows: a regular expression on their names.</summary>
    public string Alerts { get; init; } = ".+";

    /// <summary>The JSON that Grafana reads.</summary>
    /// <param name="hasLogs">Whether there is a Loki; without one, neither panels about logs nor links to them are shown.</param>
    public JsonObject ToJson(bool hasLogs = true)
    {
        var json = Definition([.. Panels.Where(panel => hasLogs || !panel.IsAboutLogs)]);
        if (!hasLogs)
        {
            RemoveLinks(json, $"/d/{Link.LogsUid}?");
        }

        return json;
    }

    private JsonObject Definition(IReadOnlyList<Panel> panels) => new()
    {
        ["uid"] = Uid,
        ["title"] = Title,
        ["description"] = Description,
        ["tags"] = new JsonArray(["hazumu", .. Tags]),
        ["timezone"] = "browser",
        ["editable"] = true,
        ["fiscalYearStartMonth"] = 0,
        ["graphTooltip"] = 1,
        ["links"] = new JsonArray(new JsonObject
        {
            ["asDropdown"] = true,
            ["icon"] = "external link",
            ["includeVars"] = SharesVariables,
            ["keepTime"] = true,
            ["tags"] = new JsonArray("hazumu"),
            ["targetBlank"] = false,
            ["title"] = "Hazumu",
            ["tooltip"] = "The other dashboards, for the same time",
            ["type"] = "dashboards",
            ["url"] = "",
        }),
        ["liveNow"] = false,
        ["refresh"] = Refresh,
        ["schemaVersion"] = 42,
        ["version"] = 1,
        ["weekStart"] = "",
        ["time"] = new JsonObject { ["from"] = "now-1h", ["to"] = "now" },
        ["timepicker"] = new JsonObject(),
        ["annotations"] = new JsonObject { ["list"] = new JsonArray([.. Annotation.For(Alerts).Select(annotation => annotation.ToJson())]) },
        ["templating"] = new JsonObject { ["list"] = new JsonArray([.. Variables.Select(variable => variable.ToJson())]) },
        ["panels"] = Arrange(panels),
    };

    private static JsonArray Arrange(IReadOnlyList<Panel> panels)
    {
        var all = new JsonArray();
        var (heights, list) = (new int[Columns], all);
        foreach (var (index, panel) in panels.Index())
        {
            if (panel is Row && list != all)
            {
                // Collapsed panels take no space.
                Array.Fill(heights, all[^1]!["gridPos"]!["y"]!.GetValue<int>() + 1);
                list = all;
            }

            var (y, x) = Enumerable.Range(0, Columns - panel.Width + 1).Select(left => (heights.AsSpan(left, panel.Width).ToArray().Max(), left)).Min();
            Array.Fill(heights, y + panel.Height, x, panel.Width);
            var json = panel.ToJson(index + 1, x, y);
            list.Add((JsonNode)json);
            if (panel is Row { IsCollapsed: true })
            {
                list = (JsonArray)json["panels"]!;
            }
        }

        return all;
    }

    private static void RemoveLinks(JsonNode? node, string start)
    {
        if (node is JsonArray list)
        {
            list.RemoveAll(item => item is JsonObject link && link["url"]?.GetValue<string>().StartsWith(start, StringComparison.Ordinal) == true);
        }

        foreach (var child in node is JsonObject members ? members.Select(member => member.Value) : node as JsonArray ?? [])
        {
            RemoveLinks(child, start);
        }
    }
}
