using System.Text.Json;
using Hazumu.Testing;

namespace Hazumu.Tests.Dashboards;

/// <summary>What each panel's queries return for a graph of a given size.</summary>
public abstract class DashboardSizeTests
{
    // By the type of the panel: what a person can read of it.
    private static readonly Dictionary<string, int> s_limits = new() { ["stat"] = 4, ["bargauge"] = 12, ["state-timeline"] = 16, ["timeseries"] = 12 };

    private const int MostMarks = 20;
    private const int MarkStep = 60;

    private readonly RecordedGraph _graph;

    protected DashboardSizeTests(RecordedGraph graph)
    {
        Skip.If(Component.Prometheus.Missing);
        _graph = graph;
    }

    [Fact]
    public async Task Every_panel_has_data_of_the_components_that_are_there()
    {
        var empty = new List<DashboardExpression>();
        foreach (var expression in DashboardSet.Expressions().Where(expression => !expression.IsAnnotation && expression.Sources.All(Has) && (_graph.Size == GraphSize.Fleet || !expression.IsForFleet)))
        {
            if ((await _graph.QueryAsync(expression.ToQuery())).Count == 0)
            {
                empty.Add(expression);
            }
        }

        Assert.True(empty.Count == 0, string.Join('\n', empty));
    }

    [Fact]
    public async Task Every_panel_shows_no_more_than_a_person_can_read()
    {
        var tooMany = new List<string>();
        foreach (var panel in DashboardSet.Expressions().Where(expression => expression.Panel[0] is not ('$' or '@')).GroupBy(expression => (expression.Dashboard, expression.Panel)))
        {
            var type = DashboardSet.Panels(DashboardSet.ByName[panel.Key.Dashboard]).Single(one => one.GetProperty("title").GetString() == panel.Key.Panel && one.GetProperty("type").GetString() != "row").GetProperty("type").GetString()!;
            if (s_limits.TryGetValue(type, out var limit))
            {
                var series = 0;
                foreach (var expression in panel)
                {
                    series += (type is "stat" or "bargauge" ? await _graph.QueryAsync(expression.ToQuery()) : await _graph.QueryRangeAsync(expression.ToQuery(), 15)).Count;
                }

                if (series > limit)
                {
                    tooMany.Add($"{panel.Key.Dashboard}, {panel.Key.Panel}: {series} of at most {limit}");
                }
            }
        }

        Assert.True(tooMany.Count == 0, string.Join('\n', tooMany));
    }

    [Fact]
    public async Task Annotations_do_not_cover_the_panels()
    {
        foreach (var expression in DashboardSet.Expressions().Where(expression => expression.IsAnnotation))
        {
            var marks = (await _graph.QueryRangeAsync(expression.ToQuery(), MarkStep)).Sum(CountStretches);
            Assert.True(marks <= MostMarks, $"{marks} marks: {expression}");
        }
    }

    private bool Has(string service) => service switch
    {
        "gpuexporter" => _graph.Size.Gpus > 0,
        "loki" or "alloy" => _graph.Size.HasLogs,
        _ => true,
    };

    // Grafana makes one mark of values that follow on each other.
    private static int CountStretches(JsonElement series)
    {
        var times = series.GetProperty("values").EnumerateArray().Select(value => value[0].GetDouble()).ToList();
        return times.Where((time, index) => index == 0 || time - times[index - 1] > MarkStep).Count();
    }
}

/// <summary>Two engines, four models.</summary>
public sealed class SmallDashboardTests(SmallGraph graph) : DashboardSizeTests(graph), IClassFixture<SmallGraph>;

/// <summary>48 engines, 40 models, 60 keys, 8 GPUs, 4 gateways.</summary>
public sealed class FleetDashboardTests(FleetGraph graph) : DashboardSizeTests(graph), IClassFixture<FleetGraph>;
