using System.Diagnostics;

namespace Hazumu.Cli;

/// <summary>Runs a program in the terminal of this one.</summary>
internal static class ForegroundProcess
{
    /// <summary>
    /// How long a program may take to end by itself after a cancellation. The terminal sends Ctrl+C to it too.
    /// </summary>
    public static readonly TimeSpan EndLimit = TimeSpan.FromSeconds(10);

    /// <summary>Runs a program to its end. After a cancellation, kills it with its children at the limit.</summary>
    /// <param name="start">The program.</param>
    /// <param name="cancellationToken">Cancels the call.</param>
    /// <returns>The exit code.</returns>
    public static Task<int> RunAsync(ProcessStartInfo start, CancellationToken cancellationToken) => RunAsync(start, EndLimit, cancellationToken);

    /// <summary>Runs a program to its end. After a cancellation, kills it with its children at the limit.</summary>
    /// <param name="start">The program.</param>
    /// <param name="endLimit">How long the program may take to end by itself after a cancellation.</param>
    /// <param name="cancellationToken">Cancels the call.</param>
    /// <returns>The exit code.</returns>
    public static async Task<int> RunAsync(ProcessStartInfo start, TimeSpan endLimit, CancellationToken cancellationToken)
    {
        using var process = Process.Start(start)!;
        try
        {
            await process.WaitForExitAsync(cancellationToken);
            return process.ExitCode;
        }
        catch (OperationCanceledException)
        {
            using var limit = new CancellationTokenSource(endLimit);
            try
            {
                await process.WaitForExitAsync(limit.Token);
            }
            catch (OperationCanceledException)
            {
                process.Kill(entireProcessTree: true);
                await process.WaitForExitAsync(CancellationToken.None);
            }

            throw;
        }
    }
}
