namespace Hazumu.Gateway.Admission;

/// <summary>Numbers from 0 to 1, by which requests are divided in proportion.</summary>
internal static class Draw
{
    // 2^64 divided by the golden ratio: multiples of it, taken as fractions, are spread evenly however many there are.
    private const ulong Step = 0x9E3779B97F4A7C15;

    private static long s_last;

    /// <summary>The next number; of any run of them, each interval gets as many as is its length, within a few.</summary>
    public static double Next() => Fraction((ulong)Interlocked.Add(ref s_last, unchecked((long)Step)));

    /// <summary>The number of a conversation, the same at every gateway; not related to the instance that the conversation goes to.</summary>
    public static double Of(ulong affinity) => Fraction(Mix(affinity ^ Step));

    /// <summary>Spreads the bits of a number over all of it.</summary>
    /// <remarks>The finalizer of SplitMix64.</remarks>
    public static ulong Mix(ulong hash)
    {
        hash = (hash ^ (hash >> 30)) * 0xBF58476D1CE4E5B9;
        hash = (hash ^ (hash >> 27)) * 0x94D049BB133111EB;
        return hash ^ (hash >> 31);
    }

    /// <summary>A number of 64 bits as a fraction of all of them: less than 1.</summary>
    public static double Fraction(ulong number) => (number >> 11) * (1.0 / (1L << 53));
}
