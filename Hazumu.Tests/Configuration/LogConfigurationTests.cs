using System.Text.RegularExpressions;
using Hazumu.Testing;

namespace Hazumu.Tests.Configuration;

/// <summary>What Alloy makes of a line, by its configuration's own expressions: Alloy itself may not be at hand.</summary>
public sealed partial class LogConfigurationTests
{
    private static readonly string s_alloy = File.ReadAllText(RepositoryRoot.Combine("alloy", "config.alloy"));
    private static readonly string s_levels = s_alloy.Split("loki.process \"levels\"")[1];
    private static readonly string s_firstLine = Regex.Match(s_levels, "firstline\\s+= `(?<expression>[^`]+)`").Groups["expression"].Value;
    private static readonly Dictionary<string, string> s_names = Name().Matches(s_levels.Split("(dict")[1].Split(')')[0]).ToDictionary(match => match.Groups[1].Value, match => match.Groups[2].Value);

    public static TheoryData<string> Failures => [.. KindOfFailure().Matches(File.ReadAllText(RepositoryRoot.Combine("docs", "metrics.md")).Split("Kinds of failure:")[1].Split("\n\n")[0]).Select(match => match.Groups["name"].Value)];

    /// <summary>Lines as programs write them, with the entries and levels that they must become.</summary>
    public static TheoryData<string> Programs => [.. Recorded().Select(program => program.Name)];

    [Theory]
    [MemberData(nameof(Programs))]
    public void Lines_become_entries_with_the_levels_of_their_program(string program)
    {
        var expected = Recorded().Single(one => one.Name == program).Entries;

        Assert.Equal(expected, Entries(expected.SelectMany(entry => entry.Text.Split('\n'))).Select(text => (LevelOf(text) ?? "none", text)));
    }

    [Theory]
    [InlineData("something level=up")]
    [InlineData("GET / level=fatal")]
    [InlineData("""msg="level=fatal" path=/""")]
    [InlineData("""{"request":{"uri":"/","user_agent":"x"},"level":"fatal","ts":1}""")]
    [InlineData("""1.2.3.4 - - "GET /?panic: HTTP/1.1" 200 - Error: none""")]
    public void Text_within_a_line_is_no_level(string line) => Assert.Null(LevelOf(line));

    [Theory]
    [MemberData(nameof(Failures))]
    public void Every_outcome_of_a_request_has_a_level(string outcome) =>
        Assert.NotNull(LevelOf($$"""{"time":"2026-08-24T09:30:05.120Z","type":"access","outcome":"{{outcome}}"}"""));

    [Fact]
    public void A_projects_line_begins_with_its_time()
    {
        var match = Regex.Match("2026-11-26T16:56:46.4990000Z info: Microsoft.Hosting.Lifetime[0] Application started.", Assert.Single(Expressions(s_alloy.Split("loki.process \"projects\"")[1].Split("loki.process")[0])));
        Assert.Equal(("2026-11-26T16:56:46.4990000Z", "info: Microsoft.Hosting.Lifetime[0] Application started."), (match.Groups["time"].Value, match.Groups["content"].Value));
    }

    [Fact]
    public void Labels_are_those_that_the_dashboard_selects_by() => Assert.Equal(
        ["instance", "level", "replica", "service"],
        TargetLabel().Matches(s_alloy).Select(match => match.Groups["name"].Value).Append(Regex.Match(s_levels, @"values = \{\s+(\w+) = """",\s+\}").Groups[1].Value).Distinct().Order());

    /// <summary>Alloy keeps a position by container and labels, and drops it when the container leaves the discovery.</summary>
    [Fact]
    public void A_position_outlives_a_stop_and_a_new_network_of_its_container()
    {
        var containers = s_alloy.Split("discovery.relabel \"containers\"")[1].Split("loki.source")[0];
        var kept = Regex.Match(containers, """action = "labelkeep"\s+regex\s+= "(?<labels>[^"]+)""").Groups["labels"].Value.Split('|');

        Assert.Equal(["created", "restarting", "running", "paused", "exited"], Word().Matches(Regex.Match(s_alloy, """name\s+= "status"\s+values = \[(?<values>[^\]]+)\]""").Groups["values"].Value).Select(match => match.Groups[1].Value));
        Assert.Equal([.. TargetLabel().Matches(containers).Select(match => match.Groups["name"].Value), "__meta_docker_container_id"], kept);
        // After the rules that read what it drops.
        Assert.True(containers.IndexOf("labelkeep", StringComparison.Ordinal) > containers.LastIndexOf("target_label", StringComparison.Ordinal));
    }

    [Fact]
    public void Alloy_waits_for_Loki_without_end() => Assert.Matches(@"max_backoff_retries = 0\s", s_alloy.Split("loki.write \"default\"")[1]);

    [Fact]
    public void Expressions_are_those_that_Go_understands() => Assert.All(Expressions(s_alloy).Append(s_firstLine), expression => Assert.Equal(0, Regex.Count("", expression, RegexOptions.NonBacktracking)));

    [Fact]
    public void Loki_deletes_by_age_only_and_sends_no_usage_reports()
    {
        var loki = ConfigurationFile.ReadUnderscored<LokiFile>("loki", "loki.yaml");

        Assert.Equal("${LOKI_RETENTION}", loki.LimitsConfig.RetentionPeriod);
        Assert.Equal("disabled", loki.LimitsConfig.DeletionMode);
        Assert.True(loki.Compactor.RetentionEnabled);
        Assert.False(loki.Analytics.ReportingEnabled);
    }

    [Fact]
    public void Loki_keeps_and_finds_every_line_once()
    {
        var loki = ConfigurationFile.ReadUnderscored<LokiFile>("loki", "loki.yaml");

        Assert.False(loki.LimitsConfig.ShardStreams.Enabled);
        Assert.True(loki.LimitsConfig.MaxLineSizeTruncate);
        Assert.Equal("0s", loki.Querier.QueryIngestersWithin);
    }

    private static List<(string Name, List<(string Level, string Text)> Entries)> Recorded()
    {
        List<(string Name, List<(string Level, string Text)> Entries)> programs = [];
        foreach (var line in File.ReadLines(RepositoryRoot.Combine("Hazumu.Tests", "Configuration", "Recorded", "log-lines.txt")))
        {
            if (line.StartsWith("## ", StringComparison.Ordinal))
            {
                programs.Add((line[3..], []));
                continue;
            }

            var entries = programs[^1].Entries;
            if (line.StartsWith("# ", StringComparison.Ordinal))
            {
                entries.Add((line[2..], ""));
            }
            else
            {
                entries[^1] = entries[^1] with { Text = entries[^1].Text.Length == 0 ? line : $"{entries[^1].Text}\n{line}" };
            }
        }

        return programs;
    }

    // As stage.multiline does: a line that is no first one belongs to the entry before it.
    private static List<string> Entries(IEnumerable<string> lines)
    {
        List<string> entries = [];
        foreach (var line in lines)
        {
            if (entries.Count == 0 || Regex.IsMatch(line, s_firstLine, RegexOptions.NonBacktracking))
            {
                entries.Add(line);
            }
            else
            {
                entries[^1] += $"\n{line}";
            }
        }

        return entries;
    }

    private static string? LevelOf(string text) => Expressions(s_levels)
        .Select(expression => Regex.Match(text, expression, RegexOptions.NonBacktracking))
        .LastOrDefault(match => match.Success)?.Groups["level"].Value is { } level ? s_names.GetValueOrDefault(level.ToLowerInvariant()) : null;

    private static IEnumerable<string> Expressions(string configuration) => Expression().Matches(configuration).Select(match => match.Groups["expression"].Value);

    [GeneratedRegex("expression = `(?<expression>[^`]+)`")]
    private static partial Regex Expression();

    [GeneratedRegex("\"([^\"]+)\" \"([^\"]+)\"")]
    private static partial Regex Name();

    [GeneratedRegex("\"(\\w+)\"")]
    private static partial Regex Word();

    [GeneratedRegex(@"target_label\s+= ""(?<name>\w+)""")]
    private static partial Regex TargetLabel();

    [GeneratedRegex("`(?<name>[a-z_]+)`")]
    private static partial Regex KindOfFailure();

    private sealed class LokiFile
    {
        public Limits LimitsConfig { get; init; } = new();

        public Compaction Compactor { get; init; } = new();

        public Reporting Analytics { get; init; } = new();

        public Queries Querier { get; init; } = new();
    }

    private sealed class Limits
    {
        public string RetentionPeriod { get; init; } = "";

        public string DeletionMode { get; init; } = "";

        public bool MaxLineSizeTruncate { get; init; }

        public Sharding ShardStreams { get; init; } = new();
    }

    private sealed class Sharding
    {
        public bool Enabled { get; init; } = true;
    }

    private sealed class Queries
    {
        public string QueryIngestersWithin { get; init; } = "";
    }

    private sealed class Compaction
    {
        public bool RetentionEnabled { get; init; }
    }

    private sealed class Reporting
    {
        public bool ReportingEnabled { get; init; } = true;
    }
}
