using System.CommandLine;
using System.Diagnostics;
using Hazumu.Cli.Images;

namespace Hazumu.Cli.Testing;

/// <summary>
/// The commands <c>test</c> and <c>faults</c>: build the solution, get images, run the tests and count them.
/// </summary>
internal static class TestCommand
{
    // Off by default, and tested if their images can be had.
    private static readonly string[] s_alsoTested = ["Loki", "Alloy", "Edge", "Valkey", "LlamaServer"];

    /// <summary>Creates the command <c>test</c>.</summary>
    /// <param name="arguments">The command line as it is: <c>dotnet test</c> gets all of it but settings of
    /// Hazumu.</param>
    public static Command Create(IReadOnlyList<string> arguments)
    {
        var command = new Command("test", "Builds the solution and runs every test that this machine can run. Further arguments are those of dotnet test.");
        command.SetAction((result, cancellationToken) => RunAsync([.. arguments.Skip(1)], result.InvocationConfiguration, cancellationToken));
        return command;
    }

    /// <summary>Creates the command <c>faults</c>.</summary>
    public static Command CreateFaults()
    {
        var name = new Argument<string?>("NAME") { Description = "The name of a fault, or a part of it, such as 'Engine hung'; all without it.", Arity = ArgumentArity.ZeroOrOne };
        var noBuild = AppHostProgram.CreateNoBuildOption();
        var command = new Command("faults", "Injects every fault into a running graph and writes docs/faults.md: two hours.") { name, noBuild };
        command.SetAction((result, cancellationToken) =>
        {
            var fault = result.GetValue(name);
            if (fault is null && Path.Combine(Checkout.Find().State, "faults") is var measured && Directory.Exists(measured))
            {
                Directory.Delete(measured, recursive: true);
            }

            string[] arguments = [.. result.GetValue(noBuild) ? ["--no-build"] : Array.Empty<string>(), "--filter", $"Category=Faults{(fault is null ? "" : $"&DisplayName~{fault}")}", "--", "xUnit.Explicit=only"];
            return RunAsync(arguments, result.InvocationConfiguration, cancellationToken);
        });
        return command;
    }

    private static async Task<int> RunAsync(IReadOnlyList<string> arguments, InvocationConfiguration console, CancellationToken cancellationToken)
    {
        var results = Path.Combine(Checkout.Find().State, "test-results");
        var (crashes, exitCode) = (0, 0);
        try
        {
            crashes = await RunProjectsAsync(arguments, results, Report, cancellationToken);
        }
        catch (Exception problem) when (problem is CliException or OperationCanceledException or IOException or UnauthorizedAccessException)
        {
            // The last line must count a failure.
            (crashes, exitCode) = (1, problem is CliException { ExitCode: var code } ? code : 1);
            await console.Error.WriteLineAsync(problem is OperationCanceledException ? "Canceled." : problem.Message);
        }

        var report = TestReport.Read(results);
        report = report with { Failed = report.Failed + crashes };
        if (report.Passed + report.Failed == 0)
        {
            Report("No test ran.");
        }

        await report.WriteAsync(console.Output);
        return exitCode != 0 ? exitCode : report is { Failed: 0, Passed: > 0 } ? 0 : 1;

        void Report(string sentence) => console.Error.WriteLine($"hazumu: {sentence}");
    }

    // Returns how many projects failed without a failed test.
    private static async Task<int> RunProjectsAsync(IReadOnlyList<string> arguments, string results, Action<string> report, CancellationToken cancellationToken)
    {
        var checkout = Checkout.Find();
        if (Directory.Exists(results))
        {
            Directory.Delete(results, recursive: true);
        }

        var (settings, others) = SettingArguments.Split(arguments);
        List<string> rest = [.. others];
        var configuration = ConfigurationOf(rest);

        // ./hazumu builds one configuration only.
        if (!rest.Remove("--no-build") || configuration.Length > 0)
        {
            // 'dotnet test' of a project would not build the projects without tests.
            var build = await RunDotnetAsync(checkout, ["build", "Hazumu.sln", "-v", "quiet", "-nologo", .. configuration], new Dictionary<string, string>(), cancellationToken);
            if (build != 0)
            {
                throw new CliException("The build failed.");
            }
        }

        var variables = await PrepareAsync(checkout, settings, report, cancellationToken);
        var crashes = 0;

        // One test project at a time: several start containers, and their timeouts are meant for a small machine. Each
        // has its own exit code, as a crash may leave no results.
        foreach (var project in Directory.EnumerateDirectories(checkout.Root, "*.Tests").Select(folder => Path.GetFileName(folder)).Order(StringComparer.Ordinal))
        {
            var folder = Path.Combine(results, project);
            var exitCode = await RunDotnetAsync(
                checkout,
                ["test", project, "--no-build", "--results-directory", folder, "--logger", "trx", "--logger", "console;verbosity=minimal", .. rest],
                variables,
                cancellationToken);
            if (exitCode != 0 && TestReport.Read(folder).Failed == 0)
            {
                report($"dotnet test of {project} failed (exit code {exitCode}), but no test failed; this counts as one failure.");
                crashes++;
            }
        }

        return crashes;
    }

    private static async Task<IReadOnlyDictionary<string, string>> PrepareAsync(Checkout checkout, SettingArguments arguments, Action<string> report, CancellationToken cancellationToken)
    {
        await checkout.PrepareEngineAsync(cancellationToken);
        var graph = await new AppHostProgram(checkout, isBuilt: true).DescribeAsync(arguments.All, checkStart: false, cancellationToken);
        var variables = new Dictionary<string, string>(arguments.Variables, StringComparer.OrdinalIgnoreCase);
        var programs = await new TestPrograms(checkout, Environment.GetEnvironmentVariable, report).PrepareAsync(graph.Engine, graph.EngineProblem is null, cancellationToken);
        foreach (var (name, value) in programs)
        {
            variables[name] = value;
        }

        if (graph.EngineProblem is { } problem)
        {
            report($"{problem} Tests that need containers are skipped.");
            return variables;
        }

        if (graph["Loki"].EnabledSetting is null)
        {
            variables["Hazumu__Loki__Enabled"] = "true";
        }

        var store = new ImageStore(graph.Engine, report, TimeProvider.System);

        // The AppHost detects whether cAdvisor may be privileged; Compose needs the setting.
        var tested = graph.Components.Where(component => component.Enabled || (s_alsoTested.Contains(component.Section) && component.EnabledSetting != false));
        foreach (var (name, value) in graph.HostSettings.Concat(await new ImagePreparation(checkout, store, report).RunAsync([.. tested], standIn: null, cancellationToken)))
        {
            variables.Remove(name);
            variables[name] = value;
        }

        // The AppHost runs the gateway itself; only the tests of the Compose application need its image.
        if (programs.ContainsKey(TestPrograms.ComposeVariable))
        {
            try
            {
                await new GatewayImageBuilder(checkout, graph.Engine, store, report).EnsureAsync(graph["Gateway"], cancellationToken);
            }
            catch (CliException noImage)
            {
                report($"The Compose application is tested without gateway: {noImage.Message}.");
                variables["HAZUMU_GATEWAY_PROBLEM"] = noImage.Message;
            }
        }

        return variables;
    }

    private static string[] ConfigurationOf(List<string> arguments) =>
        arguments.FindIndex(argument => argument.Split('=', ':')[0] is "-c" or "--configuration") is >= 0 and var index
            ? [.. arguments.GetRange(index, Math.Min(arguments[index] is "-c" or "--configuration" ? 2 : 1, arguments.Count - index))]
            : [];

    // The terminal is dotnet's own, with its colours.
    private static Task<int> RunDotnetAsync(Checkout checkout, IEnumerable<string> arguments, IReadOnlyDictionary<string, string> variables, CancellationToken cancellationToken)
    {
        var start = new ProcessStartInfo("dotnet", arguments) { WorkingDirectory = checkout.Root };
        foreach (var (name, value) in variables)
        {
            // .NET ignores the case of a variable; another spelling of it must not say something else.
            foreach (var other in start.Environment.Keys.Where(other => other.Equals(name, StringComparison.OrdinalIgnoreCase)).ToList())
            {
                start.Environment.Remove(other);
            }

            start.Environment[name] = value;
        }

        return ForegroundProcess.RunAsync(start, cancellationToken);
    }
}
