namespace Hazumu.Doctor;

/// <summary>One thing that is looked at.</summary>
/// <param name="name">What it is called in the report.</param>
internal abstract class Check(string name)
{
    /// <summary>What it is called in the report.</summary>
    public string Name { get; } = name;

    /// <summary>Looks.</summary>
    /// <param name="patient">The graph that is looked at.</param>
    /// <param name="cancellationToken">Ends the look early.</param>
    /// <returns>What was found; something that keeps the check from going on is a problem too.</returns>
    public async Task<CheckResult> RunAsync(Patient patient, CancellationToken cancellationToken)
    {
        try
        {
            return await LookAsync(patient, cancellationToken);
        }
        catch (CheckException problem)
        {
            return new(Name, CheckOutcome.Problem, "could not be looked at", [problem.Message]);
        }
    }

    /// <summary>Looks.</summary>
    /// <exception cref="CheckException">It cannot go on.</exception>
    protected abstract Task<CheckResult> LookAsync(Patient patient, CancellationToken cancellationToken);

    /// <summary>The result where the graph lacks what the check needs, or that does not answer.</summary>
    protected CheckResult NotApplicable(string reason) => new(Name, CheckOutcome.NotApplicable, reason, []);
}
