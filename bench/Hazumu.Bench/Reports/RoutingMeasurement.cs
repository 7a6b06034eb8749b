namespace Hazumu.Bench.Reports;

/// <summary>One target's handling of one sequence of arrivals.</summary>
/// <param name="Target">The target.</param>
/// <param name="Round">The round, from 1; also the sequence's seed.</param>
/// <param name="Requests">Requests that arrived.</param>
/// <param name="ColdLoads">Models that were loaded, by all engines.</param>
/// <param name="Evictions">Models that were put out for others.</param>
/// <param name="FirstTokenP50">Median time from arrival to the first token, in seconds.</param>
/// <param name="FirstTokenP95">95th percentile of it.</param>
/// <param name="TokensPerSecond">Tokens of all answers, over the time from the first arrival to the last answer.</param>
/// <param name="RequestTokensPerSecond">Tokens of an answer, over the time from its request's arrival to its end; the median.</param>
/// <param name="Errors">Requests that failed.</param>
/// <param name="Error">What the first one failed of.</param>
internal sealed record RoutingMeasurement(
    string Target,
    int Round,
    int Requests,
    long ColdLoads,
    long Evictions,
    double FirstTokenP50,
    double FirstTokenP95,
    double TokensPerSecond,
    double RequestTokensPerSecond,
    int Errors,
    string? Error);
