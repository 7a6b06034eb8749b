namespace Hazumu.Bench.Reports;

/// <summary>One size, measured. CPU is milliseconds of one core.</summary>
/// <param name="Step">The size.</param>
/// <param name="IdlePerSecond">CPU a second of one gateway with nothing to do but to poll.</param>
/// <param name="IdleBytes">Memory of one gateway then.</param>
/// <param name="OpenBytes">Memory of one gateway with its part of the streams open.</param>
/// <param name="ChunksPerSecond">Chunks that arrived in a second, over all gateways.</param>
/// <param name="PerThousandChunks">CPU of all gateways for 1,000 chunks, less what they need when idle.</param>
/// <param name="LatencyP50">Median time from the engine's sending a chunk to its arrival, in milliseconds.</param>
/// <param name="LatencyP99">99th percentile of it.</param>
/// <param name="Descriptors">Files and sockets that one gateway has open then.</param>
/// <param name="RequestsPerSecond">Small requests answered in a second, all sent to the youngest gateway.</param>
/// <param name="PerThousandRequests">CPU of that gateway for 1,000 small requests.</param>
/// <param name="PerThousandAdmissions">CPU of the gateway that admits for 1,000 of another's small requests; 0 where there is one gateway.</param>
/// <param name="Others">Share of the machine's CPU that processes had which do not take part.</param>
/// <param name="Errors">Requests that failed.</param>
/// <param name="Error">What the first one failed of.</param>
internal sealed record SizingMeasurement(
    SizingStep Step,
    double IdlePerSecond,
    double IdleBytes,
    double OpenBytes,
    double ChunksPerSecond,
    double PerThousandChunks,
    double LatencyP50,
    double LatencyP99,
    int Descriptors,
    double RequestsPerSecond,
    double PerThousandRequests,
    double PerThousandAdmissions,
    double Others,
    int Errors,
    string? Error)
{
    public double BytesPerStream => (OpenBytes - IdleBytes) * Step.Gateways / Step.Streams;
}

/// <summary>What it takes to give a slot and to take it back, under the fleet's one lock.</summary>
/// <param name="Instances">Instances, each with the model in memory.</param>
/// <param name="Free">Microseconds of CPU where there are free slots.</param>
/// <param name="Full">The same where all slots are held and a thousand requests wait, of ten keys.</param>
internal sealed record AdmissionMeasurement(int Instances, double Free, double Full);
