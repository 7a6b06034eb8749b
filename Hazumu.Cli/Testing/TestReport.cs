using System.Globalization;
using System.Xml;
using System.Xml.Linq;

namespace Hazumu.Cli.Testing;

/// <summary>The counts of a test run, and the tests that were skipped with their reasons, from TRX files.</summary>
/// <param name="Passed">How many tests passed.</param>
/// <param name="Failed">How many tests failed; a test host that crashed counts as one, and a file that cannot be
/// read.</param>
/// <param name="Skipped">How many tests were skipped.</param>
/// <param name="SkippedByReason">The names of the skipped tests by the first line of the reason.</param>
internal sealed record TestReport(int Passed, int Failed, int Skipped, ILookup<string, string> SkippedByReason)
{
    /// <summary>Reads the TRX files of a run.</summary>
    /// <param name="folder">The folder with the files.</param>
    public static TestReport Read(string folder)
    {
        var files = Directory.Exists(folder) ? Directory.GetFiles(folder, "*.trx", SearchOption.AllDirectories) : [];
        var runs = files.Select(Load).OfType<XElement>().ToList();
        var summaries = runs.SelectMany(run => Elements(run, "ResultSummary")).ToList();
        var counters = summaries.SelectMany(summary => Elements(summary, "Counters")).ToList();

        // Explicit tests that were not chosen are not executed either, without a reason.
        var skipped = runs.SelectMany(run => Elements(run, "UnitTestResult")).Where(result => (string?)result.Attribute("outcome") == "NotExecuted" && result.HasElements).ToList();
        return new(
            counters.Sum(counts => Count(counts, "passed")),
            summaries.Sum(CountFailures) + files.Length - runs.Count,
            skipped.Count,
            skipped.ToLookup(
                result => Elements(result, "Message").FirstOrDefault()?.Value.Split('\n')[0].Trim() is { Length: > 0 } reason ? reason : "no reason given",
                result => (string)result.Attribute("testName")!));
    }

    /// <summary>Writes the skipped tests below their reasons, then the counts as the last line.</summary>
    /// <param name="output">The output.</param>
    public async Task WriteAsync(TextWriter output)
    {
        foreach (var reason in SkippedByReason)
        {
            await output.WriteLineAsync($"  {reason.Count()} skipped: {reason.Key}\n{string.Join('\n', reason.Select(test => $"      {test}"))}");
        }

        await output.WriteLineAsync($"{Passed} passed, {Failed} failed, {Skipped} skipped");
    }

    // A file is truncated if the test host was killed while it wrote.
    private static XElement? Load(string file)
    {
        try
        {
            return XDocument.Load(file).Root;
        }
        catch (XmlException)
        {
            return null;
        }
    }

    // A run that failed without a failed test is one whose host crashed.
    private static int CountFailures(XElement summary)
    {
        var failed = Elements(summary, "Counters").Sum(counts => Count(counts, "failed") + Count(counts, "error") + Count(counts, "timeout") + Count(counts, "aborted"));
        return failed > 0 ? failed : (string?)summary.Attribute("outcome") == "Failed" ? 1 : 0;
    }

    private static IEnumerable<XElement> Elements(XElement parent, string name) => parent.Descendants().Where(element => element.Name.LocalName == name);

    private static int Count(XElement counts, string name) => int.Parse(counts.Attribute(name)?.Value ?? "0", CultureInfo.InvariantCulture);
}
