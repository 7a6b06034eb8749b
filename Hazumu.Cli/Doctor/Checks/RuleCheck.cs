using System.Globalization;
using Hazumu.Cli.Doctor.Clients;

namespace Hazumu.Cli.Doctor.Checks;

/// <summary>
/// Checks that Prometheus has its rules, evaluates them in time and without errors, and runs with its current
/// configuration.
/// </summary>
internal sealed class RuleCheck() : Check("rules")
{
    // How late an evaluation may be, beyond two intervals.
    private static readonly TimeSpan s_tolerance = TimeSpan.FromSeconds(15);

    protected override async Task<CheckResult> ExecuteAsync(GraphSnapshot snapshot, CancellationToken cancellationToken)
    {
        if (snapshot.Prometheus is not { } prometheus)
        {
            return NotApplicable(snapshot.DescribeAbsence(GraphSnapshot.PrometheusName));
        }

        var findings = new Findings();
        var runtime = await prometheus.GetRuntimeInfoAsync(cancellationToken);
        if (!runtime.ReloadConfigSuccess)
        {
            findings.Problem("Prometheus could not load its configuration and keeps the previous one; see docs/runbooks/ConfigReloadFailed.md.");
        }

        var (groups, now) = await prometheus.GetRulesAsync(cancellationToken);
        if (groups.Count == 0)
        {
            findings.Problem("Prometheus has no rules, so no alert can fire; the folder prometheus/rules is empty or is not mounted.");
        }

        var waiting = 0;
        foreach (var group in groups)
        {
            foreach (var rule in group.Rules.Where(rule => rule.Health == "err"))
            {
                findings.Problem($"Rule {rule.Name} of group {group.Name} fails: {rule.LastError}; see docs/runbooks/PrometheusRuleFailures.md.");
            }

            // A group is new when Prometheus starts, and may be when it reads its configuration; the first evaluation
            // comes within an interval.
            var from = new[] { group.LastEvaluation, runtime.StartTime, runtime.LastConfigTime }.Max();
            if (now - from > TimeSpan.FromSeconds(2 * group.Interval) + s_tolerance)
            {
                findings.Problem(string.Create(CultureInfo.InvariantCulture,
                    $"Group {group.Name} is evaluated every {group.Interval:0} s, but was not for {(now - from).TotalSeconds:0} s; see its log, and whether it has enough CPU."));
            }

            waiting += group.Rules.Count(rule => rule.Health == "unknown");
        }

        if (waiting > 0)
        {
            findings.Note($"{Findings.Count(waiting, "rule")} {(waiting == 1 ? "waits" : "wait")} for the first evaluation, which comes within two minutes of the start.");
        }

        return findings.ToResult(Name, $"{Findings.Count(groups.Sum(group => group.Rules.Count), "rule")} in {Findings.Count(groups.Count, "group")}");
    }
}
