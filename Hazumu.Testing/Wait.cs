using System.Diagnostics;
using Xunit;

namespace Hazumu.Testing;

/// <summary>Bounded waiting for a condition.</summary>
public static class Wait
{
    /// <summary>
    /// Tries until the attempt no longer throws. For conditions outside this process: it is tried twice a second.
    /// </summary>
    /// <param name="what">The awaited condition, for the message.</param>
    /// <param name="timeout">When to give up.</param>
    /// <param name="attempt">One try; its exception means "not yet".</param>
    /// <param name="explain">Text to print beside the last failure, such as a container's log.</param>
    /// <exception cref="TimeoutException">Time ran out; carries the last failure and the explanation.</exception>
    public static async Task UntilAsync(string what, TimeSpan timeout, Func<Task> attempt, Func<Task<string>>? explain = null)
    {
        try
        {
            await RetryAsync(attempt, timeout, TimeSpan.FromMilliseconds(500));
        }
        catch (Exception last)
        {
            var explanation = explain is null ? "" : $"\n{await explain()}";
            throw new TimeoutException($"Gave up on '{what}' after {timeout}: {last.Message}{explanation}", last);
        }
    }

    /// <summary>Tries until an assertion holds. For what happens in this process: it is tried every few milliseconds.</summary>
    /// <param name="assertion">The assertion, whose last failure is the test's.</param>
    /// <param name="timeout">When to give up; after 10 s unless given.</param>
    public static Task UntilAsync(Func<Task> assertion, TimeSpan? timeout = null) =>
        RetryAsync(assertion, timeout ?? TimeSpan.FromSeconds(10), TimeSpan.FromMilliseconds(5));

    /// <inheritdoc cref="UntilAsync(Func{Task}, TimeSpan?)"/>
    public static Task UntilAsync(Action assertion, TimeSpan? timeout = null) => UntilAsync(
        () =>
        {
            assertion();
            return Task.CompletedTask;
        },
        timeout);

    /// <summary>Waits until a growing number no longer changes.</summary>
    /// <param name="number">The number, which is 0 before it grows.</param>
    /// <param name="duration">How long it must not have changed.</param>
    /// <returns>The number.</returns>
    public static async Task<long> UntilStillAsync(Func<long> number, TimeSpan duration)
    {
        ArgumentNullException.ThrowIfNull(number);

        var (last, since) = (0L, Stopwatch.StartNew());
        await UntilAsync(
            () =>
            {
                var now = number();
                if (now != last)
                {
                    last = now;
                    since.Restart();
                }

                Assert.True(last > 0 && since.Elapsed >= duration, $"It has been {last} for {since.Elapsed}.");
            },
            TimeSpan.FromSeconds(20));
        return last;
    }

    /// <summary>Asserts that something stays so for a while. For what must not happen, which gives no sign to wait for.</summary>
    /// <param name="duration">How long.</param>
    /// <param name="assertion">The assertion, which must hold at any time.</param>
    public static async Task WhileAsync(TimeSpan duration, Func<Task> assertion)
    {
        ArgumentNullException.ThrowIfNull(assertion);

        for (var watch = Stopwatch.StartNew(); watch.Elapsed < duration; await Task.Delay(TimeSpan.FromMilliseconds(10)))
        {
            await assertion();
        }

        await assertion();
    }

    /// <inheritdoc cref="WhileAsync(TimeSpan, Func{Task})"/>
    public static Task WhileAsync(TimeSpan duration, Action assertion) => WhileAsync(
        duration,
        () =>
        {
            assertion();
            return Task.CompletedTask;
        });

    private static async Task RetryAsync(Func<Task> attempt, TimeSpan timeout, TimeSpan interval)
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
                await Task.Delay(interval);
            }
        }
    }
}
