using System.Text.Json;
using System.Text.RegularExpressions;
using Hazumu.Checks;
using Xunit;

namespace Hazumu.Standalone.Tests.Configuration;

public sealed partial class DashboardTests
{
    public const string DataSourceUid = "hazumu-prometheus";

    private const int GridColumns = 24;

    public static TheoryData<string> Names => [.. Dashboards.Files.Select(file => Path.GetFileNameWithoutExtension(file))];

    [Theory]
    [MemberData(nameof(Names))]
    public void A_dashboard_is_named_like_its_file_and_has_a_title(string name)
    {
        var dashboard = Read(name);

        Assert.Equal(name, dashboard.GetProperty("uid").GetString());
        Assert.NotEqual("", dashboard.GetProperty("title").GetString());
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void Panels_explain_themselves(string name) => Assert.All(ReadPanels(name), panel =>
    {
        Assert.False(string.IsNullOrWhiteSpace(Text(panel, "title")));
        Assert.EndsWith(".", Text(panel, "description"), StringComparison.Ordinal);
        Assert.False(string.IsNullOrWhiteSpace(Text(panel.GetProperty("fieldConfig").GetProperty("defaults"), "unit")), $"'{Text(panel, "title")}' has no unit.");
        Assert.All(panel.GetProperty("targets").EnumerateArray(), target => Assert.Contains("{{", Text(target, "legendFormat"), StringComparison.Ordinal));
    });

    [Theory]
    [MemberData(nameof(Names))]
    public void Single_values_are_judged_by_thresholds(string name) => Assert.All(
        ReadPanels(name).Where(panel => Text(panel, "type") == "stat"),
        panel => Assert.True(panel.GetProperty("fieldConfig").GetProperty("defaults").GetProperty("thresholds").GetProperty("steps").GetArrayLength() > 1, $"'{Text(panel, "title")}' has no thresholds."));

    [Theory]
    [MemberData(nameof(Names))]
    public void No_panel_is_there_twice(string name)
    {
        Assert.Distinct(Dashboards.Panels(Read(name)).Select(panel => panel.GetProperty("id").GetInt32()));
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
    public void Every_query_names_the_one_data_source(string name)
    {
        var uids = FindAll(Read(name), "datasource").Select(source => Text(source, "uid")).ToList();

        Assert.NotEmpty(uids);
        Assert.All(uids, uid => Assert.Equal(DataSourceUid, uid));
        Assert.DoesNotContain("${DS_", File.ReadAllText(PathOf(name)), StringComparison.Ordinal);
        Assert.All(ReadPanels(name), panel => Assert.True(panel.TryGetProperty("datasource", out _), $"'{Text(panel, "title")}' names no data source."));
    }

    [Fact]
    public void Queries_use_our_labels_and_never_names_of_containers() => Assert.All(
        Dashboards.Expressions(),
        expression => Assert.False(ContainerName().IsMatch(expression.Expression), expression.ToString()));

    [Fact]
    public void Queries_take_their_time_ranges_from_Grafana() => Assert.All(
        Dashboards.Expressions().SelectMany(expression => TimeRange().Matches(expression.Expression)),
        range => Assert.Matches(@"^\[\$__(rate_interval|range(:15s)?)\]$", range.Value));

    [Fact]
    public void Queries_use_variables_that_exist() => Assert.All(Dashboards.Expressions(), expression =>
    {
        var declared = Dashboards.Variables(Read(expression.Dashboard)).Select(variable => Text(variable, "name"));
        Assert.Subset(declared.ToHashSet(), expression.Variables.ToHashSet());
    });

    [Fact]
    public void A_query_for_Prometheus_has_no_variables_left() => Assert.All(
        Dashboards.Expressions(),
        expression => Assert.DoesNotContain("$", expression.ToQuery(), StringComparison.Ordinal));

    [Theory]
    [InlineData("rate(a{b=~\"$b\"}[$__rate_interval])", "rate(a{b=~\".+\"}[1m])")]
    [InlineData("max_over_time(a[${__range}:$__interval])", "max_over_time(a[15m:15s])")]
    [InlineData("a{b=~\"${b:regex}\",c=\"[[c]]\"} / $__range_s", "a{b=~\".+\",c=\".+\"} / 900")]
    [InlineData("label_replace(a, \"b\", \"$1\", \"c\", \"(.*)\")", "label_replace(a, \"b\", \"$1\", \"c\", \"(.*)\")")]
    public void Variables_are_replaced(string expression, string query) =>
        Assert.Equal(query, new DashboardExpression("dashboard", "panel", "A", expression).ToQuery());

    [RequiresFact("Prometheus")]
    public async Task Every_query_is_valid_PromQL()
    {
        var expressions = Dashboards.Expressions().ToList();
        var rules = expressions.Select((expression, i) => new { record = $"query_{i + 1}", expr = expression.ToQuery() });

        var check = await PromTool.RunWithFileAsync(new { groups = new[] { new { name = "dashboards", rules } } }, "check", "rules");

        Assert.NotEmpty(expressions);
        Assert.True(check.Succeeded, $"{check.Output}\n{string.Join('\n', expressions.Select((expression, i) => $"query_{i + 1}: {expression}"))}");
    }

    private static string PathOf(string name) => RepositoryRoot.Combine("grafana", "dashboards", $"{name}.json");

    private static JsonElement Read(string name) => JsonSerializer.Deserialize<JsonElement>(File.ReadAllText(PathOf(name)));

    private static List<JsonElement> ReadPanels(string name) => [.. Dashboards.Panels(Read(name)).Where(panel => Text(panel, "type") != "row")];

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
