using Hazumu.Tests.Configuration;
using System.Text.Json;
using System.Text.RegularExpressions;
using Hazumu.Testing;
using Hazumu.Tests.Rules;

namespace Hazumu.Tests.Dashboards;

public sealed partial class DashboardTests
{
    public const string DataSourceUid = "hazumu-prometheus";

    private const int GridColumns = 24;

    // By type. They are provisioned under these uids, which never change.
    private static readonly Dictionary<string, string> s_dataSources = GrafanaProvisioningTests.DataSources.ToDictionary(source => source.Type, source => source.Uid);

    // Panels whose queries return rows or lines, not named series; lines have no unit either.
    private static readonly string[] s_rows = ["table", "logs"];

    private static readonly string[] s_percentiles = ["p50", "p95", "p99"];
    private static readonly string[] s_thresholdColours = ["green", "yellow", "red"];
    private static readonly string[] s_logRanges = ["[$__auto]", "[$__range]"];

    public static TheoryData<string> Names => [.. DashboardSet.ByName.Keys];

    [Theory]
    [MemberData(nameof(Names))]
    public void A_dashboard_is_named_like_its_file_and_has_a_title(string name)
    {
        var dashboard = Read(name);

        Assert.Contains(Text(dashboard, "uid"), new[] { name, $"hazumu-{name}" });
        Assert.NotEqual("", Text(dashboard, "title"));
        Assert.EndsWith(".", Text(dashboard, "description"), StringComparison.Ordinal);
    }

    [Fact]
    public void No_title_is_there_twice() => Assert.Distinct(DashboardSet.ByUid.Values.Select(dashboard => Text(dashboard, "title")));

    [Theory]
    [MemberData(nameof(Names))]
    public void Dashboards_lead_to_each_other(string name)
    {
        var dashboard = Read(name);
        var link = Assert.Single(dashboard.GetProperty("links").EnumerateArray());

        Assert.Contains("hazumu", dashboard.GetProperty("tags").EnumerateArray().Select(tag => tag.GetString()));
        Assert.Equal("dashboards", Text(link, "type"));
        Assert.Equal(["hazumu"], link.GetProperty("tags").EnumerateArray().Select(tag => tag.GetString()));
        Assert.True(link.GetProperty("asDropdown").GetBoolean() && link.GetProperty("keepTime").GetBoolean());
        // There "instance" is any container; elsewhere it is an Ollama server.
        Assert.Equal(name != "containers", link.GetProperty("includeVars").GetBoolean());
    }

    /// <summary>What people type may have brackets and backticks, and must not change the query.</summary>
    [Fact]
    public void The_search_text_of_log_queries_is_quoted()
    {
        var queries = DashboardSet.LogQueries().Where(expression => expression.Dashboard == "logs" && expression.Expression.Contains("search", StringComparison.Ordinal)).ToList();

        Assert.Equal(5, queries.Count);
        Assert.All(queries, query => Assert.Matches(@"\|= \$\{search:doublequote\}( \[|$)", query.Expression));
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void Links_lead_to_dashboards_and_variables_that_exist_and_keep_the_time(string name)
    {
        var own = DashboardSet.Variables(Read(name)).Select(variable => Text(variable, "name")).ToHashSet();

        Assert.All(FindAll(Read(name), "links").Where(links => links.ValueKind is JsonValueKind.Array).SelectMany(links => links.EnumerateArray()).Concat(FindAll(Read(name), "properties").SelectMany(PropertyLinks)), link =>
        {
            var url = Text(link, "url");
            if (!url.StartsWith("/d/", StringComparison.Ordinal))
            {
                Assert.True(Text(link, "type") == "dashboards" || url.StartsWith("/alerting/list?search=rule:", StringComparison.Ordinal), $"'{url}' leads elsewhere.");
                return;
            }

            var parts = url["/d/".Length..].Split('?', 2);
            Assert.True(DashboardSet.ByUid.TryGetValue(parts[0], out var target), $"'{url}' leads to no dashboard.");
            var there = DashboardSet.Variables(target).Select(variable => Text(variable, "name")).ToHashSet();
            var parameters = parts[1].Split('&');
            Assert.True(parameters[0] == "${__url_time_range}" || parameters is ["time=${__value.time}", "time.window=120000", ..], $"'{url}' does not keep the time.");
            Assert.All(parameters, parameter => Assert.True(
                (QueryParameter().Match(parameter) is not { Success: true } handed || (own.Contains(handed.Groups["name"].Value) && there.Contains(handed.Groups["name"].Value)))
                && (SetParameter().Match(parameter) is not { Success: true } set || there.Contains(set.Groups["name"].Value)),
                $"'{parameter}' of '{url}' is no variable there."));
        });
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void Alerts_and_starts_are_marked(string name) => Assert.Equal(
        ["Alerts that begin", "Alerts that end", "Starts and deploys"],
        Read(name).GetProperty("annotations").GetProperty("list").EnumerateArray().Where(annotation => annotation.GetProperty("enable").GetBoolean()).Select(annotation => Text(annotation, "name")));

    [Theory]
    [MemberData(nameof(Names))]
    public void An_empty_panel_does_not_say_that_all_is_well(string name) => Assert.Empty(FindAll(Read(name), "noValue"));

    [Theory]
    [MemberData(nameof(Names))]
    public void A_state_timeline_takes_its_colours_from_its_states(string name) => Assert.All(
        ReadPanels(name).Where(panel => Text(panel, "type") == "state-timeline").Select(panel => panel.GetProperty("fieldConfig").GetProperty("defaults")),
        defaults =>
        {
            Assert.NotEqual("thresholds", Text(defaults.GetProperty("color"), "mode"));
            Assert.NotEqual(0, defaults.GetProperty("mappings").GetArrayLength());
        });

    // Marks say "begins" and "ends": alerts that fire for hours would paint over the data.
    [Theory]
    [MemberData(nameof(Names))]
    public void An_alert_is_marked_where_it_begins_and_ends(string name) => Assert.All(
        Read(name).GetProperty("annotations").GetProperty("list").EnumerateArray().Where(annotation => Text(annotation, "expr").Contains("ALERTS", StringComparison.Ordinal)),
        annotation => Assert.Matches(@"group by \(alertname, severity\) .* unless group by \(alertname, severity\) ", Text(annotation, "expr")));

    // At 1366 pixels a column is 54 wide and a letter 8; the sign of the description and the margins take 40.
    [Theory]
    [MemberData(nameof(Names))]
    public void A_title_fits_its_panel(string name) => Assert.All(ReadPanels(name), panel => Assert.True(
        (Text(panel, "title").Length * 8) + 40 <= panel.GetProperty("gridPos").GetProperty("w").GetInt32() * 54,
        $"'{Text(panel, "title")}' is too long."));

    [Theory]
    [MemberData(nameof(Names))]
    public void A_legend_leaves_room_for_the_graph(string name) => Assert.All(ReadPanels(name).Where(panel => Text(panel, "type") == "timeseries"), panel =>
    {
        var legend = panel.GetProperty("options").GetProperty("legend");
        var isWide = panel.GetProperty("gridPos").GetProperty("w").GetInt32() >= GridColumns / 2;
        Assert.Equal(isWide ? ("table", "right") : ("list", "bottom"), (Text(legend, "displayMode"), Text(legend, "placement")));
        Assert.InRange(legend.GetProperty("calcs").GetArrayLength(), 0, isWide ? 2 : 1);
    });

    [Theory]
    [MemberData(nameof(Names))]
    public void A_bar_is_named_also_where_it_is_the_only_one(string name) => Assert.All(
        ReadPanels(name).Where(panel => Text(panel, "type") == "bargauge"),
        panel => Assert.NotEqual("", Text(panel.GetProperty("fieldConfig").GetProperty("defaults"), "displayName")));

    [Theory]
    [MemberData(nameof(Names))]
    public void A_name_has_the_same_colour_in_every_panel(string name) => Assert.All(
        ReadPanels(name).Where(panel => Text(panel, "type") == "timeseries"),
        panel => Assert.Equal("palette-classic-by-name", Text(panel.GetProperty("fieldConfig").GetProperty("defaults").GetProperty("color"), "mode")));

    [Fact]
    public void An_outcome_has_the_same_colour_in_every_panel()
    {
        var panels = DashboardSet.ByName.Keys.SelectMany(ReadPanels).Where(panel => Text(panel, "type") == "timeseries" && panel.GetRawText().Contains("{{outcome}}", StringComparison.Ordinal)).ToList();

        Assert.Equal(3, panels.Count);
        Assert.Single(panels.Select(panel => panel.GetProperty("fieldConfig").GetProperty("overrides").GetRawText().Replace(" ", "", StringComparison.Ordinal)).Distinct());
    }

    [Fact]
    public void A_promise_is_not_drawn_far_above_the_measured_values() => Assert.All(
        DashboardSet.Expressions().Where(expression => expression.Expression.Contains("slo_threshold", StringComparison.Ordinal)),
        expression => Assert.Matches(@"^hazumu:slo_threshold:seconds\{[^}]+\} < 2 \* scalar\(max\(max_over_time\(", expression.Expression));

    // A scrape sees them for a moment: between two points of a long time range most would be lost.
    [Fact]
    public void Queues_and_slots_are_summed_up_over_time() => Assert.All(
        DashboardSet.Expressions().Where(expression => expression.Panel[0] != '$' && Momentary().IsMatch(expression.Expression)),
        expression => Assert.Matches(@"(max|avg)_over_time\((sum|hazumu|model)", expression.Expression));

    [Fact]
    public void The_GPUs_of_a_machine_without_one_take_one_line()
    {
        var row = Read("host-gpu").GetProperty("panels").EnumerateArray().First(panel => Text(panel, "type") == "row");

        Assert.Equal(("GPUs: ${gpus} measured", true), (Text(row, "title"), row.GetProperty("collapsed").GetBoolean()));
        Assert.All(row.GetProperty("panels").EnumerateArray(), panel => Assert.Contains("hazumu:gpu_", panel.GetRawText(), StringComparison.Ordinal));
        Assert.DoesNotContain(Read("host-gpu").GetProperty("panels").EnumerateArray(), panel => Text(panel, "type") != "row" && panel.GetRawText().Contains("hazumu:gpu_", StringComparison.Ordinal));
    }

    [Fact]
    public void A_variable_means_the_same_everywhere() => Assert.All(
        DashboardSet.ByUid.Where(dashboard => dashboard.Key != "hazumu-containers").SelectMany(dashboard => DashboardSet.Variables(dashboard.Value)).GroupBy(variable => Text(variable, "name")),
        variables => Assert.Single(variables.Select(variable => Text(variable, "label")).Distinct()));

    [Theory]
    [MemberData(nameof(Names))]
    public void A_percentile_has_its_colour(string name)
    {
        var colours = ReadPanels(name)
            .Where(panel => Text(panel, "type") == "timeseries")
            .SelectMany(panel => panel.GetProperty("targets").EnumerateArray()
                .Select(target => s_percentiles.FirstOrDefault(percentile => Text(target, "legendFormat").StartsWith(percentile, StringComparison.Ordinal)))
                .OfType<string>()
                .Select(percentile => (Percentile: percentile, Colour: FixedColour(panel, $"/^{percentile}\\b/"))))
            .Distinct();

        Assert.All(colours, one => Assert.Equal(one.Percentile switch { "p50" => "light-blue", "p95" => "blue", _ => "dark-blue" }, one.Colour));
    }

    [Fact]
    public void Thresholds_are_green_yellow_and_red() => Assert.All(
        DashboardSet.ByUid.Values.SelectMany(dashboard => FindAll(dashboard, "steps")).Where(steps => steps.ValueKind is JsonValueKind.Array).SelectMany(steps => steps.EnumerateArray()),
        step => Assert.Contains(Text(step, "color"), s_thresholdColours));

    [Theory]
    [MemberData(nameof(Names))]
    public void Panels_explain_themselves(string name) => Assert.All(ReadPanels(name), panel =>
    {
        Assert.False(string.IsNullOrWhiteSpace(Text(panel, "title")));
        Assert.EndsWith(".", Text(panel, "description"), StringComparison.Ordinal);
        Assert.True(
            Text(panel, "type") == "logs" || !string.IsNullOrWhiteSpace(Text(panel.GetProperty("fieldConfig").GetProperty("defaults"), "unit")),
            $"'{Text(panel, "title")}' has no unit.");
        Assert.All(panel.GetProperty("targets").EnumerateArray(), target => Assert.True(
            s_rows.Contains(Text(panel, "type")) || Text(target, "legendFormat") is { Length: > 0 } and not "__auto",
            $"'{Text(panel, "title")}' {Text(target, "refId")} has no legend."));
    });

    [Theory]
    [MemberData(nameof(Names))]
    public void Single_values_are_judged_by_thresholds(string name) => Assert.All(
        ReadPanels(name).Where(panel => Text(panel, "type") is "stat" or "bargauge"),
        panel => Assert.True(panel.GetProperty("fieldConfig").GetProperty("defaults").GetProperty("thresholds").GetProperty("steps").GetArrayLength() > 1, $"'{Text(panel, "title")}' has no thresholds."));

    [Theory]
    [MemberData(nameof(Names))]
    public void No_panel_is_there_twice(string name)
    {
        Assert.Distinct(DashboardSet.Panels(Read(name)).Select(panel => panel.GetProperty("id").GetInt32()));
        Assert.Distinct(ReadPanels(name).Select(panel => Text(panel, "title")));
        Assert.Distinct(ReadPanels(name).Select(panel => string.Join('\n', panel.GetProperty("targets").EnumerateArray().Select(target => Text(target, "expr")))));
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void Panels_lie_side_by_side(string name)
    {
        var places = Read(name).GetProperty("panels").EnumerateArray().Select(panel => (Title: Text(panel, "title"), Area: Area.Of(panel))).ToList();

        Assert.All(places, place => Assert.True(place.Area.IsInside(GridColumns), $"'{place.Title}' lies outside of the {GridColumns} columns."));
        for (var i = 0; i < places.Count; i++)
        {
            Assert.All(places.Skip(i + 1), other => Assert.False(places[i].Area.Overlaps(other.Area), $"'{places[i].Title}' and '{other.Title}' overlap."));
        }
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void Every_query_names_a_data_source_that_is_provisioned(string name)
    {
        var sources = FindAll(Read(name), "datasource").ToList();

        Assert.NotEmpty(sources);
        Assert.All(sources, source => Assert.Equal(s_dataSources[Text(source, "type")], Text(source, "uid")));
        Assert.DoesNotContain("${DS_", Read(name).GetRawText(), StringComparison.Ordinal);
        Assert.All(ReadPanels(name), panel => Assert.True(panel.TryGetProperty("datasource", out _), $"'{Text(panel, "title")}' names no data source."));
    }

    [Fact]
    public void Queries_read_metrics_that_exist() => Assert.All(DashboardSet.Expressions(), expression => Assert.All(
        PromQL.MetricNames(expression.ToQuery()),
        name => Assert.True(KnownMetrics.All.Contains(name), $"{expression} reads '{name}': not in docs/metrics.md, not recorded, not in known-metrics.txt.")));

    [Fact]
    public void Panels_listed_as_empty_while_healthy_exist() => Assert.Subset(
        DashboardSet.Expressions().Select(expression => (expression.Dashboard, expression.Panel, expression.RefId)).ToHashSet(),
        DashboardSet.EmptyWhileWell.Keys.ToHashSet());

    [Fact]
    public void Queries_use_our_labels_and_never_names_of_containers() => Assert.All(
        DashboardSet.Expressions(),
        expression => Assert.False(ContainerName().IsMatch(expression.Expression), expression.ToString()));

    [Fact]
    public void Queries_take_their_time_ranges_from_Grafana() => Assert.All(
        DashboardSet.Expressions().SelectMany(expression => TimeRange().Matches(expression.Expression)),
        range => Assert.Matches(@"^\[\$__(rate_interval|range)(:15s|:\$__interval)?\]$", range.Value));

    [Fact]
    public void Queries_use_variables_that_exist() => Assert.All(DashboardSet.Expressions().Concat(DashboardSet.LogQueries()), expression =>
    {
        var declared = DashboardSet.Variables(Read(expression.Dashboard)).Select(variable => Text(variable, "name"));
        Assert.Subset(declared.ToHashSet(), expression.Variables.ToHashSet());
    });

    [Fact]
    public void A_query_for_Prometheus_has_no_variables_left() => Assert.All(
        DashboardSet.Expressions(),
        expression => Assert.DoesNotMatch(@"\$\D", expression.ToQuery()),
        throwIfEmpty: true);

    [Theory]
    [InlineData("rate(a{b=~\"$b\"}[$__rate_interval])", "rate(a{b=~\".+\"}[1m])")]
    [InlineData("max_over_time(a[${__range}:$__interval])", "max_over_time(a[15m:15s])")]
    [InlineData("a{b=~\"${b:regex}\",c=\"[[c]]\"} / $__range_s", "a{b=~\".+\",c=\".+\"} / 900")]
    [InlineData("label_replace(a, \"b\", \"$1\", \"c\", \"(.*)\")", "label_replace(a, \"b\", \"$1\", \"c\", \"(.*)\")")]
    public void Variables_are_replaced(string expression, string query) =>
        Assert.Equal(query, new DashboardExpression("dashboard", "panel", "A", expression).ToQuery());

    [Fact]
    public async Task Every_query_is_valid_PromQL()
    {
        Skip.If(Promtool.Missing);

        var expressions = DashboardSet.Expressions().ToList();
        var rules = expressions.Select((expression, i) => new { record = $"query_{i + 1}", expr = expression.ToQuery() });

        var check = await Promtool.RunWithFileAsync(new { groups = new[] { new { name = "dashboards", rules } } }, "check", "rules");

        Assert.NotEmpty(expressions);
        Assert.True(check.Succeeded, $"{check.Output}\n{string.Join('\n', expressions.Select((expression, i) => $"query_{i + 1}: {expression}"))}");
    }

    // What can be said without Loki's own parser; BackendChecks asks Loki where it can be had.
    [Fact]
    public void Every_query_for_logs_looks_like_LogQL()
    {
        var members = AccessLogMember().Matches(File.ReadAllText(RepositoryRoot.Combine("docs", "metrics.md")).Split("## The access log")[1]).Select(match => match.Groups["name"].Value).ToHashSet();
        var queries = DashboardSet.LogQueries().ToList();

        Assert.NotEmpty(queries);
        Assert.All(queries, query =>
        {
            var text = query.ToQuery();
            var bare = LogText().Replace(text, "");

            Assert.DoesNotContain("$", text, StringComparison.Ordinal);
            Assert.DoesNotMatch("[\"`]", bare);
            Assert.True(IsBalanced(bare), $"{query} has a bracket too many or too few.");
            Assert.Single(StreamSelector().Matches(text));
            Assert.All(LogRange().Matches(query.Expression), range => Assert.Contains(range.Value, s_logRanges));
            Assert.Equal(bare.Contains("_over_time", StringComparison.Ordinal), bare.Contains('['));
            Assert.Subset(members, JsonMember().Matches(text).Select(match => match.Groups["name"].Value).ToHashSet());
        });
        Assert.All(FindAll(Read("logs"), "names").SelectMany(names => names.EnumerateArray()), column => Assert.Contains(column.GetString()!, members));
    }

    private static bool IsBalanced(string text)
    {
        var open = new Stack<char>();
        return text.All(character => character switch
        {
            '(' or '[' or '{' => Push(character),
            ')' => open.TryPop(out var last) && last == '(',
            ']' => open.TryPop(out var last) && last == '[',
            '}' => open.TryPop(out var last) && last == '{',
            _ => true,
        }) && open.Count == 0;

        bool Push(char character)
        {
            open.Push(character);
            return true;
        }
    }

    private static IEnumerable<JsonElement> PropertyLinks(JsonElement properties) => properties.EnumerateArray()
        .Where(property => Text(property, "id") == "links")
        .SelectMany(property => property.GetProperty("value").EnumerateArray());

    private static string FixedColour(JsonElement panel, string series) => panel.GetProperty("fieldConfig").GetProperty("overrides").EnumerateArray()
        .Where(one => Text(one.GetProperty("matcher"), "id") == "byRegexp" && one.GetProperty("matcher").GetProperty("options").GetString() == series)
        .SelectMany(one => one.GetProperty("properties").EnumerateArray())
        .Where(property => Text(property, "id") == "color")
        .Select(property => Text(property.GetProperty("value"), "fixedColor"))
        .FirstOrDefault("");

    private static JsonElement Read(string name) => DashboardSet.ByName[name];

    private static List<JsonElement> ReadPanels(string name) => [.. DashboardSet.Panels(Read(name)).Where(panel => Text(panel, "type") != "row")];

    private static string Text(JsonElement element, string property) => element.TryGetProperty(property, out var value) ? value.GetString() ?? "" : "";

    private static IEnumerable<JsonElement> FindAll(JsonElement element, string property) => element.ValueKind switch
    {
        JsonValueKind.Object => element.EnumerateObject().SelectMany(member => FindAll(member.Value, property).Concat(member.Name == property ? [member.Value] : [])),
        JsonValueKind.Array => element.EnumerateArray().SelectMany(item => FindAll(item, property)),
        _ => [],
    };

    [GeneratedRegex(@"\b(name|id|image|pod|container|container_name|container_label_\w+)\s*(=|!=|=~|!~)|\b(by|without|on|ignoring)\s*\([^)]*\b(name|id|image|pod|container)\b")]
    private static partial Regex ContainerName();

    [GeneratedRegex(@"\[[^\]]*\]")]
    private static partial Regex TimeRange();

    [GeneratedRegex(@"^\$\{(?<name>\w+):queryparam\}$")]
    private static partial Regex QueryParameter();

    [GeneratedRegex("^var-(?<name>[^=]+)=")]
    private static partial Regex SetParameter();

    [GeneratedRegex("`[^`]*`|\"[^\"]*\"")]
    private static partial Regex LogText();

    [GeneratedRegex("""\{(service|instance|level)=~?"[^"]+"(,(service|instance|level)=~?"[^"]+")*\}""")]
    private static partial Regex StreamSelector();

    [GeneratedRegex(@"\[\$[^\]]*\]")]
    private static partial Regex LogRange();

    [GeneratedRegex("gateway_(queued|in_flight|slots)")]
    private static partial Regex Momentary();

    [GeneratedRegex("(?:\\| json |, )\\w+=\"(?<name>\\w+)\"")]
    private static partial Regex JsonMember();

    [GeneratedRegex("`(?<name>[a-z_]+)`")]
    private static partial Regex AccessLogMember();

    private readonly record struct Area(int X, int Y, int Width, int Height)
    {
        public static Area Of(JsonElement panel)
        {
            var place = panel.GetProperty("gridPos");
            return new(place.GetProperty("x").GetInt32(), place.GetProperty("y").GetInt32(), place.GetProperty("w").GetInt32(), place.GetProperty("h").GetInt32());
        }

        public bool IsInside(int columns) => X >= 0 && Y >= 0 && Width > 0 && Height > 0 && X + Width <= columns;

        public bool Overlaps(Area other) => X < other.X + other.Width && other.X < X + Width && Y < other.Y + other.Height && other.Y < Y + Height;
    }
}
