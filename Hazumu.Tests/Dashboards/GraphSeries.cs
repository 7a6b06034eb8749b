using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;
using Hazumu.Testing;

namespace Hazumu.Tests.Dashboards;

/// <summary>How large a graph is whose series are made up.</summary>
/// <param name="Engines">Instances of Ollama; the last is down.</param>
/// <param name="Models">Models; an engine has two of them.</param>
/// <param name="Keys">Keys of clients.</param>
/// <param name="Gateways">Gateways.</param>
/// <param name="Hosts">Machines.</param>
/// <param name="Gpus">GPUs.</param>
/// <param name="HasLogs">Whether there is a Loki.</param>
public sealed record GraphSize(int Engines, int Models, int Keys, int Gateways, int Hosts, int Gpus, bool HasLogs)
{
    /// <summary>What the AppHost starts on a machine without a GPU.</summary>
    public static readonly GraphSize Small = new(2, 4, 3, 1, 1, 0, HasLogs: false);

    /// <summary>A fleet.</summary>
    public static readonly GraphSize Fleet = new(48, 40, 60, 4, 4, 8, HasLogs: true);
}

/// <summary>Writes the series of a graph, which <c>graph-series.txt</c> describes, in OpenMetrics' text format.</summary>
internal static partial class GraphSeries
{
    private const int ModelsOfEngine = 2;

    private static readonly TimeSpan s_step = TimeSpan.FromSeconds(30);
    private static readonly string[] s_servers = ["alertmanager", "blackbox", "cadvisor", "edge", "gateway", "grafana", "nodeexporter", "prometheus"];

    /// <summary>The first sample's time.</summary>
    public static DateTimeOffset Start { get; } = new(2026, 1, 5, 12, 0, 0, TimeSpan.Zero);

    /// <summary>The last sample's time.</summary>
    public static DateTimeOffset End { get; } = Start.AddMinutes(20);

    /// <summary>The text.</summary>
    public static string Write(GraphSize size)
    {
        var text = new StringBuilder();
        foreach (var (kind, value, series) in Descriptions().Where(description => size.HasLogs || !description.Series.StartsWith("loki_", StringComparison.Ordinal)))
        {
            var all = Expand(size, series).ToList();
            for (var index = 0; index < all.Count; index++)
            {
                WriteSeries(text, kind, value, all[index], index, isLast: index == all.Count - 1);
            }
        }

        return text.Append("# EOF\n").ToString();
    }

    private static void WriteSeries(StringBuilder text, string kind, string value, string series, int index, bool isLast)
    {
        switch (kind)
        {
            case "counter":
                Samples(series, seconds => Number(value) * (1 + (index * 0.1)) * seconds);
                break;
            case "gauge":
                var values = value.Split('/');
                Samples(series, _ => Number(isLast ? values[^1] : values[0]));
                break;
            case "late":
                Samples(series, _ => Number(value), from: (End - Start) / 2);
                break;
            case "step":
                Samples(series, seconds => Number(value.Split('/')[seconds < (End - Start).TotalSeconds / 2 ? 0 : 1]));
                break;
            case "histogram":
                var edges = value.Split(',');
                for (var edge = 0; edge < edges.Length; edge++)
                {
                    Samples(WithSuffix(series, "_bucket", $",le=\"{edges[edge]}\""), seconds => (edge + 1) * seconds);
                }

                Samples(WithSuffix(series, "_count"), seconds => edges.Length * seconds);
                Samples(WithSuffix(series, "_sum"), seconds => seconds);
                break;
            default:
                throw new InvalidOperationException($"graph-series.txt has the kind '{kind}'.");
        }

        void Samples(string name, Func<double, double> valueAt, TimeSpan from = default)
        {
            for (var at = from; at <= End - Start; at += s_step)
            {
                text.Append(CultureInfo.InvariantCulture, $"{name} {valueAt(at.TotalSeconds)} {(Start + at).ToUnixTimeSeconds()}\n");
            }
        }
    }

    private static IEnumerable<(string Kind, string Value, string Series)> Descriptions() =>
        File.ReadLines(RepositoryRoot.Combine("Hazumu.Tests", "Dashboards", "graph-series.txt"))
            .Where(line => line.Length > 0 && line[0] != '#')
            .Select(line => line.Split(' ', 3))
            .Select(parts => (parts[0], parts[1], parts[2]));

    private static IEnumerable<string> Expand(GraphSize size, string series)
    {
        if (Placeholder().Match(series) is not { Success: true } match)
        {
            return [series];
        }

        // Not every model is on every engine.
        return series.Contains("{engine}", StringComparison.Ordinal) && series.Contains("{model}", StringComparison.Ordinal)
            ? ValuesOf(size, "engine").SelectMany((engine, index) => Enumerable.Range(index * ModelsOfEngine, ModelsOfEngine).SelectMany(number =>
                Expand(size, series.Replace("{engine}", engine, StringComparison.Ordinal).Replace("{model}", ModelName(number % size.Models), StringComparison.Ordinal))))
            : ValuesOf(size, match.Groups["name"].Value).SelectMany(value => Expand(size, series.Replace(match.Value, value, StringComparison.Ordinal)));
    }

    private static IEnumerable<string> ValuesOf(GraphSize size, string name) => name switch
    {
        "engine" => Enumerable.Range(1, size.Engines).Select(number => number == 1 ? "ollama" : $"ollama-{number}"),
        "model" => Enumerable.Range(0, size.Models).Select(ModelName),
        "key" => Enumerable.Range(1, size.Keys).Select(number => $"key-{number:00}"),
        "gateway" => size.Gateways == 1 ? ["gateway"] : Enumerable.Range(1, size.Gateways).Select(number => $"gateway@10.0.0.{number}"),
        "host" => size.Hosts == 1 ? ["nodeexporter"] : Enumerable.Range(1, size.Hosts).Select(number => $"node-{number}"),
        "gpu" => Enumerable.Range(1, size.Gpus).Select(number => $"GPU-{number:00000000}"),
        "server" => s_servers,
        _ => name.Split('|'),
    };

    private static string ModelName(int number) => $"model-{number + 1:00}:latest";

    private static string NameOf(string series) => series.Split('{')[0];

    private static string WithSuffix(string series, string suffix, string labels = "") => $"{NameOf(series)}{suffix}{series[NameOf(series).Length..^1]}{labels}}}";

    private static double Number(string value) => double.Parse(value, CultureInfo.InvariantCulture);

    [GeneratedRegex(@"\{(?<name>[\w|]+)\}")]
    private static partial Regex Placeholder();
}
