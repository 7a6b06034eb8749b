using System.Text.RegularExpressions;
using Hazumu.Testing;

namespace Hazumu.Tests.Rules;

public sealed partial class AlertTests
{
    private static readonly string[] s_severities = ["critical", "warning", "info"];
    private static readonly string[] s_roles = ["root", "symptom", "watchdog"];

    public static TheoryData<string> Names => [.. RuleFiles.Alerts.Select(alert => alert.Name).Distinct()];

    private static string RunbookFolder => RepositoryRoot.Combine("docs", "runbooks");

    [Theory]
    [MemberData(nameof(Names))]
    public void An_alert_says_whom_it_concerns(string name) => Assert.All(Rules(name), alert =>
    {
        Assert.Contains(alert.Text.Labels["severity"], s_severities);
        Assert.Equal($"alerts-{alert.Text.Labels["category"]}.yaml", alert.File);
        Assert.Contains(alert.Text.Labels["role"], s_roles);
    });

    [Theory]
    [MemberData(nameof(Names))]
    public void An_alert_explains_itself(string name) => Assert.All(Rules(name), alert =>
    {
        var annotations = alert.Text.Annotations;

        Assert.Equal(["dashboard", "description", "runbook_url", "summary"], annotations.Keys.Order(StringComparer.Ordinal));
        Assert.InRange(annotations["summary"].Length, 10, 100);
        Assert.EndsWith(".", annotations["description"], StringComparison.Ordinal);
        // The value of what is only there or not says nothing.
        Assert.True(
            annotations["description"].Contains("{{ $value | humanize", StringComparison.Ordinal) || State().IsMatch(alert.Expression.Trim()),
            $"{alert} does not tell its value.");
        var link = Dashboard().Match(annotations["dashboard"]);
        Assert.True(DashboardSet.ByUid.TryGetValue(link.Groups["uid"].Value, out var dashboard), $"{alert} leads to no dashboard.");
        Assert.Subset(
            DashboardSet.Variables(dashboard).Select(variable => variable.GetProperty("name").GetString()!).ToHashSet(),
            link.Groups["variable"].Captures.Select(variable => variable.Value).ToHashSet());
    });

    [Theory]
    [MemberData(nameof(Names))]
    public void An_alert_has_a_runbook_of_a_page(string name)
    {
        Assert.All(Rules(name), alert => Assert.Equal($"http://localhost:9090/user/{name}.md", alert.Text.Annotations["runbook_url"]));

        var runbook = File.ReadAllText(Path.Combine(RunbookFolder, $"{name}.md"));
        Assert.StartsWith($"# {name}\n", runbook, StringComparison.Ordinal);
        Assert.Equal(["Impact", "Check", "Cure"], Heading().Matches(runbook).Select(heading => heading.Groups["text"].Value));
        Assert.InRange(runbook.Split('\n').Length, 12, 60);
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void An_alert_has_a_test_that_fires_it_and_one_that_does_not(string name)
    {
        var checks = RuleFiles.Tests.Values.SelectMany(file => file.Tests)
            .Select(test => test.AlertRuleTest.Where(check => check.Alertname == name).ToList())
            .Where(test => test.Count > 0)
            .ToList();

        Assert.Contains(checks, test => test.Any(check => check.ExpAlerts.Count > 0));
        // In a test of its own: that it does not fire before its time is not enough. The Watchdog never stops.
        Assert.True(name == "Watchdog" || checks.Any(test => test.All(check => check.ExpAlerts.Count == 0)), $"No test keeps {name} quiet.");
    }

    [Fact]
    public void Every_runbook_has_an_alert_and_is_in_the_index()
    {
        var runbooks = Directory.EnumerateFiles(RunbookFolder, "*.md").Select(file => Path.GetFileNameWithoutExtension(file)).Where(name => name != "README").Order(StringComparer.Ordinal).ToList();
        var index = File.ReadAllText(Path.Combine(RunbookFolder, "README.md"));

        Assert.Equal(RuleFiles.Alerts.Select(alert => alert.Name).Distinct().Order(StringComparer.Ordinal), runbooks);
        Assert.All(runbooks, name => Assert.Contains($"]({name}.md)", index, StringComparison.Ordinal));
    }

    [Fact]
    public void Runbooks_read_metrics_that_exist() => Assert.All(Directory.EnumerateFiles(RunbookFolder, "*.md"), file => Assert.All(
        PromQLBlock().Matches(File.ReadAllText(file)).SelectMany(block => block.Groups["lines"].Value.Split('\n', StringSplitOptions.RemoveEmptyEntries)),
        line => Assert.All(PromQL.MetricNames(line.Split(" # ")[0]), name => Assert.True(
            KnownMetrics.All.Any(one => Regex.IsMatch(one, $"^(?:{name})$")), $"{Path.GetFileName(file)}: '{name}' in '{line}' is no metric that is known."))));

    private static List<Rule> Rules(string name) => [.. RuleFiles.Alerts.Where(alert => alert.Name == name)];

    [GeneratedRegex(@"^(vector\(1\)|[\w:]+ == 1)$")]
    private static partial Regex State();

    [GeneratedRegex(@"^http://localhost:3000/d/(?<uid>[a-z-]+)(\?var-(?<variable>\w+)=\S.*)?$")]
    private static partial Regex Dashboard();

    [GeneratedRegex("^## (?<text>.+)$", RegexOptions.Multiline)]
    private static partial Regex Heading();

    [GeneratedRegex("```promql\n(?<lines>.*?)```", RegexOptions.Singleline)]
    private static partial Regex PromQLBlock();
}
