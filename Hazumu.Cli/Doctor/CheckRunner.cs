using Hazumu.Cli.Doctor.Checks;
using Hazumu.Cli.Doctor.Clients;

namespace Hazumu.Cli.Doctor;

/// <summary>
/// Runs the checks of the monitoring itself: targets, rules, data source, alert path, clocks, disk, cost.
/// </summary>
public static class CheckRunner
{
    private static readonly Check[] s_checks =
        [new TargetCheck(), new RuleCheck(), new DataSourceCheck(), new AlertPathCheck(answerLimit: TimeSpan.FromSeconds(15)), new ClockCheck(), new DiskCheck(), new CostCheck()];

    /// <summary>
    /// Runs every check. One of them sends a test alert to the receivers of alerts, and resolves it immediately.
    /// </summary>
    /// <param name="options">The addresses of the graph.</param>
    /// <param name="cancellationToken">Cancels the checks.</param>
    /// <returns>A result for each check; a single one if nothing answers at all.</returns>
    public static async Task<IReadOnlyList<CheckResult>> RunAsync(DoctorOptions options, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(options);

        using var http = ComponentClient.CreateHttpClient();
        var snapshot = await GraphSnapshot.TakeAsync(http, options, cancellationToken);
        var answers = await new AnswerCheck().RunAsync(snapshot, cancellationToken);
        return snapshot.Probes.All(probe => probe.Answer is null)
            ? [answers]
            : [answers, .. await Task.WhenAll(s_checks.Select(check => check.RunAsync(snapshot, cancellationToken)))];
    }
}
