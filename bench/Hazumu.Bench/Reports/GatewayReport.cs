using System.Globalization;
using System.Text;
using Hazumu.Bench.Processes;
using Hazumu.Bench.Proxies;

namespace Hazumu.Bench.Reports;

/// <summary>The gateway benchmark as tables: medians of the rounds, and ratios that are made within each round.</summary>
internal static class GatewayReport
{
    public static string Write(
        GatewayBenchmarkSettings settings,
        Machine machine,
        IReadOnlyList<SmallMeasurement> small,
        IReadOnlyList<StreamMeasurement> streams,
        IReadOnlyList<MemoryMeasurement> memory,
        IReadOnlyList<SoakMeasurement> soak,
        IReadOnlyDictionary<string, string> leftOut)
    {
        var targets = small.Select(one => one.Target).Distinct().OrderBy(name => settings.Targets.ToList().IndexOf(name)).ToList();
        var reference = targets.Contains("nginx") ? "nginx" : targets.Contains("yarp") ? "yarp" : null;
        var text = new StringBuilder();
        text.AppendLine(machine.ToString()).AppendLine();
        text.AppendLine(
            $"{settings.Rounds} rounds, interleaved, {settings.Seconds:0.#} s each; medians; nginx with {settings.Workers} worker(s), HAProxy with {settings.Workers} thread(s).");
        if (reference is not null)
        {
            text.AppendLine($"In parentheses: times {reference}, the median of the rounds' ratios.");
        }

        foreach (var (name, why) in leftOut)
        {
            text.AppendLine($"Left out: {name}: {why.Split('\n')[0]}.");
        }

        if (soak.Count > 0)
        {
            AddSoak(text, soak);
            return text.ToString();
        }

        text.AppendLine().AppendLine($"Small requests, {settings.Connections} connections").AppendLine();
        var table = new TextTable("target", "requests/s", "p50 ms", "p99 ms", "CPU ms per 1,000");
        foreach (var target in targets)
        {
            var of = new Series<SmallMeasurement>(small, target, reference, one => one.Target, one => one.Round);
            table.Add(
                target,
                of.Show(one => one.PerSecond, "#,0"),
                of.Show(one => one.P50, "0.00"),
                of.Show(one => one.P99, "0.00"),
                target == TargetFactory.Direct ? "" : of.Show(one => one.Cpu, "0.0"));
        }

        text.Append(table);
        foreach (var count in settings.Streams)
        {
            text.AppendLine().AppendLine(
                $"{count} stream(s) of {1 / GatewayBenchmarkSettings.TokenSeconds:0} chunks/s; ms, added to what direct takes in the same round").AppendLine();
            AddStreams(text, targets, reference, [.. streams.Where(one => one.Streams == count)]);
        }

        if (memory.Count > 0)
        {
            text.AppendLine().AppendLine($"Memory, fresh processes, {memory[0].Streams} streams").AppendLine();
            table = new TextTable("target", "idle MiB", "KiB per stream");
            foreach (var rounds in memory.GroupBy(one => one.Target))
            {
                table.Add(
                    rounds.Key,
                    Format(Statistic.Median(rounds.Select(one => one.IdleBytes / 1048576.0)), "0.0"),
                    Format(Statistic.Median(rounds.Select(one => one.BytesPerStream / 1024)), "0.0"));
            }

            text.Append(table);
        }

        var others = small.Select(one => one.Others).Concat(streams.Select(one => one.Others)).ToList();
        text.AppendLine().AppendLine(string.Create(
            CultureInfo.InvariantCulture,
            $"Processes that do not take part had {Statistic.Median(others):0 %} of the CPU (median; at most {others.Max():0 %})."));
        AddErrors(text, small, streams, memory);
        return text.ToString();
    }

    private static void AddStreams(StringBuilder text, List<string> targets, string? reference, IReadOnlyList<StreamMeasurement> streams)
    {
        var direct = streams.Where(one => one.Target == TargetFactory.Direct).ToDictionary(one => one.Round);
        var table = new TextTable("target", "first byte p50", "p99", "chunk p50", "p99", "p99.9", "longest pause", "chunks/s", "CPU ms per 1,000");
        foreach (var target in targets)
        {
            var of = new Series<StreamMeasurement>(streams, target, reference, one => one.Target, one => one.Round);
            var isDirect = target == TargetFactory.Direct;
            string Added(Func<StreamMeasurement, double> value) => isDirect
                ? $"[{Format(of.Median(value), "0.000")}]"
                : of.Show(one => value(one) - value(direct[one.Round]), "0.000");
            table.Add(
                target,
                Added(one => one.FirstByteP50),
                Added(one => one.FirstByteP99),
                Added(one => one.ChunkP50),
                Added(one => one.ChunkP99),
                Added(one => one.ChunkP999),
                Format(of.Median(one => one.LongestPause), "0"),
                Format(of.Median(one => one.ChunksPerSecond), "#,0"),
                isDirect ? "" : of.Show(one => one.Cpu, "0.0"));
        }

        text.Append(table);
    }

    private static void AddSoak(StringBuilder text, IReadOnlyList<SoakMeasurement> soak)
    {
        text.AppendLine().AppendLine($"Soak, {soak[0].Minutes:0.#} min of {soak[0].Streams} streams and small requests; MiB, ms of the whole way").AppendLine();
        var table = new TextTable("target", "idle", "open, first", "open, last", "after", "chunks", "requests", "chunk p99", "p99.9", "longest pause", "failed");
        foreach (var one in soak)
        {
            table.Add(
                one.Target,
                Format(one.IdleBytes / 1048576.0, "0.0"),
                Format(one.FirstBytes / 1048576.0, "0.0"),
                Format(one.LastBytes / 1048576.0, "0.0"),
                Format(one.AfterBytes / 1048576.0, "0.0"),
                Format(one.Chunks, "#,0"),
                Format(one.Requests, "#,0"),
                Format(one.ChunkP99, "0.0"),
                Format(one.ChunkP999, "0.0"),
                Format(one.LongestPause, "0"),
                one.Error is null ? "0" : $"{one.Errors}: {one.Error}");
        }

        text.Append(table);
    }

    private static void AddErrors(
        StringBuilder text,
        IReadOnlyList<SmallMeasurement> small,
        IReadOnlyList<StreamMeasurement> streams,
        IReadOnlyList<MemoryMeasurement> memory)
    {
        var errors = small.Select(one => (one.Target, one.Errors, one.Error))
            .Concat(streams.Select(one => (one.Target, one.Errors, one.Error)))
            .Concat(memory.Select(one => (one.Target, one.Errors, Error: (string?)null)))
            .Where(one => one.Errors > 0)
            .GroupBy(one => one.Target)
            .ToList();
        text.AppendLine().AppendLine(errors.Count == 0 ? "No request failed." : "Requests that failed:");
        foreach (var target in errors)
        {
            text.AppendLine($"- {target.Key}: {target.Sum(one => one.Errors)}, the first one: {target.First().Error}");
        }
    }

    private static string Format(double value, string format) => value.ToString(format, CultureInfo.InvariantCulture);

    /// <summary>One target's measurements, and those of the target they are compared with.</summary>
    private sealed class Series<T>(
        IReadOnlyList<T> all, string target, string? reference, Func<T, string> targetOf, Func<T, int> roundOf)
    {
        private readonly IReadOnlyList<T> _own = [.. all.Where(one => targetOf(one) == target)];
        private readonly Dictionary<int, T> _reference = all.Where(one => targetOf(one) == reference).ToDictionary(roundOf);

        public double Median(Func<T, double> value) => Statistic.Median(_own.Select(value));

        public string Show(Func<T, double> value, string format)
        {
            var median = Format(Median(value), format);
            if (target == reference || target == TargetFactory.Direct || _reference.Count == 0)
            {
                return median;
            }

            // The ratio of values near zero is meaningless.
            var ratios = _own.Select(one => (Value: value(one), Reference: value(_reference[roundOf(one)]))).ToList();
            return ratios.Exists(pair => pair.Reference <= 0)
                ? median
                : $"{median} ({Format(Statistic.Median(ratios.Select(pair => pair.Value / pair.Reference)), "0.00")})";
        }
    }
}
