using Hazumu.Doctor.Clients;

namespace Hazumu.Doctor.Checks;

/// <summary>Whether every component of the graph answers on this machine, and says that it is well.</summary>
internal sealed class AnswerCheck() : Check("answers")
{
    protected override Task<CheckResult> LookAsync(Patient patient, CancellationToken cancellationToken)
    {
        var findings = new Findings();
        var addresses = string.Join(", ", patient.Pulses.Select(pulse => pulse.Client.Address));
        if (patient.Pulses.Count == 0)
        {
            findings.Problem("There is nothing to look at: the graph has no component with an address.");
        }
        else if (patient.Pulses.All(pulse => pulse.Answer is null))
        {
            findings.Problem($"Nothing answers on {addresses}; start the backend with ./hazumu up, or give the settings that it was started with.");
        }
        else
        {
            foreach (var pulse in patient.Pulses.Where(pulse => pulse.Answer is not { IsSuccess: true }))
            {
                findings.Problem(pulse.Problem
                    ?? $"{pulse.Client.Name} is not well: it answers {pulse.Client.Address}{pulse.Path} with {(int)pulse.Answer!.Status} ({ComponentClient.Excerpt(pulse.Answer.Body)}); its log tells more.");
            }
        }

        return Task.FromResult(findings.ToResult(Name, $"{Findings.Count(patient.Pulses.Count, "component")} asked"));
    }
}
