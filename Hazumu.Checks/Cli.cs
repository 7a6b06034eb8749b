using System.Diagnostics;
using System.Text;

namespace Hazumu.Checks;

/// <summary>What a finished command left behind.</summary>
/// <param name="ExitCode">The process's exit code.</param>
/// <param name="Output">Standard output, then standard error.</param>
public sealed record CliResult(int ExitCode, string Output)
{
    /// <summary>Whether the command exited with 0.</summary>
    public bool Succeeded => ExitCode == 0;
}

/// <summary>Runs command-line programs, bounded in time.</summary>
public static class Cli
{
    /// <summary>Runs a program to its end.</summary>
    /// <param name="program">A name on PATH or a path.</param>
    /// <param name="arguments">Arguments, one string each; nothing is interpreted by a shell.</param>
    /// <param name="timeout">When the process tree is killed; 60 s unless given.</param>
    /// <param name="input">What the program reads from standard input; nothing unless given.</param>
    /// <param name="environment">Variables set for the program beside the inherited ones.</param>
    /// <param name="workingDirectory">The checkout's root unless given.</param>
    /// <exception cref="TimeoutException">The program did not end in time; the message carries what it had printed.</exception>
    /// <exception cref="System.ComponentModel.Win32Exception">There is no such program.</exception>
    public static async Task<CliResult> RunAsync(
        string program,
        IEnumerable<string> arguments,
        TimeSpan? timeout = null,
        string? input = null,
        IReadOnlyDictionary<string, string>? environment = null,
        string? workingDirectory = null)
    {
        var start = new ProcessStartInfo(program, arguments)
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            WorkingDirectory = workingDirectory ?? RepositoryRoot.Path,
        };

        foreach (var (name, value) in environment ?? new Dictionary<string, string>())
        {
            start.Environment[name] = value;
        }

        using var process = new Process { StartInfo = start };
        var output = new StringBuilder();
        var errors = new StringBuilder();
        process.OutputDataReceived += (_, line) => Append(output, line.Data);
        process.ErrorDataReceived += (_, line) => Append(errors, line.Data);

        process.Start();
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
        await process.StandardInput.WriteAsync(input);
        process.StandardInput.Close();

        using var limit = new CancellationTokenSource(timeout ?? TimeSpan.FromSeconds(60));
        try
        {
            await process.WaitForExitAsync(limit.Token);
        }
        catch (OperationCanceledException)
        {
            process.Kill(entireProcessTree: true);
            throw new TimeoutException($"'{program} {string.Join(' ', arguments)}' did not end in {timeout ?? TimeSpan.FromSeconds(60)}. It printed:\n{output}{errors}");
        }

        return new CliResult(process.ExitCode, $"{output}{errors}");
    }

    /// <summary>Runs a program and returns what it printed, trimmed.</summary>
    /// <inheritdoc cref="RunAsync"/>
    /// <exception cref="InvalidOperationException">The program exited with another code than 0.</exception>
    public static async Task<string> RunOrThrowAsync(
        string program,
        IEnumerable<string> arguments,
        TimeSpan? timeout = null,
        string? input = null,
        IReadOnlyDictionary<string, string>? environment = null,
        string? workingDirectory = null)
    {
        var result = await RunAsync(program, arguments, timeout, input, environment, workingDirectory);
        return result.Succeeded
            ? result.Output.Trim()
            : throw new InvalidOperationException($"'{program} {string.Join(' ', arguments)}' exited with {result.ExitCode}:\n{result.Output}");
    }

    private static void Append(StringBuilder text, string? line)
    {
        if (line is not null)
        {
            lock (text)
            {
                text.AppendLine(line);
            }
        }
    }
}
