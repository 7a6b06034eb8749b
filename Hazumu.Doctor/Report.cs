namespace Hazumu.Doctor;

/// <summary>Writes results for people: a line for each check, then a line for each problem or note, then what it comes to.</summary>
public static class Report
{
    /// <summary>Writes results.</summary>
    /// <param name="results">The results of an examination.</param>
    /// <returns>Lines of text.</returns>
    public static string Write(IReadOnlyList<CheckResult> results)
    {
        ArgumentNullException.ThrowIfNull(results);

        // Where nothing answers, that is all there is to say.
        if (results is [{ IsProblem: true, Findings: [var only] }])
        {
            return only;
        }

        var width = results.Max(result => result.Name.Length);
        var table = results.Select(result => $"{result.Name.PadRight(width)}  {Word(result.Outcome),-7}  {result.Summary}");
        var findings = results.SelectMany(result => result.Findings.Select(finding => $"{result.Name}: {finding}")).ToList();
        return string.Join(Environment.NewLine, [.. table, "", .. findings, .. findings.Count > 0 ? [""] : Array.Empty<string>(), Verdict(results)]);
    }

    /// <summary>What the results come to, in a sentence.</summary>
    /// <param name="results">The results of an examination.</param>
    public static string Verdict(IReadOnlyList<CheckResult> results)
    {
        ArgumentNullException.ThrowIfNull(results);

        var bad = results.Where(result => result.IsProblem).Select(result => result.Name).ToList();
        return bad.Count == 0 ? "Nothing is wrong." : $"Something is wrong with: {string.Join(", ", bad)}.";
    }

    private static string Word(CheckOutcome outcome) => outcome switch
    {
        CheckOutcome.Ok => "ok",
        CheckOutcome.Note => "note",
        CheckOutcome.Problem => "PROBLEM",
        _ => "-",
    };
}
