using System.Text.Json;

namespace Hazumu.Settings;

/// <summary>
/// A problem that the user can correct prevents the start. The message has one sentence for each problem.
/// </summary>
public sealed class StartupProblemException : Exception
{
    /// <summary>Creates the exception from its sentences.</summary>
    /// <param name="problems">One sentence each: the problem, with its value, and the cure.</param>
    public StartupProblemException(params IReadOnlyList<string> problems)
        : base(string.Join(Environment.NewLine, problems)) => Problems = problems;

    /// <summary>The sentences.</summary>
    public IReadOnlyList<string> Problems { get; }

    /// <summary>The exit code of the process: 1, or 2 for wrong usage, such as a value that is not allowed.</summary>
    public int ExitCode { get; init; } = 1;

    /// <summary>Throws if there is at least one problem.</summary>
    /// <param name="problems">The sentences found so far.</param>
    /// <param name="exitCode">The exit code of the process.</param>
    public static void ThrowIfAny(IReadOnlyList<string> problems, int exitCode = 1)
    {
        if (problems is { Count: > 0 })
        {
            throw new StartupProblemException(problems) { ExitCode = exitCode };
        }
    }

    /// <summary>
    /// Lets the process exit with the sentences on standard error, without a stack trace, if the exception is not
    /// caught.
    /// </summary>
    public static void ExitWithoutStackTrace()
    {
        AppDomain.CurrentDomain.UnhandledException += (_, unhandled) =>
        {
            if (Find(unhandled.ExceptionObject as Exception) is { } problem)
            {
                Console.Error.WriteLine(problem.Message);
                Environment.Exit(problem.ExitCode);
            }
        };
    }

    /// <summary>Finds the problem that an exception reports; a settings file that is not valid JSON is one as well.</summary>
    /// <param name="exception">The exception.</param>
    /// <returns>The problem; <see langword="null"/> if the exception is an error of the program.</returns>
    public static StartupProblemException? Find(Exception? exception) => exception switch
    {
        StartupProblemException problem => problem,
        { InnerException: StartupProblemException problem } => problem,
        // The framework's message names the file.
        InvalidDataException { InnerException: FormatException { InnerException: JsonException json } } => new(
            $"{exception.Message.TrimEnd('.')}: it is not valid JSON at line {json.LineNumber + 1}; correct the file."),
        _ => null,
    };
}
