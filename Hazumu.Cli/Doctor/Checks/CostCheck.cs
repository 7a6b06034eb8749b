using System.Globalization;
using Hazumu.Cli.Doctor.Clients;

namespace Hazumu.Cli.Doctor.Checks;

/// <summary>
/// Measures the cost of the monitoring: CPU and memory of its containers, and the number of series in Prometheus.
/// </summary>
internal sealed class CostCheck() : Check("cost")
{
    // At rest; a busy graph may take more CPU, which is then something to know.
    private const double MostCores = 0.05;
    private const double MostBytes = 600e6;
    private const double MostSeries = 5000;

    private const string Watchers = "service=~\"prometheus|grafana|cadvisor|blackbox|alertmanager|nodeexporter|gpuexporter|loki|alloy\"";
    internal const string Cpu = $"sum by (service) (rate(container_cpu_usage_seconds_total{{{Watchers}}}[5m]))";
    internal const string Memory = $"sum by (service) (container_memory_working_set_bytes{{{Watchers}}})";
    internal const string Series = "max(prometheus_tsdb_head_series{job=\"prometheus\"})";

    protected override async Task<CheckResult> ExecuteAsync(GraphSnapshot snapshot, CancellationToken cancellationToken)
    {
        if (snapshot.Prometheus is not { } prometheus)
        {
            return NotApplicable(snapshot.DescribeAbsence(GraphSnapshot.PrometheusName));
        }

        var memory = await prometheus.QueryAsync(Memory, cancellationToken);
        var cpu = (await prometheus.QueryAsync(Cpu, cancellationToken)).ToDictionary(sample => sample["service"], sample => sample.Number);
        var series = await prometheus.QueryNumberAsync(Series, cancellationToken) ?? 0;
        if (memory.Count == 0)
        {
            return NotApplicable("no cAdvisor measures the containers");
        }

        var findings = new Findings();
        var cores = cpu.Values.Sum();
        var bytes = memory.Sum(sample => sample.Number);
        NoteAbove(cores, MostCores, $"The monitoring takes {Percent(cores)} of one core, more than {Percent(MostCores)}");
        NoteAbove(bytes, MostBytes, $"The monitoring takes {Megabytes(bytes)}, more than {Megabytes(MostBytes)}");
        NoteAbove(series, MostSeries, string.Create(CultureInfo.InvariantCulture, $"Prometheus has {series:N0} series, more than {MostSeries:N0}"));

        var parts = memory.OrderByDescending(sample => sample.Number).Select(sample => $"{sample["service"]} {Percent(cpu.GetValueOrDefault(sample["service"]))} {Megabytes(sample.Number)}");
        return findings.ToResult(Name, string.Create(CultureInfo.InvariantCulture, $"{Percent(cores)} of one core, {Megabytes(bytes)}, {series:N0} series ({string.Join(", ", parts)})"));

        void NoteAbove(double value, double most, string what)
        {
            if (value > most)
            {
                findings.Note($"{what}, the limit without load; the dashboard \"Containers\" shows since when.");
            }
        }
    }

    private static string Percent(double cores) => string.Create(CultureInfo.InvariantCulture, $"{cores * 100:0.0} %");

    private static string Megabytes(double bytes) => string.Create(CultureInfo.InvariantCulture, $"{bytes / 1e6:0} MB");
}
