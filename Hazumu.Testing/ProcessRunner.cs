using CliWrap;
using CliWrap.Buffered;

namespace Hazumu.Testing;

/// <summary>The result of a finished command.</summary>
/// <param name="ExitCode">The process's exit code.</param>
/// <param name="Output">Standard output, then standard error.</param>
public sealed record CliResult(int ExitCode, string Output)
{
    /// <summary>Whether the command exited with 0.</summary>
    public bool Succeeded => ExitCode == 0;
}

/// <summary>Runs command-line programs, bounded in time.</summary>
public static class ProcessRunner
{
    private static readonly TimeSpan s_limit = TimeSpan.FromSeconds(60);

    /// <summary>Runs a program to its end.</summary>
    /// <param name="program">A name on PATH or a path.</param>
    /// <param name="arguments">Arguments, one string each; nothing is interpreted by a shell.</param>
    /// <param name="timeout">When the process tree is killed; 60 s unless given.</param>
    /// <param name="input">The program's standard input; empty unless given.</param>
    /// <param name="environment">Variables set for the program beside the inherited ones.</param>
    /// <param name="workingDirectory">The checkout's root unless given.</param>
    /// <returns>Exit code and output; a failing command does not throw.</returns>
    /// <exception cref="TimeoutException">The program did not end in time.</exception>
    /// <exception cref="System.ComponentModel.Win32Exception">There is no such program.</exception>
    public static async Task<CliResult> RunAsync(
        string program,
        IEnumerable<string> arguments,
        TimeSpan? timeout = null,
        string input = "",
        IReadOnlyDictionary<string, string?>? environment = null,
        string? workingDirectory = null)
    {
        using var limit = new CancellationTokenSource(timeout ?? s_limit);
        try
        {
            var result = await CliWrap.Cli.Wrap(program)
                .WithArguments(arguments)
                .WithEnvironmentVariables(environment ?? new Dictionary<string, string?>())
                .WithWorkingDirectory(workingDirectory ?? RepositoryRoot.Path)
                .WithStandardInputPipe(PipeSource.FromString(input))
                .WithValidation(CommandResultValidation.None)
                .ExecuteBufferedAsync(limit.Token);
            return new CliResult(result.ExitCode, result.StandardOutput + result.StandardError);
        }
        catch (OperationCanceledException)
        {
            throw new TimeoutException($"'{program} {string.Join(' ', arguments)}' did not end within {timeout ?? s_limit}.");
        }
    }

    /// <summary>Runs a program and returns what it printed, trimmed.</summary>
    /// <param name="program">A name on PATH or a path.</param>
    /// <param name="arguments">Arguments, one string each; nothing is interpreted by a shell.</param>
    /// <param name="timeout">When the process tree is killed; 60 s unless given.</param>
    /// <param name="environment">Variables set for the program beside the inherited ones.</param>
    /// <param name="workingDirectory">The checkout's root unless given.</param>
    /// <exception cref="TimeoutException">The program did not end in time.</exception>
    /// <exception cref="System.ComponentModel.Win32Exception">There is no such program.</exception>
    /// <exception cref="InvalidOperationException">The program exited with another code than 0.</exception>
    public static async Task<string> RunOrThrowAsync(
        string program,
        IEnumerable<string> arguments,
        TimeSpan? timeout = null,
        IReadOnlyDictionary<string, string?>? environment = null,
        string? workingDirectory = null)
    {
        var result = await RunAsync(program, arguments, timeout, environment: environment, workingDirectory: workingDirectory);
        return result.Succeeded
            ? result.Output.Trim()
            : throw new InvalidOperationException($"'{program} {string.Join(' ', arguments)}' exited with {result.ExitCode}:\n{result.Output}");
    }
}
