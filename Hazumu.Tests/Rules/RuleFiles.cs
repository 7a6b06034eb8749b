using System.Globalization;
using Hazumu.Testing;
using Hazumu.Tests.Configuration;

namespace Hazumu.Tests.Rules;

/// <summary>A recording rule or an alert, as it stands in <c>prometheus/rules</c>.</summary>
/// <param name="File">The file's name.</param>
/// <param name="Group">The group it is in.</param>
/// <param name="Text">What the file has of it.</param>
internal sealed record Rule(string File, RuleGroupText Group, RuleText Text)
{
    public bool IsAlert => Text.Alert.Length > 0;

    public string Name => IsAlert ? Text.Alert : Text.Record;

    public string Expression => Text.Expr;

    public override string ToString() => $"{File}: {Name}";
}

/// <summary>A group of rules.</summary>
internal sealed class RuleGroupText
{
    public string Name { get; init; } = "";

    public string Interval { get; init; } = "";

    public List<RuleText> Rules { get; init; } = [];
}

/// <summary>A rule's members.</summary>
internal sealed class RuleText
{
    public string Alert { get; init; } = "";

    public string Record { get; init; } = "";

    public string Expr { get; init; } = "";

    public Dictionary<string, string> Labels { get; init; } = [];

    public Dictionary<string, string> Annotations { get; init; } = [];

    public double Constant => Expr.StartsWith("vector(", StringComparison.Ordinal)
        ? double.Parse(Expr["vector(".Length..].TrimEnd(')'), CultureInfo.InvariantCulture)
        : throw new InvalidOperationException($"'{Record}' is no constant but '{Expr}'.");
}

/// <summary>A file of promtool's tests (https://prometheus.io/docs/prometheus/latest/configuration/unit_testing_rules/).</summary>
internal sealed class RuleTestFile
{
    public List<string> RuleFiles { get; init; } = [];

    public List<string> GroupEvalOrder { get; init; } = [];

    public List<TestText> Tests { get; init; } = [];

    internal sealed class TestText
    {
        public List<AlertCheck> AlertRuleTest { get; init; } = [];

        public List<ExpressionCheck> PromqlExprTest { get; init; } = [];
    }

    internal sealed class AlertCheck
    {
        public string Alertname { get; init; } = "";

        public List<object> ExpAlerts { get; init; } = [];
    }

    internal sealed class ExpressionCheck
    {
        public string Expr { get; init; } = "";
    }
}

/// <summary>Reads <c>prometheus/rules</c> and <c>prometheus/tests</c>.</summary>
internal static class RuleFiles
{
    private static readonly Lazy<IReadOnlyList<Rule>> s_rules = new(ReadRules);
    private static readonly Lazy<IReadOnlyDictionary<string, RuleTestFile>> s_tests = new(() =>
        NamesIn("tests").ToDictionary(name => name, name => ConfigurationFile.ReadUnderscored<RuleTestFile>("prometheus", "tests", name)));

    public static IReadOnlyList<Rule> Rules => s_rules.Value;

    public static IReadOnlyList<Rule> Alerts { get; } = [.. Rules.Where(rule => rule.IsAlert)];

    public static IReadOnlyList<Rule> Recordings { get; } = [.. Rules.Where(rule => !rule.IsAlert)];

    /// <summary>The files of tests, by name.</summary>
    public static IReadOnlyDictionary<string, RuleTestFile> Tests => s_tests.Value;

    public static IEnumerable<string> NamesIn(string folder) =>
        Directory.EnumerateFiles(RepositoryRoot.Combine("prometheus", folder)).Select(file => Path.GetFileName(file)).Order(StringComparer.Ordinal);

    private static IReadOnlyList<Rule> ReadRules() =>
    [
        .. from file in NamesIn("rules")
           from @group in ConfigurationFile.ReadUnderscored<RulesText>("prometheus", "rules", file).Groups
           from rule in @group.Rules
           select new Rule(file, @group, rule),
    ];

    private sealed class RulesText
    {
        public List<RuleGroupText> Groups { get; init; } = [];
    }
}
