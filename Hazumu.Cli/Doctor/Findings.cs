namespace Hazumu.Cli.Doctor;

/// <summary>Collects what a check finds.</summary>
internal sealed class Findings
{
    private readonly List<string> _problems = [];
    private readonly List<string> _notes = [];

    /// <summary>Adds something that is wrong: what, and what to do.</summary>
    public void Problem(string sentence) => _problems.Add(sentence);

    /// <summary>Adds something to know that is not wrong.</summary>
    public void Note(string sentence) => _notes.Add(sentence);

    /// <summary>The result.</summary>
    /// <param name="name">The check's name.</param>
    /// <param name="summary">The subject of the check, in a few words; the number of problems is added.</param>
    public CheckResult ToResult(string name, string summary) => _problems.Count > 0
        ? new(name, CheckOutcome.Problem, $"{summary}; {Count(_problems.Count, "problem")}", [.. _problems, .. _notes])
        : new(name, _notes.Count > 0 ? CheckOutcome.Note : CheckOutcome.Ok, summary, _notes);

    /// <summary>A number with its noun: <c>1 rule</c>, <c>2 rules</c>.</summary>
    public static string Count(int number, string noun) => number == 1 ? $"1 {noun}" : $"{number} {noun}s";
}
