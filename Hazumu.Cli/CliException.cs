namespace Hazumu.Cli;

/// <summary>Ends a command with exit code 1. The message is a sentence for the user: what is wrong and what to do.</summary>
internal sealed class CliException(string message) : Exception(message);
