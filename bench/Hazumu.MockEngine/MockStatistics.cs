namespace Hazumu.Mocks;

/// <summary>What an engine has counted since its start or the last <see cref="MockEngine.ResetStatistics"/>.</summary>
/// <param name="Requests">Requests that arrived.</param>
/// <param name="InFlight">Requests that have arrived and are not over.</param>
/// <param name="MaxInFlight">Most of them at a time.</param>
/// <param name="ColdLoads">Models that were loaded.</param>
/// <param name="Evictions">Models that were put out for another one; not those that expired.</param>
/// <param name="Refused">Requests that got 503 as the queue was full.</param>
/// <param name="Tokens">Tokens that were sent.</param>
/// <param name="Disconnects">Clients that went away before the end, by the phase.</param>
/// <param name="Models">By model.</param>
public sealed record MockStatistics(
    long Requests,
    int InFlight,
    int MaxInFlight,
    long ColdLoads,
    long Evictions,
    long Refused,
    long Tokens,
    IReadOnlyDictionary<MockPhase, long> Disconnects,
    IReadOnlyDictionary<string, MockModelStatistics> Models)
{
    /// <summary>All clients that went away before the end.</summary>
    public long AllDisconnects => Disconnects.Values.Sum();
}

/// <summary>What an engine has counted for one model.</summary>
/// <param name="InFlight">Inference requests that are here: running or waiting.</param>
/// <param name="MaxInFlight">Most of them at a time: what a gateway's slots must keep down to the engine's own.</param>
/// <param name="Waiting">Requests that wait for a slot or for a load.</param>
/// <param name="MaxWaiting">Most of them at a time, those that wait for a load included.</param>
/// <param name="ColdLoads">How often it was loaded.</param>
/// <param name="Loaded">Whether it is in memory now.</param>
public sealed record MockModelStatistics(int InFlight, int MaxInFlight, int Waiting, int MaxWaiting, long ColdLoads, bool Loaded);
