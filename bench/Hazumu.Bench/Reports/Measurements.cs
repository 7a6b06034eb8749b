namespace Hazumu.Bench.Reports;

/// <summary>Small requests to one target in one round. Times are milliseconds.</summary>
/// <param name="Target">The target.</param>
/// <param name="Round">The round, from 1.</param>
/// <param name="PerSecond">Requests answered in a second.</param>
/// <param name="P50">Median time of a request.</param>
/// <param name="P99">99th percentile of it.</param>
/// <param name="Cpu">CPU time of the proxy for 1,000 requests.</param>
/// <param name="EngineCpu">The same of the engine.</param>
/// <param name="LoadCpu">The same of the load generator.</param>
/// <param name="Others">Share of the machine's CPU that processes had which do not take part.</param>
/// <param name="Errors">Requests that failed.</param>
/// <param name="Error">What the first one failed of.</param>
internal sealed record SmallMeasurement(
    string Target,
    int Round,
    double PerSecond,
    double P50,
    double P99,
    double Cpu,
    double EngineCpu,
    double LoadCpu,
    double Others,
    int Errors,
    string? Error);

/// <summary>Streams through one target in one round. Times are milliseconds, of the whole way from the engine or to it.</summary>
/// <param name="Target">The target.</param>
/// <param name="Round">The round, from 1.</param>
/// <param name="Streams">Streams at a time.</param>
/// <param name="ChunksPerSecond">Chunks that arrived in a second.</param>
/// <param name="FirstByteP50">Median time from sending a request to the first byte of its answer.</param>
/// <param name="FirstByteP99">99th percentile of it.</param>
/// <param name="ChunkP50">Median time from the engine's sending a chunk to its arrival.</param>
/// <param name="ChunkP99">99th percentile of it.</param>
/// <param name="ChunkP999">99.9th percentile of it.</param>
/// <param name="LongestPause">Longest time in which no chunk of any stream arrived.</param>
/// <param name="Cpu">CPU time of the proxy for 1,000 chunks.</param>
/// <param name="EngineCpu">The same of the engine.</param>
/// <param name="LoadCpu">The same of the load generator.</param>
/// <param name="Others">Share of the machine's CPU that processes had which do not take part.</param>
/// <param name="Errors">Requests that failed.</param>
/// <param name="Error">What the first one failed of.</param>
internal sealed record StreamMeasurement(
    string Target,
    int Round,
    int Streams,
    double ChunksPerSecond,
    double FirstByteP50,
    double FirstByteP99,
    double ChunkP50,
    double ChunkP99,
    double ChunkP999,
    double LongestPause,
    double Cpu,
    double EngineCpu,
    double LoadCpu,
    double Others,
    int Errors,
    string? Error);

/// <summary>One target under streams and small requests for minutes. Memory is bytes, times are milliseconds of the whole way.</summary>
/// <param name="Target">The target.</param>
/// <param name="Streams">Streams at a time.</param>
/// <param name="Minutes">How long.</param>
/// <param name="IdleBytes">Memory after the warm-up, with nothing open.</param>
/// <param name="FirstBytes">Memory when all streams have been open for seconds.</param>
/// <param name="LastBytes">Memory at the end, with all streams open.</param>
/// <param name="AfterBytes">Memory seconds after all have been closed.</param>
/// <param name="Chunks">Chunks that arrived.</param>
/// <param name="Requests">Small requests that were answered.</param>
/// <param name="ChunkP99">99th percentile of the time from the engine's sending a chunk to its arrival.</param>
/// <param name="ChunkP999">99.9th percentile of it.</param>
/// <param name="LongestPause">Longest time in which no chunk of any stream arrived.</param>
/// <param name="Errors">Requests that failed.</param>
/// <param name="Error">What the first one failed of.</param>
internal sealed record SoakMeasurement(
    string Target,
    int Streams,
    double Minutes,
    long IdleBytes,
    long FirstBytes,
    long LastBytes,
    long AfterBytes,
    int Chunks,
    int Requests,
    double ChunkP99,
    double ChunkP999,
    double LongestPause,
    int Errors,
    string? Error);

/// <summary>Memory of one target's fresh processes.</summary>
/// <param name="Target">The target.</param>
/// <param name="Round">The round, from 1.</param>
/// <param name="Streams">Streams that were opened.</param>
/// <param name="IdleBytes">Memory after a warm-up, with nothing open.</param>
/// <param name="OpenBytes">Memory with the streams open.</param>
/// <param name="Errors">Requests that failed.</param>
internal sealed record MemoryMeasurement(string Target, int Round, int Streams, long IdleBytes, long OpenBytes, int Errors)
{
    public double BytesPerStream => (OpenBytes - IdleBytes) / (double)Streams;
}
