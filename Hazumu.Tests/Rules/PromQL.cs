using System.Text.RegularExpressions;

namespace Hazumu.Tests.Rules;

/// <summary>As much of PromQL as it takes to know what an expression reads.</summary>
internal static partial class PromQL
{
    private static readonly HashSet<string> s_words = ["and", "or", "unless", "bool", "by", "without", "on", "ignoring", "group_left", "group_right", "offset", "inf", "nan"];

    /// <summary>The metrics that an expression reads: names, or a regular expression where it selects <c>__name__</c> by one.</summary>
    public static IEnumerable<string> MetricNames(string expression)
    {
        foreach (Match name in NameMatcher().Matches(expression))
        {
            foreach (var one in Alternatives().IsMatch(name.Groups["value"].Value) ? name.Groups["value"].Value.Split('|') : [name.Groups["value"].Value])
            {
                yield return one;
            }
        }

        foreach (Match word in Identifier().Matches(Bare(expression)))
        {
            if (!s_words.Contains(word.Value))
            {
                yield return word.Value;
            }
        }
    }

    /// <summary>The numbers in an expression, those of durations and strings aside.</summary>
    public static IEnumerable<double> Numbers(string expression) =>
        Number().Matches(Bare(expression)).Select(number => double.Parse(number.Value, System.Globalization.CultureInfo.InvariantCulture));

    private static string Bare(string expression) =>
        Grouping().Replace(Duration().Replace(Selector().Replace(Text().Replace(expression, ""), " "), " "), " ");

    [GeneratedRegex("__name__=~\"(?<value>[^\"]+)\"")]
    private static partial Regex NameMatcher();

    [GeneratedRegex(@"^[\w:|]+$")]
    private static partial Regex Alternatives();

    [GeneratedRegex("\"[^\"]*\"")]
    private static partial Regex Text();

    [GeneratedRegex(@"\{[^{}]*\}")]
    private static partial Regex Selector();

    [GeneratedRegex(@"\[[^\]]*\]|\boffset\s+\w+")]
    private static partial Regex Duration();

    [GeneratedRegex(@"\b(by|without|on|ignoring|group_left|group_right)\s*\([^()]*\)")]
    private static partial Regex Grouping();

    // A name that no parenthesis follows; what follows one is a function's or an aggregation's, also with a grouping between.
    [GeneratedRegex(@"(?<![\w:.])[A-Za-z_:][\w:]*(?![\w:])(?!\s*\()")]
    private static partial Regex Identifier();

    [GeneratedRegex(@"(?<![\w:.])\d+(\.\d+)?(e\d+)?(?![\w:.])")]
    private static partial Regex Number();
}
