namespace Hazumu.Gateway.Tests;

/// <summary>Counts what code allocates once it is warm.</summary>
internal static class Allocations
{
    private const int Runs = 5;

    /// <summary>The bytes that <paramref name="action"/> allocates on this thread, the least of a few runs.</summary>
    /// <remarks>
    /// What allocates does so in every run. What only some runs show is not the code's: the runtime compiling it anew,
    /// or a pool of arrays that a garbage collection has trimmed in between.
    /// </remarks>
    public static long Of(Action action)
    {
        action();
        var least = long.MaxValue;
        for (var run = 0; run < Runs && least > 0; run++)
        {
            var before = GC.GetAllocatedBytesForCurrentThread();
            action();
            least = Math.Min(least, GC.GetAllocatedBytesForCurrentThread() - before);
        }

        return least;
    }
}
