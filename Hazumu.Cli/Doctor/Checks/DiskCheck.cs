using System.Globalization;
using System.Text.RegularExpressions;
using Hazumu.Cli.Doctor.Clients;

namespace Hazumu.Cli.Doctor.Checks;

/// <summary>Checks that the samples that Prometheus will keep fit on the disk, at their current rate.</summary>
internal sealed partial class DiskCheck() : Check("retention and disk")
{
    // "Prometheus stores an average of only 1-2 bytes per sample"
    // (https://prometheus.io/docs/prometheus/latest/storage/).
    private const double BytesPerSample = 2;

    private const string Samples = "sum(rate(prometheus_tsdb_head_samples_appended_total{job=\"prometheus\"}[2m]))";
    private const string Uptime = "max(time() - process_start_time_seconds{job=\"prometheus\"})";
    private const string Stored = "max(prometheus_tsdb_storage_blocks_bytes{job=\"prometheus\"})";

    // The samples of the last hours, of which there is a log beside them.
    private const string Head = "max(prometheus_tsdb_wal_storage_size_bytes{job=\"prometheus\"})";

    // A rate over two minutes is too low before then.
    private const double Young = 150;

    protected override async Task<CheckResult> ExecuteAsync(GraphSnapshot snapshot, CancellationToken cancellationToken)
    {
        if (snapshot.Prometheus is not { } prometheus)
        {
            return NotApplicable(snapshot.DescribeAbsence(GraphSnapshot.PrometheusName));
        }

        var findings = new Findings();
        var retention = (await prometheus.GetRuntimeInfoAsync(cancellationToken)).StorageRetention;
        var rate = await prometheus.QueryNumberAsync(Samples, cancellationToken);
        if (rate is null || await prometheus.QueryNumberAsync(Uptime, cancellationToken) is null or < Young)
        {
            findings.Note("The rate of samples is unknown until Prometheus has run for three minutes; check again then.");
            return findings.ToResult(Name, $"kept for {retention}");
        }

        var stored = (await prometheus.QueryNumberAsync(Stored, cancellationToken) ?? 0) + (await prometheus.QueryNumberAsync(Head, cancellationToken) ?? 0);
        var predicted = Predict(retention, rate.Value);
        var summary = $"kept for {retention}, at {rate.Value.ToString("0", CultureInfo.InvariantCulture)} samples/s {Size(predicted)} in the end, {Size(stored)} now";

        var disk = FindDisk(await prometheus.QueryAsync("node_filesystem_avail_bytes or node_filesystem_device_error == 1", cancellationToken), snapshot.Options.VolumesFolder);
        if (disk is null)
        {
            findings.Note($"How much space is left in {snapshot.Options.VolumesFolder} is unknown: no node exporter measures it.");
            return findings.ToResult(Name, summary);
        }

        var mount = disk["mountpoint"];
        if (disk["device_error"] is { Length: > 0 } error)
        {
            findings.Note($"How much space is left on {mount}, which has the volumes, is unknown: the node exporter may not read it ({error}); 'df {mount}' on the host shows it.");
            return findings.ToResult(Name, summary);
        }

        var free = disk.Number;
        if (predicted - stored > free)
        {
            findings.Problem($"Samples of {retention} will need {Size(predicted - stored)} more, and {mount} has {Size(free)} left; shorten Hazumu:Prometheus:Retention or free space (docs/runbooks/DiskFilling.md).");
        }

        return findings.ToResult(Name, $"{summary}, {Size(free)} free on {mount}");
    }

    /// <summary>How many bytes the samples of a retention take.</summary>
    /// <param name="retention">As Prometheus writes it: a duration, a size, or both with "or" between them.</param>
    /// <param name="rate">Samples in a second.</param>
    /// <exception cref="CheckException">It is neither.</exception>
    internal static double Predict(string retention, double rate)
    {
        var limits = retention.Split(" or ").Select(part =>
            Duration().Match(part) is { Success: true, Length: > 0 } duration ? Seconds(duration) * rate * BytesPerSample
            : StorageSize().Match(part) is { Success: true } size ? double.Parse(size.Groups["number"].Value, CultureInfo.InvariantCulture) * Factor(size.Groups["unit"].Value)
            : throw new CheckException($"Prometheus' retention is '{retention}', which is neither a duration nor a size; see --storage.tsdb.retention.time."));
        return limits.Min();
    }

    private static double Seconds(Match duration)
    {
        return (Number("y") * 365 * 86_400) + (Number("w") * 7 * 86_400) + (Number("d") * 86_400) + (Number("h") * 3600) + (Number("m") * 60) + Number("s");

        double Number(string unit) => duration.Groups[unit] is { Success: true } group ? double.Parse(group.Value, CultureInfo.InvariantCulture) : 0;
    }

    private static double Factor(string unit) => unit switch
    {
        "B" => 1,
        "KiB" => 1L << 10,
        "MiB" => 1L << 20,
        "GiB" => 1L << 30,
        "TiB" => 1L << 40,
        "PiB" => 1L << 50,
        _ => 1L << 60,
    };

    // The file system that a folder lies on: the one with the longest mount point above it.
    private static PrometheusApi.Sample? FindDisk(IReadOnlyList<PrometheusApi.Sample> disks, string folder) => disks
        .Where(disk => $"{folder}/".StartsWith($"{disk["mountpoint"].TrimEnd('/')}/", StringComparison.Ordinal))
        .MaxBy(disk => disk["mountpoint"].Length);

    private static string Size(double bytes)
    {
        string[] units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
        var unit = 0;
        while (bytes >= 1024 && unit < units.Length - 1)
        {
            bytes /= 1024;
            unit++;
        }

        return string.Create(CultureInfo.InvariantCulture, $"{bytes:0.#} {units[unit]}");
    }

    [GeneratedRegex(@"^((?<y>\d+)y)?((?<w>\d+)w)?((?<d>\d+)d)?((?<h>\d+)h)?((?<m>\d+)m)?((?<s>\d+)s)?$")]
    private static partial Regex Duration();

    [GeneratedRegex(@"^(?<number>\d+(\.\d+)?) ?(?<unit>B|KiB|MiB|GiB|TiB|PiB|EiB)$")]
    private static partial Regex StorageSize();
}
