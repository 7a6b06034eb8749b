using Hazumu.Cli.Testing;

namespace Hazumu.Tests.Cli;

public sealed class TestReportTests : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("hazumu-cli-");

    public void Dispose() => _folder.Delete(recursive: true);

    [Fact]
    public async Task Counts_of_all_projects_are_the_last_line()
    {
        Write("Completed", "total=\"3\" executed=\"3\" passed=\"3\" failed=\"0\"");
        Write("Failed", "total=\"4\" executed=\"2\" passed=\"1\" failed=\"1\"", ("A.One(text: \"<x>\")", "no docker\nat once"), ("B.Two", "no docker"));

        Assert.Equal(
            "  2 skipped: no docker\n      A.One(text: \"<x>\")\n      B.Two\n4 passed, 1 failed, 2 skipped\n",
            await ReportAsync());
    }

    [Fact]
    public async Task Crashed_test_host_counts_as_one_failure()
    {
        Write("Failed", "total=\"5\" executed=\"5\" passed=\"5\" failed=\"0\"");

        Assert.Equal("5 passed, 1 failed, 0 skipped\n", await ReportAsync());
    }

    [Fact]
    public async Task Truncated_results_count_as_one_failure()
    {
        Write("Completed", "total=\"3\" executed=\"3\" passed=\"3\" failed=\"0\"");
        await File.WriteAllTextAsync(Path.Combine(_folder.FullName, "truncated.trx"), "<?xml version=\"1.0\"?><TestRun><Results>");

        Assert.Equal("3 passed, 1 failed, 0 skipped\n", await ReportAsync());
    }

    [Fact]
    public async Task Explicit_test_that_was_not_chosen_is_no_skip()
    {
        Write("Completed", "total=\"2\" executed=\"1\" passed=\"1\" failed=\"0\"", ("Faults.Engine_hung", null));

        Assert.Equal("1 passed, 0 failed, 0 skipped\n", await ReportAsync());
    }

    [Fact]
    public async Task Run_without_results_has_no_tests() => Assert.Equal("0 passed, 0 failed, 0 skipped\n", await ReportAsync());

    private async Task<string> ReportAsync()
    {
        using var output = new StringWriter { NewLine = "\n" };
        await TestReport.Read(_folder.FullName).WriteAsync(output);
        return output.ToString();
    }

    private void Write(string outcome, string counters, params (string Test, string? Reason)[] skipped) => File.WriteAllText(
        Path.Combine(_folder.FullName, $"{Guid.NewGuid()}.trx"),
        $"""
        <?xml version="1.0" encoding="utf-8"?>
        <TestRun xmlns="http://microsoft.com/schemas/VisualStudio/TeamTest/2010">
          <Results>{string.Concat(skipped.Select(test => $"<UnitTestResult testName=\"{System.Security.SecurityElement.Escape(test.Test)}\" outcome=\"NotExecuted\"{(test.Reason is null ? " />" : $"><Output><ErrorInfo><Message>{test.Reason}</Message></ErrorInfo></Output></UnitTestResult>")}"))}</Results>
          <ResultSummary outcome="{outcome}"><Counters {counters} error="0" timeout="0" aborted="0" /></ResultSummary>
        </TestRun>
        """);
}
