using System.Diagnostics;

namespace Hazumu.Cli.Bundle;

/// <summary>The checkout of the repository that a command works on.</summary>
internal sealed class BundleCheckout
{
    private const string Solution = "Hazumu.sln";

    private BundleCheckout(string path) => Path = path;

    /// <summary>The absolute path of the root.</summary>
    public string Path { get; }

    /// <summary>Finds the checkout that contains a folder.</summary>
    /// <param name="folders">The folders to try, in this order: the working folder, and that of a program that is run from a checkout.</param>
    /// <exception cref="CliException">No folder is in a checkout.</exception>
    public static BundleCheckout Find(params ReadOnlySpan<string> folders)
    {
        foreach (var folder in folders)
        {
            for (var parent = new DirectoryInfo(folder); parent is not null; parent = parent.Parent)
            {
                if (File.Exists(System.IO.Path.Combine(parent.FullName, Solution)))
                {
                    return new(parent.FullName);
                }
            }
        }

        throw new CliException($"'{folders[0]}' is not in a checkout of Hazumu; change to one and try again.");
    }

    /// <summary>Publishes the graph as the AppHost declares it: settings of this session do not count.</summary>
    /// <param name="step">The step of the AppHost's pipeline.</param>
    /// <param name="folder">The output folder.</param>
    /// <param name="cancellationToken">Ends it.</param>
    /// <exception cref="CliException">The step failed.</exception>
    public async Task PublishAsync(string step, string folder, CancellationToken cancellationToken)
    {
        var start = Start("dotnet", "run", "--project", "Hazumu.AppHost", "--no-launch-profile", "--", "--operation", "publish", "--step", step, "--output-path", folder);
        foreach (var name in start.Environment.Keys.Where(name => name.StartsWith("Hazumu__", StringComparison.OrdinalIgnoreCase)).ToList())
        {
            start.Environment.Remove(name);
        }

        var (exitCode, output) = await RunAsync(start, cancellationToken);
        // Aspire exits with 0 where a step fails; it writes the reason below this line.
        var lines = output.Split('\n');
        var failed = Array.FindIndex(lines, line => line.Contains("Step '", StringComparison.Ordinal) && line.Contains("' failed", StringComparison.Ordinal));
        if (exitCode != 0 || failed >= 0)
        {
            throw new CliException($"Publishing failed: {(failed >= 0 && failed + 1 < lines.Length ? lines[failed + 1].Trim() : LastLine(output))}");
        }
    }

    /// <summary>Runs a program in the checkout.</summary>
    /// <returns>Its exit code, and what it wrote.</returns>
    public Task<(int ExitCode, string Output)> RunAsync(string program, string[] arguments, CancellationToken cancellationToken) =>
        RunAsync(Start(program, arguments), cancellationToken);

    /// <summary>Describes how a program is started in the checkout.</summary>
    public ProcessStartInfo Start(string program, params string[] arguments) => new(program, arguments)
    {
        WorkingDirectory = Path,
        RedirectStandardInput = true,
        RedirectStandardOutput = true,
        RedirectStandardError = true,
    };

    /// <summary>The last line with text: most programs end with the reason why they failed.</summary>
    public static string LastLine(string output) => output.Split('\n').Select(line => line.Trim()).LastOrDefault(line => line.Length > 0) ?? "no output";

    private static async Task<(int ExitCode, string Output)> RunAsync(ProcessStartInfo start, CancellationToken cancellationToken)
    {
        using var process = Begin(start);
        using var registration = cancellationToken.Register(() => process.Kill(entireProcessTree: true));
        var (output, error) = (process.StandardOutput.ReadToEndAsync(CancellationToken.None), process.StandardError.ReadToEndAsync(CancellationToken.None));
        await process.WaitForExitAsync(CancellationToken.None);
        cancellationToken.ThrowIfCancellationRequested();
        return (process.ExitCode, await output + await error);
    }

    /// <summary>Starts a program with an empty standard input.</summary>
    /// <exception cref="CliException">There is no such program.</exception>
    public static Process Begin(ProcessStartInfo start)
    {
        try
        {
            var process = Process.Start(start)!;
            process.StandardInput.Close();
            return process;
        }
        catch (System.ComponentModel.Win32Exception)
        {
            throw new CliException($"There is no command '{start.FileName}' on PATH; install it and try again.");
        }
    }
}
