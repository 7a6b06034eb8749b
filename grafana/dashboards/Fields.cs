using System.Globalization;
using System.Text.Json.Nodes;

namespace Hazumu.Grafana;

/// <summary>Names of Grafana's colours. A colour means the same in every dashboard, and is never the only sign of it.</summary>
internal static class Colors
{
    /// <summary>Healthy.</summary>
    public const string Green = "green";

    /// <summary>Succeeded.</summary>
    public const string LightGreen = "light-green";

    /// <summary>Look at it on a working day.</summary>
    public const string Yellow = "yellow";

    /// <summary>Waits.</summary>
    public const string Orange = "orange";

    /// <summary>Failed, or about to.</summary>
    public const string Red = "red";

    /// <summary>Did not succeed.</summary>
    public const string DarkRed = "dark-red";

    /// <summary>The usual value of several.</summary>
    public const string LightBlue = "light-blue";

    /// <summary>Outgoing values.</summary>
    public const string Blue = "blue";

    /// <summary>The worst value of several.</summary>
    public const string DarkBlue = "dark-blue";

    /// <summary>Incoming values.</summary>
    public const string Purple = "purple";

    /// <summary>The gateway's own part.</summary>
    public const string DarkPurple = "dark-purple";
}

/// <summary>From a value on, a colour.</summary>
/// <param name="From">The value; <see langword="null"/> for the least.</param>
/// <param name="Color">The colour.</param>
public readonly record struct Threshold(double? From, string Color)
{
    /// <summary>The colour of the least values.</summary>
    public Threshold(string color)
        : this(null, color)
    {
    }

    internal static JsonObject ToJson(IEnumerable<Threshold> steps) => new()
    {
        ["mode"] = "absolute",
        ["steps"] = new JsonArray([.. steps.Select(step => new JsonObject { ["color"] = step.Color, ["value"] = step.From })]),
    };

    /// <summary>The steps that states amount to.</summary>
    internal static IReadOnlyList<Threshold> Of(IEnumerable<Mapping> states) =>
        [.. states.OrderBy(state => Number(state)).Select((state, index) => new Threshold(index == 0 ? null : Number(state), state.Color))];

    private static double Number(Mapping state) => double.Parse(state.Pattern, CultureInfo.InvariantCulture);
}

/// <summary>A word and a colour for a value.</summary>
/// <param name="Pattern">The value, or a regular expression.</param>
/// <param name="Color">The colour.</param>
/// <param name="Text">The word; the value itself where there is none.</param>
/// <param name="IsRegex">Whether <paramref name="Pattern"/> is a regular expression.</param>
public readonly record struct Mapping(string Pattern, string Color, string? Text, bool IsRegex)
{
    internal static Mapping Value(string value, string color, string? text = null) => new(value, color, text, IsRegex: false);

    internal static Mapping Matches(string pattern, string color) => new(pattern, color, Text: null, IsRegex: true);

    /// <summary>Values first, then expressions, in the order in which they are given.</summary>
    internal static JsonArray ToJson(IReadOnlyList<Mapping> mappings)
    {
        var all = new JsonArray();
        var values = new JsonObject();
        for (var index = 0; index < mappings.Count; index++)
        {
            var mapping = mappings[index];
            var result = new JsonObject { ["color"] = mapping.Color, ["index"] = index };
            if (mapping.Text is not null)
            {
                result["text"] = mapping.Text;
            }

            if (mapping.IsRegex)
            {
                all.Add((JsonNode)new JsonObject { ["type"] = "regex", ["options"] = new JsonObject { ["pattern"] = mapping.Pattern, ["result"] = result } });
            }
            else
            {
                values[mapping.Pattern] = result;
            }
        }

        if (values.Count > 0)
        {
            all.Insert(0, new JsonObject { ["type"] = "value", ["options"] = values });
        }

        return all;
    }
}

/// <summary>The target of a click.</summary>
/// <param name="Title">The name of the target.</param>
/// <param name="Url">The address; Grafana's variables may be in it.</param>
public sealed record Link(string Title, string Url)
{
    /// <summary>The dashboard with the lines that were written around the time of a point.</summary>
    /// <param name="variables">Variables to take along, as part of a query string.</param>
    internal static Link LogsOfThatMinute(string variables = "") =>
        new("Log lines and traces of that minute", $"/d/{LogsUid}?time=${{__value.time}}&time.window=120000{(variables.Length > 0 ? "&" : "")}{variables}");

    /// <summary>Another dashboard, for the same time.</summary>
    /// <param name="title">The name of the dashboard.</param>
    /// <param name="uid">The dashboard.</param>
    /// <param name="variables">Variables to take along, as part of a query string; all unless given.</param>
    internal static Link To(string title, string uid, string variables = "${__all_variables}") => new(title, $"/d/{uid}?${{__url_time_range}}&{variables}");

    internal const string LogsUid = "hazumu-logs";

    internal static JsonArray ToJson(IEnumerable<Link> links) =>
        new([.. links.Select(link => new JsonObject { ["targetBlank"] = false, ["title"] = link.Title, ["url"] = link.Url })]);
}

/// <summary>Overrides for some series or columns.</summary>
/// <param name="Matcher">How they are found: <c>byName</c>, <c>byRegexp</c> or <c>byFrameRefID</c>.</param>
/// <param name="Name">The name, expression or query.</param>
/// <param name="Properties">The properties that are different.</param>
public sealed record Override(string Matcher, string Name, IReadOnlyList<(string Id, JsonNode Value)> Properties)
{
    /// <summary>Percentiles: the darker, the higher.</summary>
    internal static IReadOnlyList<Override> Percentiles =>
        [ByRegex(@"/^p50\b/", Set.Color(Colors.LightBlue)), ByRegex(@"/^p95\b/", Set.Color(Colors.Blue)), ByRegex(@"/^p99\b/", Set.Color(Colors.DarkBlue))];

    /// <summary>Phases of a request.</summary>
    internal static IReadOnlyList<Override> Phases =>
    [
        ByRegex(@"/\bqueue$/", Set.Color(Colors.Purple)),
        ByRegex(@"/\bload$/", Set.Color(Colors.Orange)),
        ByRegex(@"/\bprefill$/", Set.Color(Colors.LightBlue)),
        ByRegex(@"/\bdecode$/", Set.Color(Colors.Blue)),
        ByRegex(@"/\boverhead$/", Set.Color(Colors.DarkPurple)),
    ];

    /// <summary>Service level objectives.</summary>
    internal static Override Promise => ByRegex("/^promised/", Set.Color(Colors.Red), Set.Dashed, Set.NoFill, Set.NotStacked);

    /// <summary>How requests ended: light green for success, yellow for what the client is to blame for, orange for what waited in vain, dark red for failures, purple for clients that went away.</summary>
    internal static IReadOnlyList<Override> Outcomes =>
    [
        // Light and dark: people who cannot distinguish green from red see the difference.
        ByName("success", Set.Color(Colors.LightGreen)),
        ByRegex("/^(bad_request|unauthorized|forbidden|not_found|rate_limited|engine_refused)$/", Set.Shades(Colors.Yellow)),
        ByRegex("/^(queue_full|queue_timeout|shutting_down)$/", Set.Shades(Colors.Orange)),
        ByRegex("/^(engine_|gateway_|stream_)(?!refused)/", Set.Shades(Colors.DarkRed)),
        ByName("client_disconnect", Set.Color(Colors.Purple)),
    ];

    /// <summary>Requests that had to load their model.</summary>
    internal static Override Cold => ByRegex(@"/\bcold$/", Set.Dotted);

    internal static Override ByName(string name, params IReadOnlyList<(string Id, JsonNode Value)> properties) => new("byName", name, properties);

    internal static Override ByRegex(string pattern, params IReadOnlyList<(string Id, JsonNode Value)> properties) => new("byRegexp", pattern, properties);

    internal static Override OfQuery(string query, params IReadOnlyList<(string Id, JsonNode Value)> properties) => new("byFrameRefID", query, properties);

    internal JsonObject ToJson() => new()
    {
        ["matcher"] = new JsonObject { ["id"] = Matcher, ["options"] = Name },
        ["properties"] = new JsonArray([.. Properties.Select(property => new JsonObject { ["id"] = property.Id, ["value"] = property.Value.DeepClone() })]),
    };
}

/// <summary>Properties of an <see cref="Override"/>.</summary>
internal static class Set
{
    public static (string Id, JsonNode Value) Dashed => ("custom.lineStyle", new JsonObject { ["dash"] = new JsonArray(8, 8), ["fill"] = "dash" });

    public static (string Id, JsonNode Value) Dotted => ("custom.lineStyle", new JsonObject { ["dash"] = new JsonArray(2, 6), ["fill"] = "dot" });

    public static (string Id, JsonNode Value) NoFill => ("custom.fillOpacity", 0);

    public static (string Id, JsonNode Value) NotStacked => ("custom.stacking", new JsonObject { ["group"] = "A", ["mode"] = "none" });

    public static (string Id, JsonNode Value) Negative => ("custom.transform", "negative-Y");

    public static (string Id, JsonNode Value) RightAxis => ("custom.axisPlacement", "right");

    public static (string Id, JsonNode Value) ColoredText => ("custom.cellOptions", new JsonObject { ["type"] = "color-text" });

    public static (string Id, JsonNode Value) ColoredCell => ("custom.cellOptions", new JsonObject { ["mode"] = "basic", ["type"] = "color-background" });

    public static (string Id, JsonNode Value) Gauge => ("custom.cellOptions", new JsonObject { ["mode"] = "basic", ["type"] = "gauge", ["valueDisplayMode"] = "text" });

    public static (string Id, JsonNode Value) Color(string color) => ("color", new JsonObject { ["fixedColor"] = color, ["mode"] = "fixed" });

    public static (string Id, JsonNode Value) Shades(string color) => ("color", new JsonObject { ["fixedColor"] = color, ["mode"] = "shades" });

    public static (string Id, JsonNode Value) Unit(string unit) => ("unit", unit);

    public static (string Id, JsonNode Value) Name(string name) => ("displayName", name);

    public static (string Id, JsonNode Value) Decimals(int decimals) => ("decimals", decimals);

    public static (string Id, JsonNode Value) Min(double min) => ("min", min);

    public static (string Id, JsonNode Value) Max(double max) => ("max", max);

    public static (string Id, JsonNode Value) Width(int pixels) => ("custom.width", pixels);

    public static (string Id, JsonNode Value) Thresholds(params IReadOnlyList<Threshold> steps) => ("thresholds", Threshold.ToJson(steps));

    public static (string Id, JsonNode Value) Links(params IReadOnlyList<Link> links) => ("links", Link.ToJson(links));

    public static (string Id, JsonNode Value) Mappings(params IReadOnlyList<Mapping> mappings) => ("mappings", Mapping.ToJson(mappings));
}
