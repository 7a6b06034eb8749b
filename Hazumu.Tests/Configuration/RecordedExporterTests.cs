using System.Globalization;
using System.Text.RegularExpressions;
using Hazumu.Testing;
using Hazumu.Tests.Rules;

namespace Hazumu.Tests.Configuration;

/// <summary>
/// What dashboards show of exporters that need hardware, or that a test's graph may lack: their recorded output (folder <c>Recorded</c>)
/// goes through the rules into every expression that reads it, by Prometheus' own unit tests for rules.
/// </summary>
public sealed partial class RecordedExporterTests
{
    // By file: the job, which is the service too.
    private static readonly Dictionary<string, string> s_jobs = new()
    {
        ["prometheus"] = "prometheus",
        ["alertmanager"] = "alertmanager",
        ["node-exporter"] = "nodeexporter",
        ["loki"] = "loki",
        ["alloy"] = "alloy",
        ["nvidia-gpu-exporter"] = "gpuexporter",
        ["nvidia-gpu-exporter-loaded"] = "gpuexporter",
        ["nvidia-gpu-exporter-nvml"] = "gpuexporter",
        ["dcgm-exporter"] = "gpuexporter",
        ["amd-device-metrics-exporter"] = "gpuexporter",
    };

    private static readonly string[] s_rules = ["/etc/prometheus/rules/*.yaml"];

    private static readonly object[] s_one = [new { labels = "{}", value = 1 }];

    // What Prometheus adds to every scrape.
    private static readonly string[] s_ofEveryScrape = ["up", "scrape_duration_seconds", "scrape_samples_post_metric_relabeling"];

    [Theory]
    [InlineData("nvidia-gpu-exporter")]
    [InlineData("nvidia-gpu-exporter-nvml")]
    [InlineData("dcgm-exporter")]
    [InlineData("amd-device-metrics-exporter")]
    public Task GPU_queries_have_data_with_any_vendors_exporter(string exporter)
    {
        Skip.IfMissing(Component.Prometheus);
        return AssertAsync([exporter], expression => expression.Sources is ["gpuexporter"]);
    }

    // The recorded card was at its power limit, a degree below its thermal one, and no clock was held down for another reason.
    [Fact]
    public Task A_card_that_is_full_and_busy_is_neither_hot_nor_slowed_down_nor_in_error()
    {
        Skip.IfMissing(Component.Prometheus);
        return AssertValuesAsync("nvidia-gpu-exporter-loaded", new()
        {
            ["hazumu:gpu_utilization:ratio"] = 0.99,
            ["hazumu:gpu_memory_used:bytes"] = 84694532096,
            ["hazumu:gpu_memory_total:bytes"] = 85520809984,
            ["hazumu:gpu_power:watts"] = 699.51,
            ["hazumu:gpu_temperature:celsius"] = 75,
            ["hazumu:gpu_temperature_margin:celsius"] = 1,
            ["count(hazumu:gpu_throttled:bool == 0)"] = 4,
            ["hazumu:gpu_throttled:bool == 1"] = null,
            ["hazumu:gpu_fault:info == 1"] = null,
            ["ALERTS{alertname=\"GpuHot\"}"] = null,
            ["count(ALERTS{alertname=\"GpuMemoryNearlyFull\",alertstate=\"pending\"})"] = 1,
        });
    }

    [Fact]
    public Task An_XID_of_a_program_is_shown_and_is_no_fault_of_the_GPU()
    {
        Skip.IfMissing(Component.Prometheus);
        return AssertValuesAsync("nvidia-gpu-exporter-nvml", new()
        {
            ["hazumu:gpu_xid:last{xid=\"31\"}"] = 1,
            ["hazumu:gpu_fault:info == 1"] = null,
        });
    }

    // clocks_throttle_reasons_* is what drivers before 535 say; none is left to record.
    [Fact]
    public void Every_metric_of_nvidia_smi_that_is_read_was_seen_on_a_card()
    {
        var seen = s_jobs.Keys.Where(file => file.StartsWith("nvidia-", StringComparison.Ordinal)).SelectMany(Read).Select(sample => sample.Name).ToHashSet();

        Assert.All(
            KnownMetrics.Foreign.Where(name => name.StartsWith("nvidia_smi_", StringComparison.Ordinal) && !name.Contains("_throttle_reasons_", StringComparison.Ordinal)),
            name => Assert.Contains(name, seen));
    }

    [Fact]
    public Task Host_queries_have_data()
    {
        Skip.IfMissing(Component.Prometheus);
        return AssertAsync(["node-exporter"], expression => expression.Sources is ["nodeexporter"]);
    }

    [Fact]
    public Task Monitoring_queries_have_data()
    {
        Skip.IfMissing(Component.Prometheus);
        return AssertAsync(["prometheus", "alertmanager", "loki", "alloy"], expression => expression.Dashboard == "monitoring");
    }

    [Fact]
    public void Every_expression_is_tried_on_a_running_graph_or_here() => Assert.All(
        DashboardSet.Expressions().Where(expression => !expression.IsAnnotation && expression.Dashboard != "monitoring"),
        expression => Assert.True(
            expression.Sources is ["gpuexporter"] or ["nodeexporter"] || expression.Sources.All(source => source is "gateway" or "cadvisor" or "blackbox"),
            $"{expression} reads {string.Join(" and ", expression.Sources)}, which no test has together."));

    [Fact]
    public void Every_recording_is_of_metrics_that_are_read() => Assert.All(s_jobs.Keys, file =>
        Assert.All(Read(file), sample => Assert.Contains(sample.Name, KnownMetrics.All)));

    private static async Task AssertAsync(string[] files, Func<DashboardExpression, bool> isMeant)
    {
        var expressions = DashboardSet.Expressions()
            .Where(expression => !expression.IsAnnotation && !DashboardSet.MayBeEmpty(expression))
            .Where(isMeant)
            .ToList();
        Assert.NotEmpty(expressions);
        await RunAsync(files, expressions.Select(expression => (object)new { expr = $"count({expression.ToQuery()}) > bool 0", eval_time = "9m45s", exp_samples = s_one }));
    }

    // By expression its value on the one card; null where it has none.
    private static Task AssertValuesAsync(string file, Dictionary<string, double?> values) => RunAsync([file], values.Select(pair => (object)new
    {
        expr = $"sum({pair.Key})",
        eval_time = "9m45s",
        exp_samples = pair.Value is { } value ? [new { labels = "{}", value }] : Array.Empty<object>(),
    }));

    private static async Task RunAsync(string[] files, IEnumerable<object> promqlExprTests)
    {
        var test = new
        {
            interval = "15s",
            input_series = files.SelectMany(file => Read(file).Select(sample => new { series = sample.Series(s_jobs[file], file), values = $"{sample.Value}x40" })
                .Concat(s_ofEveryScrape.Select(name => new { series = new Sample(name, "", 1).Series(s_jobs[file], file), values = "1x40" }))),
            promql_expr_test = promqlExprTests,
        };
        var groups = RuleFiles.Rules.Select(rule => rule.Group.Name).Distinct();

        var result = await Promtool.RunWithFileAsync(
            new { rule_files = s_rules, group_eval_order = groups, evaluation_interval = "15s", tests = new[] { test } },
            "test",
            "rules");

        Assert.True(result.Succeeded, result.Output);
    }

    private static List<Sample> Read(string file) =>
    [
        .. File.ReadLines(RepositoryRoot.Combine("Hazumu.Tests", "Configuration", "Recorded", $"{file}.txt"))
            .Where(line => line.Length > 0 && line[0] != '#')
            .Select(line => Line().Match(line))
            .Select(line => new Sample(line.Groups["name"].Value, line.Groups["labels"].Value, decimal.Parse(line.Groups["value"].Value, NumberStyles.Float, CultureInfo.InvariantCulture))),
    ];

    [GeneratedRegex(@"^(?<name>[a-zA-Z_]\w*)(\{(?<labels>[^}]*)\})? (?<value>\S+)$")]
    private static partial Regex Line();

    private sealed record Sample(string Name, string Labels, decimal Value)
    {
        public string Series(string job, string instance) => $"{Name}{{job=\"{job}\",instance=\"{instance}\"{(Labels.Length > 0 ? $",{Labels}" : "")}}}";
    }
}
