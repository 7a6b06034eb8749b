using Hazumu.Doctor.Checks;
using Hazumu.Doctor.Clients;

namespace Hazumu.Doctor;

/// <summary>Looks whether the watching itself works: targets, rules, data source, alert path, clocks, disk, cost.</summary>
public static class Examination
{
    private static readonly Check[] s_checks =
        [new TargetCheck(), new RuleCheck(), new DataSourceCheck(), new AlertPathCheck(answerLimit: TimeSpan.FromSeconds(15)), new ClockCheck(), new DiskCheck(), new CostCheck()];

    /// <summary>Runs every check. One of them sends a test alert to whoever is told of alerts, and ends it at once.</summary>
    /// <param name="graph">Where to look.</param>
    /// <param name="cancellationToken">Ends the look early.</param>
    /// <returns>A result for each check; a single one where nothing answers at all.</returns>
    public static async Task<IReadOnlyList<CheckResult>> RunAsync(WatchedGraph graph, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(graph);

        using var http = ComponentClient.CreateHttpClient();
        var patient = await Patient.ExamineAsync(http, graph, cancellationToken);
        var answers = await new AnswerCheck().RunAsync(patient, cancellationToken);
        return patient.Pulses.All(pulse => pulse.Answer is null)
            ? [answers]
            : [answers, .. await Task.WhenAll(s_checks.Select(check => check.RunAsync(patient, cancellationToken)))];
    }
}
