using System.Diagnostics;

namespace Hazumu.Testing;

/// <summary>Bounded waiting that says what it waited for.</summary>
public static class Wait
{
    /// <summary>Tries until the attempt no longer throws.</summary>
    /// <param name="what">What is awaited, for the message.</param>
    /// <param name="timeout">When to give up.</param>
    /// <param name="attempt">One try; its exception means "not yet".</param>
    /// <param name="explain">What to print beside the last failure, such as a container's log.</param>
    /// <exception cref="TimeoutException">Time ran out; carries the last failure and the explanation.</exception>
    public static async Task UntilAsync(string what, TimeSpan timeout, Func<Task> attempt, Func<Task<string>>? explain = null)
    {
        ArgumentNullException.ThrowIfNull(attempt);

        var watch = Stopwatch.StartNew();
        while (true)
        {
            try
            {
                await attempt();
                return;
            }
            catch (Exception) when (watch.Elapsed < timeout)
            {
                await Task.Delay(TimeSpan.FromMilliseconds(500));
            }
            catch (Exception last)
            {
                var explanation = explain is null ? "" : $"\n{await explain()}";
                throw new TimeoutException($"Gave up on '{what}' after {timeout}: {last.Message}{explanation}", last);
            }
        }
    }
}
