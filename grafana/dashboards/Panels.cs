using System.Text.Json.Nodes;

namespace Hazumu.Grafana;

/// <summary>A panel: a rectangle in a grid of 24 columns.</summary>
/// <param name="Width">Columns, 1 to 24.</param>
/// <param name="Height">Rows of 30 pixels.</param>
/// <param name="Title">What it shows.</param>
public abstract record Panel(int Width, int Height, string Title)
{
    /// <summary>Whether it says something about logs only, and is left out without them.</summary>
    public bool IsAboutLogs { get; init; }

    /// <summary>The JSON that Grafana reads.</summary>
    /// <param name="id">The number of the panel in its dashboard.</param>
    /// <param name="x">The column of its left edge.</param>
    /// <param name="y">The row of its upper edge.</param>
    public abstract JsonObject ToJson(int id, int x, int y);

    /// <summary>The common part of all panels.</summary>
    private protected JsonObject Place(string type, int id, int x, int y) => new()
    {
        ["type"] = type,
        ["id"] = id,
        ["title"] = Title,
        ["gridPos"] = new JsonObject { ["h"] = Height, ["w"] = Width, ["x"] = x, ["y"] = y },
    };
}

/// <summary>A heading over the panels that follow.</summary>
/// <param name="Title">The heading.</param>
public sealed record Row(string Title) : Panel(24, 1, Title)
{
    /// <summary>Whether the panels are shown only after a click on the heading.</summary>
    public bool IsCollapsed { get; init; }

    /// <inheritdoc/>
    public override JsonObject ToJson(int id, int x, int y)
    {
        var row = Place("row", id, x, y);
        row["collapsed"] = IsCollapsed;
        row["panels"] = new JsonArray();
        return row;
    }
}

/// <summary>A panel that shows the results of queries.</summary>
/// <param name="Type">Grafana's name of the panel's kind.</param>
/// <param name="Width">Columns, 1 to 24.</param>
/// <param name="Height">Rows of 30 pixels.</param>
/// <param name="Title">What it shows.</param>
/// <param name="Description">The good and bad values, and the next step.</param>
public abstract record DataPanel(string Type, int Width, int Height, string Title, string Description) : Panel(Width, Height, Title)
{
    /// <summary>The queries; the first is A.</summary>
    public required IReadOnlyList<Query> Queries { get; init; }

    /// <summary>The unit, by Grafana's name of it.</summary>
    public string Unit { get; init; } = "none";

    /// <summary>The least value of an axis or a gauge; <see langword="null"/> where the values decide.</summary>
    public double? Min { get; init; }

    /// <summary>The greatest value of an axis or a gauge; <see langword="null"/> where the values decide.</summary>
    public double? Max { get; init; }

    /// <summary>Digits after the decimal point; <see langword="null"/> for as many as fit.</summary>
    public int? Decimals { get; init; }

    /// <summary>From which value on it has which colour.</summary>
    public IReadOnlyList<Threshold> Thresholds { get; init; } = [new(Colors.Green)];

    /// <summary>Words and colours for values that stand for a state, the best first; instead of <see cref="Thresholds"/>.</summary>
    public IReadOnlyList<Mapping> States { get; init; } = [];

    /// <summary>The targets of a click on a value.</summary>
    public IReadOnlyList<Link> Links { get; init; } = [];

    /// <summary>Overrides for some of the series or columns.</summary>
    public IReadOnlyList<Override> Overrides { get; init; } = [];

    /// <summary>How a colour is chosen.</summary>
    private protected virtual JsonObject Color => new() { ["mode"] = "thresholds" };

    /// <summary>The field options of this type of visualization.</summary>
    private protected virtual JsonObject? Custom => null;

    /// <summary>The options of the visualization.</summary>
    private protected abstract JsonObject Options { get; }

    /// <summary>Whether queries request only the newest value, unless a query is set otherwise.</summary>
    private protected virtual bool IsInstant => false;

    /// <summary>The form in which queries return what they find, where it is not that of time series.</summary>
    private protected virtual string? Format => null;

    /// <summary>The transformations of the results.</summary>
    private protected virtual JsonArray? Transformations => null;

    /// <inheritdoc/>
    public override JsonObject ToJson(int id, int x, int y)
    {
        var panel = Place(Type, id, x, y);
        panel["description"] = Description;
        panel["datasource"] = Queries[0].Source();
        panel["pluginVersion"] = "13.2.0";
        panel["fieldConfig"] = new JsonObject { ["defaults"] = Defaults(), ["overrides"] = new JsonArray([.. Overrides.Select(some => some.ToJson())]) };
        panel["options"] = Options;
        panel["targets"] = new JsonArray([.. Queries.Select((query, index) => query.ToJson((char)('A' + index), IsInstant, Format))]);
        if (Transformations is { } transformations)
        {
            panel["transformations"] = transformations;
        }

        return panel;
    }

    /// <summary>The name of the series, where Grafana's own is not shown for one alone.</summary>
    private protected virtual string? DisplayName => null;

    private JsonObject Defaults()
    {
        var steps = States.Count > 0 ? Threshold.Of(States) : Thresholds;
        var defaults = new JsonObject
        {
            ["color"] = Color,
            ["mappings"] = Mapping.ToJson(States),
            ["thresholds"] = Threshold.ToJson(steps),
            ["unit"] = Unit,
        };
        Add("custom", Custom);
        Add("min", Min);
        Add("max", Max);
        Add("decimals", Decimals);
        Add("displayName", DisplayName);
        Add("links", Links.Count > 0 ? Link.ToJson(Links) : null);
        return defaults;

        void Add(string name, JsonNode? value)
        {
            if (value is not null)
            {
                defaults[name] = value;
            }
        }
    }

    /// <summary>The last value that is one.</summary>
    private protected static JsonObject LastValue => new() { ["calcs"] = new JsonArray("lastNotNull"), ["fields"] = "", ["values"] = false };

    /// <summary>Hidden nowhere.</summary>
    private protected static JsonObject HideFrom => new() { ["legend"] = false, ["tooltip"] = false, ["viz"] = false };

    /// <summary>The legend: a table at the right where there is room for one, else names below.</summary>
    private protected JsonObject Legend(bool isShown, params IReadOnlyList<string> figures) => new()
    {
        ["calcs"] = new JsonArray([.. figures]),
        ["displayMode"] = Width >= LeastForTable ? "table" : "list",
        ["placement"] = Width >= LeastForTable ? "right" : "bottom",
        ["showLegend"] = isShown,
    };

    /// <summary>Columns from which on a table fits beside a graph.</summary>
    private protected const int LeastForTable = 12;

    /// <summary>The tooltip.</summary>
    private protected static JsonObject Tooltip(string mode, string sort) => new() { ["hideZeros"] = false, ["mode"] = mode, ["sort"] = sort };
}

/// <summary>The newest value in large digits.</summary>
/// <inheritdoc/>
public sealed record Stat(int Width, int Height, string Title, string Description) : DataPanel("stat", Width, Height, Title, Description)
{
    /// <summary>Whether the series' name is shown also where there is one only.</summary>
    public bool ShowsName { get; init; }

    private protected override bool IsInstant => true;

    private protected override JsonObject Options => new()
    {
        ["colorMode"] = "value",
        ["graphMode"] = "none",
        ["justifyMode"] = "auto",
        ["orientation"] = "auto",
        ["percentChangeColorMode"] = "standard",
        ["reduceOptions"] = LastValue,
        ["showPercentChange"] = false,
        ["textMode"] = ShowsName ? "value_and_name" : "auto",
        ["wideLayout"] = true,
    };
}

/// <summary>The newest values as bars.</summary>
/// <inheritdoc/>
public sealed record BarGauge(int Width, int Height, string Title, string Description) : DataPanel("bargauge", Width, Height, Title, Description)
{
    /// <summary>The name of a bar.</summary>
    public required string Name { get; init; }

    private protected override string? DisplayName => Name;

    private protected override bool IsInstant => true;

    private protected override JsonObject Options => new()
    {
        ["displayMode"] = "basic",
        ["legend"] = Legend(isShown: false),
        ["maxVizHeight"] = 300,
        ["minVizHeight"] = 16,
        ["minVizWidth"] = 8,
        ["namePlacement"] = "auto",
        ["orientation"] = "horizontal",
        ["reduceOptions"] = LastValue,
        ["showUnfilled"] = true,
        ["sizing"] = "auto",
        ["valueMode"] = "color",
    };
}

/// <summary>Values over time.</summary>
/// <inheritdoc/>
public sealed record TimeSeries(int Width, int Height, string Title, string Description) : DataPanel("timeseries", Width, Height, Title, Description)
{
    /// <summary>Whether <see cref="DataPanel.Thresholds"/> are drawn as dashed lines.</summary>
    public bool ShowsThresholds { get; init; }

    /// <summary>Whether zero is in the middle, for values below it.</summary>
    public bool CentersZero { get; init; }

    /// <summary>Whether each value is a bar.</summary>
    public bool Bars { get; init; }

    /// <summary>Whether the axis grows by powers of ten.</summary>
    public bool Logarithmic { get; init; }

    /// <summary>Whether series are drawn on top of each other, so that the upper edge is their sum.</summary>
    public bool Stacked { get; init; }

    /// <summary>Per cent of colour below a line; <see langword="null"/> for what suits the form.</summary>
    public int? Fill { get; init; }

    /// <summary>The one figure that the legend has of each series; without it, a table has the last and the highest value, and names below have none.</summary>
    public string? Figure { get; init; }

    // By name: an engine, a model and a key have the same colour in every panel.
    private protected override JsonObject Color => new() { ["mode"] = "palette-classic-by-name" };

    private protected override JsonObject Custom => new()
    {
        ["axisBorderShow"] = false,
        ["axisCenteredZero"] = CentersZero,
        ["axisColorMode"] = "text",
        ["axisLabel"] = "",
        ["axisPlacement"] = "auto",
        // Else an axis with nothing but zeros ends at 100.
        ["axisSoftMax"] = Max is null && (Unit is "reqps" or "pps" or "iops" || Unit.StartsWith("suffix:", StringComparison.Ordinal)) ? 1 : null,
        ["drawStyle"] = Bars ? "bars" : "line",
        ["fillOpacity"] = Fill ?? (Bars ? 60 : Stacked ? 30 : 10),
        ["gradientMode"] = "none",
        ["hideFrom"] = HideFrom,
        ["insertNulls"] = false,
        ["lineInterpolation"] = "linear",
        ["lineWidth"] = 1,
        ["pointSize"] = 5,
        ["scaleDistribution"] = Logarithmic ? new JsonObject { ["type"] = "log", ["log"] = 10 } : new JsonObject { ["type"] = "linear" },
        ["showPoints"] = "auto",
        ["spanNulls"] = false,
        ["stacking"] = new JsonObject { ["group"] = "A", ["mode"] = Stacked ? "normal" : "none" },
        ["thresholdsStyle"] = new JsonObject { ["mode"] = ShowsThresholds ? "dashed" : "off" },
    };

    private protected override JsonObject Options => new() { ["legend"] = Legend(isShown: true, Figure is not null ? [Figure] : Width >= LeastForTable ? ["lastNotNull", "max"] : []), ["tooltip"] = Tooltip("multi", "desc") };
}

/// <summary>States over time, a row for each series.</summary>
/// <inheritdoc/>
/// <remarks>
/// Its colours are those of the states: with colours by thresholds, merged values read <c>1+</c> and <c>&lt; 1</c> instead of their words
/// (Grafana's <c>mergeThresholdValues</c>, the same in 13.2).
/// </remarks>
public sealed record StateTimeline(int Width, int Height, string Title, string Description) : DataPanel("state-timeline", Width, Height, Title, Description)
{
    private protected override JsonObject Color => new() { ["mode"] = "fixed", ["fixedColor"] = "text" };

    private protected override JsonObject Custom => new() { ["axisPlacement"] = "auto", ["fillOpacity"] = 70, ["hideFrom"] = HideFrom, ["lineWidth"] = 0 };

    private protected override JsonObject Options => new()
    {
        ["alignValue"] = "left",
        ["legend"] = Legend(isShown: false),
        ["mergeValues"] = true,
        ["rowHeight"] = 0.85,
        ["showValue"] = "auto",
        ["tooltip"] = Tooltip("single", "none"),
    };
}

/// <summary>Rows and columns.</summary>
/// <inheritdoc/>
public sealed record Table(int Width, int Height, string Title, string Description) : DataPanel("table", Width, Height, Title, Description)
{
    /// <summary>The column by which rows are ordered, by the name that is shown.</summary>
    public required string SortBy { get; init; }

    /// <summary>Whether the greatest comes first.</summary>
    public bool SortsDescending { get; init; }

    /// <summary>The columns, from left to right.</summary>
    public required IReadOnlyList<string> Columns { get; init; }

    /// <summary>Columns that are not shown.</summary>
    public IReadOnlyList<string> Hidden { get; init; } = ["Time"];

    /// <summary>Whether the columns are members of JSON lines of a log.</summary>
    public bool ReadsJsonLines { get; init; }

    private protected override JsonObject Custom => new()
    {
        ["align"] = "auto",
        ["cellOptions"] = new JsonObject { ["type"] = "auto" },
        ["inspect"] = false,
    };

    private protected override bool IsInstant => !ReadsJsonLines;

    private protected override string Format => "table";

    private protected override JsonObject Options => new()
    {
        ["cellHeight"] = "sm",
        ["frameIndex"] = 0,
        ["showHeader"] = true,
        ["sortBy"] = new JsonArray(new JsonObject { ["desc"] = SortsDescending, ["displayName"] = SortBy }),
    };

    private protected override JsonArray Transformations
    {
        get
        {
            var all = new JsonArray();
            if (Queries.Count > 1)
            {
                Add("merge", []);
            }

            if (ReadsJsonLines)
            {
                Add("extractFields", new() { ["delimiter"] = ",", ["format"] = "json", ["keepTime"] = false, ["replace"] = true, ["source"] = "Line" });
                Add("convertFieldType", new() { ["conversions"] = new JsonArray(new JsonObject { ["targetField"] = "time", ["destinationType"] = "time" }), ["fields"] = new JsonObject() });
                Add("filterFieldsByName", new() { ["include"] = new JsonObject { ["names"] = new JsonArray([.. Columns]) } });
            }

            Add("organize", new()
            {
                ["excludeByName"] = new JsonObject(Hidden.Where(_ => !ReadsJsonLines).Select(name => KeyValuePair.Create<string, JsonNode?>(name, true))),
                ["includeByName"] = new JsonObject(),
                ["indexByName"] = new JsonObject(Columns.Select((name, index) => KeyValuePair.Create<string, JsonNode?>(name, index))),
                ["renameByName"] = new JsonObject(),
            });
            return all;

            void Add(string id, JsonObject options) => all.Add((JsonNode)new JsonObject { ["id"] = id, ["options"] = options });
        }
    }
}

/// <summary>How often values of a histogram fell in which bucket, over time.</summary>
/// <inheritdoc/>
public sealed record Heatmap(int Width, int Height, string Title, string Description) : DataPanel("heatmap", Width, Height, Title, Description)
{
    /// <summary>The unit of the buckets' edges.</summary>
    public required string BucketUnit { get; init; }

    private protected override JsonObject Custom => new() { ["hideFrom"] = HideFrom, ["scaleDistribution"] = new JsonObject { ["type"] = "linear" } };

    private protected override string Format => "heatmap";

    private protected override JsonObject Options => new()
    {
        ["calculate"] = false,
        ["cellGap"] = 1,
        ["cellValues"] = new JsonObject { ["unit"] = Unit, ["decimals"] = 1 },
        // Grafana turns the scheme round by itself for a dark page.
        ["color"] = new JsonObject { ["exponent"] = 0.5, ["fill"] = "blue", ["mode"] = "scheme", ["reverse"] = false, ["scale"] = "exponential", ["scheme"] = "Blues", ["steps"] = 64 },
        ["exemplars"] = new JsonObject { ["color"] = "rgba(255,0,255,0.7)" },
        ["filterValues"] = new JsonObject { ["le"] = 1e-9 },
        ["legend"] = new JsonObject { ["show"] = true },
        ["rowsFrame"] = new JsonObject { ["layout"] = "auto" },
        ["showValue"] = "never",
        ["tooltip"] = new JsonObject { ["mode"] = "single", ["showColorScale"] = false, ["yHistogram"] = true },
        ["yAxis"] = new JsonObject { ["axisPlacement"] = "left", ["reverse"] = false, ["unit"] = BucketUnit },
    };
}

/// <summary>Lines of logs, the newest first.</summary>
/// <inheritdoc/>
public sealed record LogLines(int Width, int Height, string Title, string Description) : DataPanel("logs", Width, Height, Title, Description)
{
    private protected override JsonObject Options => new()
    {
        ["dedupStrategy"] = "none",
        ["enableLogDetails"] = true,
        ["prettifyLogMessage"] = false,
        ["showCommonLabels"] = false,
        ["showLabels"] = false,
        ["showLogContextToggle"] = true,
        ["showTime"] = true,
        ["sortOrder"] = "Descending",
        ["wrapLogMessage"] = true,
    };

    /// <inheritdoc/>
    public override JsonObject ToJson(int id, int x, int y)
    {
        var panel = base.ToJson(id, x, y);
        // Lines have no values.
        panel.Remove("fieldConfig");
        return panel;
    }
}
