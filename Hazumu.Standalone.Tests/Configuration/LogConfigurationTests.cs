using System.Text.RegularExpressions;
using Hazumu.Checks;
using Xunit;

namespace Hazumu.Standalone.Tests.Configuration;

/// <summary>What Alloy makes of a line, by its configuration's own expressions: Alloy itself may not be at hand.</summary>
public sealed partial class LogConfigurationTests
{
    private static readonly string s_alloy = File.ReadAllText(RepositoryRoot.Combine("alloy", "config.alloy"));
    private static readonly string s_levels = s_alloy.Split("loki.process \"levels\"")[1];
    private static readonly Dictionary<string, string> s_names = Name().Matches(s_levels.Split("(dict")[1].Split(')')[0]).ToDictionary(match => match.Groups[1].Value, match => match.Groups[2].Value);

    public static TheoryData<string> Failures => [.. KindOfFailure().Matches(File.ReadAllText(RepositoryRoot.Combine("docs", "metrics.md")).Split("Kinds of failure:")[1].Split("\n\n")[0]).Select(match => match.Groups["name"].Value)];

    [Theory]
    [InlineData("""time=2026-08-24T09:30:05.120Z level=INFO source=routes.go:1 msg="Listening on [::]:11434" """, "info")]
    [InlineData("""time="2026-08-24T09:30:05Z" level=warning msg="no GPU" """, "warn")]
    [InlineData("logger=settings t=2026-08-24T09:30:05Z level=error msg=Oh", "error")]
    [InlineData("fail: Hazumu.Gateway.Instances[3] level=info was what it said", "error")]
    [InlineData("crit: Microsoft.AspNetCore.Server.Kestrel[0] Unable to start", "critical")]
    [InlineData("E0824 09:30:05.120000       1 manager.go:1] Failed", "error")]
    [InlineData("I0824 09:30:05.120000       1 manager.go:1] Started", "info")]
    [InlineData("""INFO:     172.17.0.1:1 - "GET /health HTTP/1.1" 200 OK""", "info")]
    [InlineData("2026-08-24 09:30:05.120 | WARNING  | open_webui.main:lifespan:1 - careful", "warn")]
    [InlineData("""[GIN] 2026/08/24 - 09:30:05 | 200 |     1.5ms |       127.0.0.1 | GET      "/api/tags" """, "info")]
    [InlineData("""[GIN] 2026/08/24 - 09:30:05 | 404 |     1.5ms |       127.0.0.1 | POST     "/api/chat" """, "warn")]
    [InlineData("""[GIN] 2026/08/24 - 09:30:05 | 500 |     1.5ms |       127.0.0.1 | POST     "/api/chat" """, "error")]
    [InlineData("""{"time":"2026-08-24T09:30:05.120Z","type":"access","path":"/ level=fatal","status":200,"outcome":"success","total_ms":1}""", "info")]
    [InlineData("""{"time":"2026-08-24T09:30:05.120Z","type":"access","path":"/","status":502,"outcome":"engine_error","total_ms":1}""", "error")]
    [InlineData("llama_model_loader: - type  f32:  113 tensors", null)]
    [InlineData("something level=up", null)]
    public void A_line_has_the_level_that_its_program_gave_it(string line, string? level) => Assert.Equal(level, LevelOf(line));

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
        ["instance", "level", "service"],
        TargetLabel().Matches(s_alloy).Select(match => match.Groups["name"].Value).Append(Regex.Match(s_levels, @"values = \{\s+(\w+) = """",\s+\}").Groups[1].Value).Distinct().Order());

    [Fact]
    public void Loki_forgets_and_tells_nobody()
    {
        var loki = ConfigurationFile.ReadUnderscored<LokiFile>("loki", "loki.yaml");

        Assert.Equal("${LOKI_RETENTION}", loki.LimitsConfig.RetentionPeriod);
        Assert.True(loki.Compactor.RetentionEnabled);
        Assert.False(loki.Analytics.ReportingEnabled);
    }

    private static string? LevelOf(string line) => Expressions(s_levels)
        .Select(expression => Regex.Match(line, expression))
        .LastOrDefault(match => match.Success)?.Groups["level"].Value is { } level ? s_names.GetValueOrDefault(level.ToLowerInvariant()) : null;

    private static IEnumerable<string> Expressions(string configuration) => Expression().Matches(configuration).Select(match => match.Groups["expression"].Value);

    [GeneratedRegex("expression = `(?<expression>[^`]+)`")]
    private static partial Regex Expression();

    [GeneratedRegex("\"([^\"]+)\" \"([^\"]+)\"")]
    private static partial Regex Name();

    [GeneratedRegex(@"target_label\s+= ""(?<name>\w+)""")]
    private static partial Regex TargetLabel();

    [GeneratedRegex("`(?<name>[a-z_]+)`")]
    private static partial Regex KindOfFailure();

    private sealed class LokiFile
    {
        public Limits LimitsConfig { get; init; } = new();

        public Compaction Compactor { get; init; } = new();

        public Reporting Analytics { get; init; } = new();
    }

    private sealed class Limits
    {
        public string RetentionPeriod { get; init; } = "";
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
