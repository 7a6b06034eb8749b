using System.Globalization;

namespace Hazumu.Cli.Doctor.Checks;

/// <summary>
/// Checks that the components' clocks agree with this machine's, and that a time service keeps the host's clock.
/// </summary>
internal sealed class ClockCheck() : Check("clocks")
{
    private const double Limit = 5; // seconds

    protected override async Task<CheckResult> ExecuteAsync(GraphSnapshot snapshot, CancellationToken cancellationToken)
    {
        var findings = new Findings();
        var compared = 0;
        foreach (var probe in snapshot.Probes)
        {
            if (probe.Answer?.Date is { } date)
            {
                // The header has whole seconds, so the clock is half a second later on average.
                compared++;
                Compare($"{probe.Client.Name}'s clock", (date.AddSeconds(0.5) - probe.Middle).TotalSeconds, "this machine's", findings);
            }
        }

        if (snapshot.Prometheus is { } prometheus)
        {
            foreach (var host in await prometheus.QueryAsync("node_time_seconds - timestamp(node_time_seconds)", cancellationToken))
            {
                compared++;
                Compare($"The clock of the host of {host["instance"]}", host.Number, "Prometheus'", findings);
            }

            foreach (var host in await prometheus.QueryAsync("node_timex_sync_status == 0", cancellationToken))
            {
                // Virtual machines often get their time from the hypervisor, which this does not show: not a problem by
                // itself.
                findings.Note($"No time service keeps the clock of the host of {host["instance"]} right, according to its kernel; install chrony or enable systemd-timesyncd, unless another program sets the clock.");
            }
        }

        return findings.ToResult(Name, $"{Findings.Count(compared, "clock")} compared");
    }

    private static void Compare(string whose, double seconds, string with, Findings findings)
    {
        if (Math.Abs(seconds) > Limit)
        {
            findings.Problem(string.Create(CultureInfo.InvariantCulture,
                $"{whose} is {Math.Abs(seconds):0} s {(seconds > 0 ? "ahead of" : "behind")} {with}, so alerts and graphs show wrong times; set both by NTP (chrony, systemd-timesyncd), and restart a virtual machine that was asleep."));
        }
    }
}
