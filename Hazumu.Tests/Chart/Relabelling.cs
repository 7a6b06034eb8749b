using System.Text.RegularExpressions;

namespace Hazumu.Tests.Chart;

/// <summary>A rule of <c>relabel_configs</c> or <c>metric_relabel_configs</c>.</summary>
internal sealed class RelabelRule
{
    public List<string> SourceLabels { get; init; } = [];

    public string Separator { get; init; } = ";";

    public string Regex { get; init; } = "(.*)";

    public string TargetLabel { get; init; } = "";

    public string Replacement { get; init; } = "$1";

    public string Action { get; init; } = "replace";
}

/// <summary>Relabelling as Prometheus does it, as far as the chart uses it.</summary>
internal static class Relabelling
{
    /// <summary>Applies rules.</summary>
    /// <returns>The labels afterwards, or <see langword="null"/> where they are dropped.</returns>
    public static Dictionary<string, string>? Apply(IEnumerable<RelabelRule> rules, Dictionary<string, string> labels)
    {
        var result = new Dictionary<string, string>(labels);
        foreach (var rule in rules)
        {
            var pattern = new Regex($"^(?s:{rule.Regex})$", RegexOptions.CultureInvariant);
            var source = string.Join(rule.Separator, rule.SourceLabels.Select(label => result.GetValueOrDefault(label, "")));
            switch (rule.Action)
            {
                case "keep" when !pattern.IsMatch(source):
                case "drop" when pattern.IsMatch(source):
                    return null;
                case "labeldrop":
                    foreach (var label in result.Keys.Where(label => pattern.IsMatch(label)).ToList())
                    {
                        result.Remove(label);
                    }

                    break;
                case "replace" when pattern.Match(source) is { Success: true } match:
                    result[rule.TargetLabel] = match.Result(rule.Replacement);
                    break;
                case "keep" or "drop" or "replace":
                    break;
                default:
                    throw new NotSupportedException($"The action '{rule.Action}' is not known here.");
            }
        }

        return result;
    }
}
