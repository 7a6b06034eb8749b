namespace Hazumu.Settings;

/// <summary>
/// Something that the user can mend keeps the host from starting. The message holds one sentence for each problem.
/// </summary>
public sealed class StartupProblemException : Exception
{
    /// <summary>Makes the exception from its sentences.</summary>
    /// <param name="problems">One sentence each: what is wrong and what to do.</param>
    public StartupProblemException(params IReadOnlyList<string> problems)
        : base(string.Join(Environment.NewLine, problems)) => Problems = problems;

    /// <summary>The sentences.</summary>
    public IReadOnlyList<string> Problems { get; }

    /// <summary>The exit code of the process: 1, or 2 for wrong usage, such as a value that is not allowed.</summary>
    public int ExitCode { get; init; } = 1;

    /// <summary>Throws where there is at least one problem.</summary>
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
    /// Has the process end with the sentences on standard error, and no stack trace, when the exception reaches the
    /// top.
    /// </summary>
    public static void ExitWithoutStackTrace()
    {
        AppDomain.CurrentDomain.UnhandledException += (_, unhandled) =>
        {
            var exception = unhandled.ExceptionObject as Exception;
            if ((exception as StartupProblemException ?? exception?.InnerException as StartupProblemException) is { } problem)
            {
                Console.Error.WriteLine(problem.Message);
                Environment.Exit(problem.ExitCode);
            }
        };
    }
}
