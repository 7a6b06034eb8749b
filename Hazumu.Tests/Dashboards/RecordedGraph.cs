using System.Globalization;
using System.Net.Http.Json;
using System.Text.Json;
using Hazumu.Testing;
using Hazumu.Tests.Rules;

namespace Hazumu.Tests.Dashboards;

/// <summary>A real Prometheus with the series of a graph and with what our recording rules make of them.</summary>
/// <param name="size">How large the graph is.</param>
public abstract class RecordedGraph(GraphSize size) : IAsyncLifetime
{
    private const string Data = "/prometheus";

    // A folder in which the data stay, for a Grafana of one's own (docs/development.md).
    private static readonly string? s_kept = Environment.GetEnvironmentVariable("HAZUMU_DASHBOARD_DATA");

    private readonly HttpClient _client = new();
    private string? _id;
    private Uri? _address;

    /// <summary>How large the graph is.</summary>
    public GraphSize Size { get; } = size;

    public async ValueTask InitializeAsync()
    {
        if (Component.Prometheus.Missing is not null)
        {
            return;
        }

        var work = Directory.CreateTempSubdirectory("hazumu-graph-");
        try
        {
            await File.WriteAllTextAsync(Path.Combine(work.FullName, "graph.om"), GraphSeries.Write(Size));
            await File.WriteAllTextAsync(Path.Combine(work.FullName, "prometheus.yml"), "{}");
            var levels = await WriteRulesAsync(work.FullName);
            var data = s_kept is null ? Data : $"{Path.GetFullPath(Path.Combine(s_kept, Size.Engines.ToString(CultureInfo.InvariantCulture)))}:{Data}";

            // As root, because only the owner may enter a temporary folder.
            _id = await ContainerCli.RunOrThrowAsync(
                "run", "--detach", "--publish", "127.0.0.1::9090", "--user", "0", "--volume", data, "--volume", $"{work.FullName}:/series:ro", "--entrypoint", "/bin/sh", Component.Prometheus.Image,
                "-c", $"[ -e {Data}/made ] || promtool tsdb create-blocks-from openmetrics /series/graph.om {Data} && touch {Data}/made && exec prometheus --config.file=/series/prometheus.yml --storage.tsdb.path={Data} --storage.tsdb.retention.time=10y");
            await StartedAsync();
            for (var level = 0; level < levels; level++)
            {
                await RecordAsync(level);
            }
        }
        finally
        {
            work.Delete(recursive: true);
        }
    }

    public async ValueTask DisposeAsync()
    {
        _client.Dispose();
        if (_id is not null)
        {
            await ContainerCli.RunOrThrowAsync("rm", "--force", "--volumes", _id);
        }
    }

    /// <summary>The series that an expression finds at the end of the graph's time.</summary>
    /// <param name="expression">PromQL.</param>
    internal Task<IReadOnlyList<JsonElement>> QueryAsync(string expression) => GetAsync("query", expression, $"time={GraphSeries.End.ToUnixTimeSeconds()}");

    /// <summary>The series that an expression finds in the last quarter of an hour.</summary>
    /// <param name="expression">PromQL.</param>
    /// <param name="step">Seconds between two values.</param>
    internal Task<IReadOnlyList<JsonElement>> QueryRangeAsync(string expression, int step) =>
        GetAsync("query_range", expression, $"start={GraphSeries.End.AddMinutes(-15).ToUnixTimeSeconds()}&end={GraphSeries.End.ToUnixTimeSeconds()}&step={step}");

    private async Task<IReadOnlyList<JsonElement>> GetAsync(string kind, string expression, string time)
    {
        using var response = await _client.GetAsync(new Uri(_address!, $"api/v1/{kind}?query={Uri.EscapeDataString(expression)}&{time}"));
        var answer = await response.Content.ReadFromJsonAsync<JsonElement>();
        return answer.GetProperty("status").GetString() == "success"
            ? [.. answer.GetProperty("data").GetProperty("result").EnumerateArray()]
            : throw new InvalidOperationException($"{answer.GetProperty("error").GetString()}: {expression}");
    }

    // A rule that reads others' results comes after them: promtool evaluates each over the whole time, and none sees what another has just recorded.
    private static async Task<int> WriteRulesAsync(string folder)
    {
        var levels = new Dictionary<string, int>();
        foreach (var name in RuleFiles.Recordings.Select(rule => rule.Name))
        {
            LevelOf(name);
        }

        foreach (var rules in RuleFiles.Recordings.GroupBy(rule => levels[rule.Name]))
        {
            await File.WriteAllTextAsync(Path.Combine(folder, $"level-{rules.Key}.yml"), JsonSerializer.Serialize(new
            {
                groups = new[] { new { name = "graph", rules = rules.Select(rule => new { record = rule.Name, expr = rule.Expression, labels = rule.Text.Labels }) } },
            }));
        }

        return levels.Values.Max() + 1;

        int LevelOf(string name)
        {
            if (!levels.TryGetValue(name, out var level))
            {
                levels[name] = level = RuleFiles.Recordings.Where(rule => rule.Name == name).SelectMany(rule => PromQL.MetricNames(rule.Expression)).Distinct()
                    .Where(read => RuleFiles.Recordings.Any(other => other.Name == read)).Select(read => LevelOf(read) + 1).DefaultIfEmpty(0).Max();
            }

            return level;
        }
    }

    private async Task RecordAsync(int level)
    {
        await ContainerCli.RunOrThrowAsync(
            "exec", _id!, "promtool", "tsdb", "create-blocks-from", "rules", "--url=http://localhost:9090", $"--output-dir={Data}", "--eval-interval=60s",
            $"--start={GraphSeries.Start.AddMinutes(5).ToUnixTimeSeconds()}", $"--end={GraphSeries.End.ToUnixTimeSeconds()}", $"/series/level-{level}.yml");
        // It reads blocks when it starts.
        await ContainerCli.RunOrThrowAsync("restart", _id!);
        await StartedAsync();
    }

    private async Task StartedAsync()
    {
        var port = (await ContainerCli.RunOrThrowAsync("port", _id!, "9090")).Split('\n')[0].Split(':')[^1].Trim();
        _address = new Uri($"http://127.0.0.1:{port}");
        await Wait.UntilAsync("Prometheus to have read its blocks", TimeSpan.FromSeconds(60), async () => Assert.True((await _client.GetAsync(new Uri(_address, "-/ready"))).IsSuccessStatusCode));
    }
}

/// <summary>Two engines, four models, no GPU and no logs.</summary>
public sealed class SmallGraph() : RecordedGraph(GraphSize.Small);

/// <summary>48 engines.</summary>
public sealed class FleetGraph() : RecordedGraph(GraphSize.Fleet);
