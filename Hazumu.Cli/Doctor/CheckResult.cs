namespace Hazumu.Cli.Doctor;

/// <summary>How a check ended.</summary>
public enum CheckOutcome
{
    /// <summary>All is as it should be.</summary>
    Ok,

    /// <summary>Nothing is wrong, but there is something to know.</summary>
    Note,

    /// <summary>Something is wrong.</summary>
    Problem,

    /// <summary>
    /// The graph does not have what the check looks at, or that does not answer, which another check reports.
    /// </summary>
    NotApplicable,
}

/// <summary>The findings of a check.</summary>
/// <param name="Name">The name of the check: <c>alert path</c>.</param>
/// <param name="Outcome">How it ended.</param>
/// <param name="Summary">The result in a few words.</param>
/// <param name="Findings">A sentence for each problem or note: what is wrong and what to do.</param>
public sealed record CheckResult(string Name, CheckOutcome Outcome, string Summary, IReadOnlyList<string> Findings)
{
    /// <summary>Whether something is wrong.</summary>
    public bool IsProblem => Outcome == CheckOutcome.Problem;
}
