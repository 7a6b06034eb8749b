using Hazumu.Cli.Doctor.Clients;

namespace Hazumu.Cli.Doctor.Checks;

/// <summary>Checks that every component of the graph answers on this machine and is healthy.</summary>
internal sealed class AnswerCheck() : Check("answers")
{
    protected override Task<CheckResult> ExecuteAsync(GraphSnapshot snapshot, CancellationToken cancellationToken)
    {
        var findings = new Findings();
        var addresses = string.Join(", ", snapshot.Probes.Select(probe => probe.Client.Address));
        if (snapshot.Probes.Count == 0)
        {
            findings.Problem("There is nothing to check: the graph has no component with an address.");
        }
        else if (snapshot.Probes.All(probe => probe.Answer is null))
        {
            findings.Problem($"Nothing answers on {addresses}; start the backend with ./hazumu up, or give the settings with which it was started.");
        }
        else
        {
            foreach (var probe in snapshot.Probes.Where(probe => probe.Answer is not { IsSuccess: true }))
            {
                findings.Problem(probe.Problem
                    ?? $"{probe.Client.Name} is unhealthy: it answers {probe.Client.Address}{probe.Path} with {(int)probe.Answer!.Status} ({ComponentClient.Excerpt(probe.Answer.Body)}); see its log.");
            }
        }

        return Task.FromResult(findings.ToResult(Name, $"{Findings.Count(snapshot.Probes.Count, "component")}"));
    }
}
