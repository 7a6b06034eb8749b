namespace Hazumu.Cli.Doctor;

/// <summary>A check of the running graph.</summary>
/// <param name="name">Its name in the report.</param>
internal abstract class Check(string name)
{
    /// <summary>Its name in the report.</summary>
    public string Name { get; } = name;

    /// <summary>Runs the check.</summary>
    /// <param name="snapshot">The graph.</param>
    /// <param name="cancellationToken">Cancels the check.</param>
    /// <returns>The result; a check that cannot go on is a problem too.</returns>
    public async Task<CheckResult> RunAsync(GraphSnapshot snapshot, CancellationToken cancellationToken)
    {
        try
        {
            return await ExecuteAsync(snapshot, cancellationToken);
        }
        catch (CheckException problem)
        {
            return new(Name, CheckOutcome.Problem, "check failed", [problem.Message]);
        }
    }

    /// <summary>Executes the check.</summary>
    /// <exception cref="CheckException">The check cannot go on.</exception>
    protected abstract Task<CheckResult> ExecuteAsync(GraphSnapshot snapshot, CancellationToken cancellationToken);

    /// <summary>The result if the graph lacks what the check needs, or that does not answer.</summary>
    protected CheckResult NotApplicable(string reason) => new(Name, CheckOutcome.NotApplicable, reason, []);
}
