namespace Hazumu.Gateway.Telemetry;

/// <summary>Boundaries of histograms: the conventions' own, carried on for cold loads and fast models.</summary>
internal static class Buckets
{
    /// <summary>Doubling, as the conventions do until 81.92 s: a cold load takes minutes.</summary>
    public static readonly double[] RequestDuration =
        [0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92, 163.84, 327.68, 655.36];

    /// <summary>The conventions end at 10 s.</summary>
    public static readonly double[] TimeToFirstToken =
        [0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10, 15, 20, 30, 45, 60, 120, 300];

    /// <summary>The conventions begin at 10 ms, which small models stay below.</summary>
    public static readonly double[] TimePerOutputToken =
        [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1, 2.5];

    /// <summary>The conventions' own.</summary>
    public static readonly long[] Tokens =
        [1, 4, 16, 64, 256, 1024, 4096, 16384, 65536, 262144, 1048576, 4194304, 16777216, 67108864];

    /// <summary>From the gateway's overhead, a fraction of a millisecond, to a cold load.</summary>
    public static readonly double[] Phase =
        [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300];
}
