using System.Text.RegularExpressions;
using Hazumu.Testing;

namespace Hazumu.Tests.Rules;

/// <summary>The metrics that a rule may read.</summary>
internal static partial class KnownMetrics
{
    /// <summary>Metrics of other programs, from <c>known-metrics.txt</c>, which names their sources.</summary>
    public static IReadOnlyList<string> Foreign { get; } =
    [
        .. File.ReadLines(RepositoryRoot.Combine("Hazumu.Tests", "Rules", "known-metrics.txt"))
            .Select(line => line.Trim())
            .Where(line => line.Length > 0 && line[0] != '#'),
    ];

    /// <summary>Metrics of the gateway, from <c>docs/metrics.md</c>, as Prometheus stores them.</summary>
    public static IReadOnlyList<string> Gateway { get; } =
    [
        .. File.ReadLines(RepositoryRoot.Combine("docs", "metrics.md"))
            .Select(line => Row().Match(line))
            .Where(row => row.Success)
            .SelectMany(row => row.Groups["type"].Value == "histogram"
                ? new[] { "_bucket", "_count", "_sum" }.Select(suffix => row.Groups["name"].Value + suffix)
                : [row.Groups["name"].Value]),
    ];

    /// <summary>All of these, and what is recorded from them.</summary>
    public static IReadOnlySet<string> All { get; } = Foreign.Concat(Gateway).Concat(RuleFiles.Recordings.Select(rule => rule.Name)).ToHashSet();

    [GeneratedRegex(@"^\| `(?<name>(gen_ai|hazumu)_\w+)` \| (?<type>histogram|counter|gauge) \|")]
    private static partial Regex Row();
}
