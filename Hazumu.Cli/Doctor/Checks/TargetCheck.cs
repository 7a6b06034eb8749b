namespace Hazumu.Cli.Doctor.Checks;

/// <summary>
/// Checks that Prometheus reaches all of its targets, that no job lacks one, and that every probe succeeds.
/// </summary>
internal sealed class TargetCheck() : Check("targets")
{
    // The component that a job needs to have targets that are up; any other job has its own component's name.
    private static readonly Dictionary<string, string> s_needs = new()
    {
        ["engines"] = "cadvisor",
        ["engine-health"] = "blackbox",
    };

    protected override async Task<CheckResult> ExecuteAsync(GraphSnapshot snapshot, CancellationToken cancellationToken)
    {
        if (snapshot.Prometheus is not { } prometheus)
        {
            return NotApplicable(snapshot.DescribeAbsence(GraphSnapshot.PrometheusName));
        }

        var findings = new Findings();
        var targets = (await prometheus.GetTargetsAsync(cancellationToken)).Where(target => IsMeant(target.Job, target.Instance)).ToList();
        foreach (var target in targets.Where(target => target.Health != "up"))
        {
            findings.Problem(target.Health == "down"
                ? $"{target.Instance} of job {target.Job} is down: {target.LastError}; see docs/runbooks/ScrapeFailing.md."
                : $"{target.Instance} of job {target.Job} has not been scraped yet; check again in half a minute.");
        }

        var jobs = targets.Select(target => target.Job).ToHashSet();
        if (jobs.Count == 0)
        {
            findings.Problem("Prometheus has no targets; it does not run with prometheus/prometheus.yml.");
        }

        foreach (var expected in (await prometheus.QueryAsync("hazumu:expected_job:info", cancellationToken)).Select(sample => sample["job"]).Where(job => IsMeant(job) && !jobs.Contains(job)))
        {
            findings.Problem($"Job {expected} has no target, though this installation has its component; see docs/runbooks/TargetMissing.md.");
        }

        foreach (var probe in (await prometheus.QueryAsync("probe_success == 0", cancellationToken)).Where(probe => IsMeant(probe["job"], probe["instance"])))
        {
            findings.Problem($"{probe["instance"]} does not answer its probe (job {probe["job"]}); see docs/runbooks/EngineDown.md.");
        }

        return findings.ToResult(Name, $"{Findings.Count(targets.Count, "target")} of {Findings.Count(jobs.Count, "job")}");

        // Of several engines those that are left out are not meant, whichever their number.
        bool IsMeant(string job, string? instance = null) =>
            !snapshot.Options.LeftOut.Contains(s_needs.GetValueOrDefault(job, job))
            && !(instance is not null && job == "engine-health" && snapshot.Options.LeftOut.Contains(instance.TrimEnd("-0123456789".ToCharArray())));
    }
}
