namespace Hazumu.Cli;

/// <summary>Ends a command. The message holds a sentence for each problem: what is wrong and what to do.</summary>
internal sealed class CliException(string message) : Exception(message)
{
    /// <summary>The exit code: 1, or 2 for wrong usage.</summary>
    public int ExitCode { get; init; } = 1;
}
