using System.Globalization;
using System.Text.RegularExpressions;
using Hazumu.Testing;
using Hazumu.Tests.Configuration;

namespace Hazumu.Tests.Rules;

public sealed partial class RuleTests
{
    // A request that ends so is its client's own doing. Whatever else docs/metrics.md lists is a failure of ours.
    private static readonly string[] s_clientsFaults = ["engine_refused", "client_disconnect", "bad_request", "unauthorized", "forbidden", "rate_limited"];

    [Fact]
    public void Prometheus_reads_every_file_of_rules()
    {
        Assert.Equal(["/etc/prometheus/rules/*.yaml", "/etc/prometheus-targets/expected*.yaml"], PrometheusConfiguration.Read().RuleFiles);
        Assert.All(RuleFiles.NamesIn("rules"), name => Assert.EndsWith(".yaml", name, StringComparison.Ordinal));
        Assert.Distinct(RuleFiles.Rules.Select(rule => rule.Group).Distinct().Select(group => group.Name));
    }

    [Fact]
    public void A_recording_rule_is_named_level_metric_operations() =>
        Assert.All(RuleFiles.Recordings, rule => Assert.Matches("^[a-z_]+:[a-z_]+:[a-z0-9_]+$", rule.Name));

    [Fact]
    public void Rules_read_metrics_that_exist()
    {
        var known = KnownMetrics.All;

        Assert.All(RuleFiles.Rules, rule => Assert.All(
            PromQL.MetricNames(rule.Expression),
            name => Assert.True(known.Any(one => Regex.IsMatch(one, $"^(?:{name})$")), $"{rule} reads '{name}': not in docs/metrics.md, not recorded, not in known-metrics.txt.")));
    }

    [Fact]
    public void Every_foreign_metric_that_is_listed_is_read()
    {
        var read = RuleFiles.Rules.Select(rule => rule.Expression).Concat(DashboardSet.Expressions().Select(expression => expression.ToQuery())).SelectMany(PromQL.MetricNames).Distinct().ToList();

        Assert.Distinct(KnownMetrics.Foreign);
        Assert.All(KnownMetrics.Foreign, name => Assert.Contains(read, one => Regex.IsMatch(name, $"^(?:{one})$")));
    }

    [Fact]
    public void cAdvisor_metrics_that_rules_read_are_kept()
    {
        var keep = Assert.Single(PrometheusConfiguration.Read().Job("engines").MetricRelabelConfigs, rule => rule.SourceLabels.SequenceEqual(["service", "__name__"]));
        var metrics = RuleFiles.Rules.SelectMany(rule => PromQL.MetricNames(rule.Expression)).Where(name => name.StartsWith("container_", StringComparison.Ordinal)).Distinct().ToList();

        Assert.NotEmpty(metrics);
        Assert.All(metrics, metric => Assert.Matches($"^(?:{keep.Regex})$", $"ollama{keep.Separator}{metric}"));
    }

    [Fact]
    public void A_recording_rule_is_tested_or_read_by_a_tested_alert()
    {
        var tested = RuleFiles.Tests.Values.SelectMany(file => file.Tests).SelectMany(test => test.PromqlExprTest).Select(check => check.Expr)
            .Concat(RuleFiles.Alerts.Select(alert => alert.Expression))
            .SelectMany(PromQL.MetricNames)
            .ToHashSet();

        Assert.All(RuleFiles.Recordings, rule => Assert.Contains(rule.Name, tested));
    }

    [Fact]
    public void A_promise_can_be_kept_and_its_breach_can_page()
    {
        var objectives = Constants("hazumu:slo_objective:ratio");

        Assert.Equal(["availability", "time_per_output_token", "time_to_first_token", "time_to_first_token_cold"], objectives.Select(rule => rule.Text.Labels["slo"]).Order(StringComparer.Ordinal));
        Assert.All(objectives, rule => Assert.InRange(rule.Text.Constant, 1 - (1 / 14.4), 0.9999));
    }

    [Fact]
    public void A_threshold_lies_on_an_edge_of_the_buckets() => Assert.All(Constants("hazumu:slo_threshold:seconds"), rule =>
    {
        var seconds = rule.Text.Constant;
        var array = rule.Text.Labels["slo"].StartsWith("time_to_first_token", StringComparison.Ordinal) ? "TimeToFirstToken" : "TimePerOutputToken";

        Assert.Contains(seconds, BucketEdges(array));
        // Prometheus 3 writes every edge as a floating-point number.
        Assert.Equal(seconds.ToString(seconds % 1 == 0 ? "0.0" : "0.####", CultureInfo.InvariantCulture), rule.Text.Labels["le"]);
        Assert.Equal(rule.Text.Labels["slo"].EndsWith("_cold", StringComparison.Ordinal) ? "true" : "false", rule.Text.Labels["cold"]);
        Assert.Contains(rule.Text.Labels["slo"], Constants("hazumu:slo_objective:ratio").Select(objective => objective.Text.Labels["slo"]));
    });

    [Fact]
    public void No_rule_but_those_of_the_promises_holds_a_promise()
    {
        var promised = Constants("hazumu:slo_objective:ratio").SelectMany(rule => new[] { rule.Text.Constant, Math.Round(1 - rule.Text.Constant, 6) })
            .Append(Constants("hazumu:slo_threshold:seconds").Select(rule => rule.Text.Constant).Single(seconds => seconds < 1))
            .ToHashSet();

        Assert.All(RuleFiles.Rules.Where(rule => rule.File != "targets.yaml"), rule =>
        {
            Assert.DoesNotContain("le=", rule.Expression.Replace("role=", "", StringComparison.Ordinal), StringComparison.Ordinal);
            if (!rule.Expression.Contains("histogram_quantile", StringComparison.Ordinal))
            {
                Assert.All(PromQL.Numbers(rule.Expression), number => Assert.False(promised.Contains(number), $"{rule} has {number}, which is a promise of targets.yaml."));
            }
        });
        // How long requests take is judged by the error budgets alone.
        Assert.All(RuleFiles.Alerts, alert => Assert.DoesNotContain(
            PromQL.MetricNames(alert.Expression),
            name => name.Contains("gen_ai_server_time", StringComparison.Ordinal) || name.Contains("quantile", StringComparison.Ordinal)));
    }

    [Fact]
    public void Failures_are_the_same_ones_everywhere()
    {
        var kinds = FailureKinds().Matches(File.ReadAllText(RepositoryRoot.Combine("docs", "metrics.md")).Split("Kinds of failure:")[1].Split("\n\n")[0]).Select(match => match.Groups["kind"].Value).ToList();
        var excluded = RuleFiles.Rules
            .SelectMany(rule => NoFailure().Matches(rule.Expression).Select(match => (Rule: rule, Kinds: match.Groups["kinds"].Value.Split('|'))))
            .ToList();

        Assert.Subset(kinds.ToHashSet(), s_clientsFaults.ToHashSet());
        Assert.NotEmpty(excluded);
        Assert.All(excluded, one =>
        {
            Assert.Equal(s_clientsFaults, one.Kinds.Take(s_clientsFaults.Length));
            Assert.All(one.Kinds.Skip(s_clientsFaults.Length), kind => Assert.Contains(kind, kinds));
            Assert.True(one.Kinds.Length == s_clientsFaults.Length || one.Rule.Name == "RequestsFailing", one.Rule.ToString());
        });
    }

    [Fact]
    public void Requests_of_a_window_are_counted_by_the_interval_of_their_group()
    {
        var counted = RuleFiles.Recordings.Where(rule => rule.Expression.Contains("sum_over_time(slo:hazumu_bad_requests:rate5m", StringComparison.Ordinal) && rule.Expression.Contains('*', StringComparison.Ordinal)).ToList();
        var source = RuleFiles.Recordings.First(rule => rule.Name == "slo:hazumu_bad_requests:rate5m");

        Assert.Equal("15s", source.Group.Interval);
        Assert.NotEmpty(counted);
        Assert.All(counted, rule => Assert.EndsWith("* 15", rule.Expression.Trim(), StringComparison.Ordinal));
    }

    [Fact]
    public void Tests_evaluate_groups_in_an_order() => Assert.All(RuleFiles.Tests, file =>
    {
        var files = file.Value.RuleFiles.Select(path => Path.GetFileName(path)).ToHashSet();

        Assert.Equal(
            RuleFiles.Rules.Where(rule => files.Contains(rule.File)).Select(rule => rule.Group.Name).Distinct().Order(StringComparer.Ordinal),
            file.Value.GroupEvalOrder.Order(StringComparer.Ordinal));
    }, throwIfEmpty: true);

    private static List<Rule> Constants(string name)
    {
        var rules = RuleFiles.Recordings.Where(rule => rule.Name == name).ToList();
        Assert.NotEmpty(rules);
        Assert.All(rules, rule => Assert.Equal("targets.yaml", rule.File));
        return rules;
    }

    private static IEnumerable<double> BucketEdges(string array)
    {
        var text = File.ReadAllText(RepositoryRoot.Combine("Hazumu.Gateway", "Telemetry", "Buckets.cs"));
        return Regex.Match(text, $@"double\[\] {array} =\s*\[(?<edges>[^\]]+)\]").Groups["edges"].Value.Split(',').Select(edge => double.Parse(edge, CultureInfo.InvariantCulture));
    }

    [GeneratedRegex("`(?<kind>[a-z_]+)`")]
    private static partial Regex FailureKinds();

    [GeneratedRegex("error_type!~\"(?<kinds>[^\"]+)\"")]
    private static partial Regex NoFailure();
}
