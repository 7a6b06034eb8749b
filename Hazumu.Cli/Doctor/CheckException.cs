namespace Hazumu.Cli.Doctor;

/// <summary>A check cannot go on. The message is a sentence for the user: what is wrong and what to do.</summary>
internal sealed class CheckException(string message) : Exception(message);
