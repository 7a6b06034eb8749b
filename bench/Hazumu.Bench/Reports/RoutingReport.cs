using System.Globalization;
using System.Text;
using Hazumu.Bench.Processes;

namespace Hazumu.Bench.Reports;

/// <summary>The routing benchmark as a table: medians of the rounds, and ratios to round robin that are made within each round.</summary>
internal static class RoutingReport
{
    public static string Write(
        RoutingSettings settings,
        Machine machine,
        IReadOnlyList<RoutingMeasurement> measurements,
        IReadOnlyDictionary<string, string> leftOut)
    {
        var text = new StringBuilder();
        text.AppendLine(machine.ToString()).AppendLine();
        text.AppendLine(string.Create(
            CultureInfo.InvariantCulture,
            $"{settings.Instances} instances with room for {settings.MemoryModels} of {settings.Models} models, {settings.Parallel} slots a model; popularity by Zipf {settings.Skew:0.##}; {settings.Rate:0.##} requests/s for {settings.Seconds:0} s; a load takes {settings.LoadSeconds:0.##} s, a prompt {settings.PrefillSeconds * 1000:0} ms, a token {settings.TokenSeconds * 1000:0} ms."));
        text.AppendLine($"{settings.Rounds} round(s), interleaved; medians. In parentheses: times round robin, the median of the rounds' ratios.");
        foreach (var (name, why) in leftOut)
        {
            text.AppendLine($"Left out: {name}: {why.Split('\n')[0]}.");
        }

        text.AppendLine();
        var reference = measurements.Where(one => one.Target == RoutingSettings.RoundRobin).ToDictionary(one => one.Round);
        var table = new TextTable("target", "cold loads", "first token p50 s", "p95 s", "tokens/s", "of a request", "failed");
        foreach (var name in settings.Targets.Where(name => measurements.Any(one => one.Target == name)))
        {
            var own = measurements.Where(one => one.Target == name).ToList();
            string Show(Func<RoutingMeasurement, double> value, string format)
            {
                var median = Statistic.Median(own.Select(value)).ToString(format, CultureInfo.InvariantCulture);
                if (name == RoutingSettings.RoundRobin || reference.Count == 0)
                {
                    return median;
                }

                var ratio = Statistic.Median(own.Select(one => value(one) / value(reference[one.Round])));
                return string.Create(CultureInfo.InvariantCulture, $"{median} ({ratio:0.00})");
            }

            table.Add(
                name,
                Show(one => one.ColdLoads, "0"),
                Show(one => one.FirstTokenP50, "0.00"),
                Show(one => one.FirstTokenP95, "0.00"),
                Show(one => one.TokensPerSecond, "0.0"),
                Show(one => one.RequestTokensPerSecond, "0.0"),
                own.Sum(one => one.Errors).ToString(CultureInfo.InvariantCulture));
        }

        return text.Append(table).ToString();
    }
}
