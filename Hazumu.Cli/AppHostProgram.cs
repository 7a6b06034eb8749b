using System.CommandLine;
using System.Reflection;
using CliWrap;
using CliWrap.Buffered;

namespace Hazumu.Cli;

/// <summary>Runs <c>Hazumu.AppHost</c>, which knows every rule about settings and components.</summary>
/// <param name="checkout">The checkout.</param>
/// <param name="isBuilt">Whether the program is run as it was built last.</param>
internal sealed class AppHostProgram(Checkout checkout, bool isBuilt)
{
    /// <summary>The prefix of settings among environment variables.</summary>
    public const string VariablePrefix = "Hazumu__";

    // The last build of the AppHost built this program too.
    private static string Configuration => typeof(AppHostProgram).Assembly.GetCustomAttribute<AssemblyConfigurationAttribute>()!.Configuration;

    /// <summary>Creates the option that saves the time of a build.</summary>
    public static Option<bool> CreateNoBuildOption() => new("--no-build") { Description = "Runs Hazumu.AppHost as it was built last." };

    /// <summary>Describes the graph.</summary>
    /// <param name="arguments">Settings, beside those in environment variables.</param>
    /// <param name="checkStart">Whether the checks of a start are run too: ports, demands on the host, other
    /// graphs.</param>
    /// <param name="cancellationToken">Cancels the call.</param>
    /// <param name="variables">Environment variables beside the inherited ones.</param>
    /// <exception cref="CliException">A setting is wrong, or a start would fail.</exception>
    public async Task<GraphDescription> DescribeAsync(
        IEnumerable<string> arguments, bool checkStart, CancellationToken cancellationToken, IReadOnlyDictionary<string, string?>? variables = null)
    {
        var file = Path.GetTempFileName();
        try
        {
            await RunAsync(["--launch-profile", "http"], [.. arguments, $"--print-graph={file}", $"--check-start={(checkStart ? "true" : "false")}"], variables ?? new Dictionary<string, string?>(), cancellationToken);
            return GraphDescription.Read(file);
        }
        finally
        {
            File.Delete(file);
        }
    }

    /// <summary>Describes the graph by the settings of the environment, for a command that uses the engine.</summary>
    /// <param name="cancellationToken">Cancels the call.</param>
    /// <exception cref="CliException">A setting is wrong, or there is no engine that answers.</exception>
    public async Task<GraphDescription> DescribeWithEngineAsync(CancellationToken cancellationToken)
    {
        await checkout.PrepareEngineAsync(cancellationToken);
        var graph = await DescribeAsync([], checkStart: false, cancellationToken);
        return graph.EngineProblem is { } problem ? throw new CliException(problem) : graph;
    }

    /// <summary>Runs a publishing step, with no setting of this machine.</summary>
    /// <param name="step">The step of the AppHost's pipeline.</param>
    /// <param name="folder">The folder to write to.</param>
    /// <param name="cancellationToken">Cancels the call.</param>
    /// <exception cref="CliException">The step failed.</exception>
    public async Task PublishAsync(string step, string folder, CancellationToken cancellationToken)
    {
        string[] arguments = ["--operation", "publish", "--step", step, "--output-path", folder];
        var unset = SettingArguments.OfEnvironment().Keys.ToDictionary(name => name, _ => (string?)null);
        var output = await RunAsync(["--no-launch-profile"], arguments, unset, cancellationToken);

        // Aspire exits with 0 if a step fails (seen in 13.6).
        var lines = output.Split('\n').Select(line => line.Trim()).ToList();
        if (lines.FindIndex(line => line.StartsWith("Step '", StringComparison.Ordinal) && line.EndsWith("failed", StringComparison.Ordinal)) is >= 0 and var failure)
        {
            throw new CliException($"The step '{step}' failed: {string.Join(' ', lines.Skip(failure + 1).Take(1))}");
        }
    }

    private async Task<string> RunAsync(string[] options, string[] arguments, IReadOnlyDictionary<string, string?> variables, CancellationToken cancellationToken)
    {
        var folder = Path.Combine(checkout.Root, "Hazumu.AppHost");
        var result = await CliWrap.Cli.Wrap("dotnet")
            .WithArguments(["run", .. isBuilt ? ["--no-build", "--configuration", Configuration] : Array.Empty<string>(), "--project", folder, .. options, "--", .. arguments])
            .WithWorkingDirectory(folder)
            .WithEnvironmentVariables(variables)
            .WithValidation(CommandResultValidation.None)
            .ExecuteBufferedAsync(cancellationToken);
        if (result.ExitCode == 0)
        {
            return result.StandardOutput + result.StandardError;
        }

        var message = result.StandardError.Trim() is { Length: > 0 } error ? error : result.StandardOutput.Trim();
        throw new CliException(message) { ExitCode = result.ExitCode == 2 ? 2 : 1 };
    }
}
