using System.Diagnostics;

namespace Hazumu.Bench.Load;

internal static class Seconds
{
    /// <summary>A time of <see cref="Stopwatch.GetTimestamp"/> that is so many seconds later.</summary>
    public static long After(long time, double seconds) => time + (long)(seconds * Stopwatch.Frequency);

    public static long FromNow(double seconds) => After(Stopwatch.GetTimestamp(), seconds);
}
