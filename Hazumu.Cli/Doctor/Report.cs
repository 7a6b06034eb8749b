namespace Hazumu.Cli.Doctor;

/// <summary>
/// Writes results as text: a line for each check, then a line for each problem or note, then a summary.
/// </summary>
public static class Report
{
    /// <summary>Writes results.</summary>
    /// <param name="results">The results of the checks.</param>
    /// <returns>Lines of text.</returns>
    public static string Write(IReadOnlyList<CheckResult> results)
    {
        ArgumentNullException.ThrowIfNull(results);

        // If nothing answers, one sentence says it all.
        if (results is [{ IsProblem: true, Findings: [var only] }])
        {
            return only;
        }

        var width = results.Max(result => result.Name.Length);
        var table = results.Select(result => $"{result.Name.PadRight(width)}  {Word(result.Outcome),-7}  {result.Summary}");
        var findings = results.SelectMany(result => result.Findings.Select(finding => $"{result.Name}: {finding}")).ToList();
        return string.Join(Environment.NewLine, [.. table, "", .. findings, .. findings.Count > 0 ? [""] : Array.Empty<string>(), Summarize(results)]);
    }

    /// <summary>Summarizes results in a sentence.</summary>
    /// <param name="results">The results of the checks.</param>
    public static string Summarize(IReadOnlyList<CheckResult> results)
    {
        ArgumentNullException.ThrowIfNull(results);

        var problems = results.Where(result => result.IsProblem).Select(result => result.Name).ToList();
        return problems.Count == 0 ? "Nothing is wrong." : $"Something is wrong with: {string.Join(", ", problems)}.";
    }

    private static string Word(CheckOutcome outcome) => outcome switch
    {
        CheckOutcome.Ok => "ok",
        CheckOutcome.Note => "note",
        CheckOutcome.Problem => "PROBLEM",
        _ => "-",
    };
}
