namespace Hazumu.Gateway.Upstreams;

/// <summary>How often each model was requested of late: what an eviction would cost follows from it. Guarded by <see cref="Fleet"/>.</summary>
internal sealed class DemandRates
{
    private const double HalfLifeSeconds = 60;
    private const int Limit = 1_000;

    // A request of ten half-lives ago.
    private const double Forgotten = 0.001;
    private const long PruneMilliseconds = 10_000;

    private readonly Dictionary<string, (double Count, long At)> _models = new(StringComparer.Ordinal);
    private long _pruned = long.MinValue / 2;

    /// <summary>A model was requested.</summary>
    public void Count(string model, long now)
    {
        if (_models.Count < Limit || _models.ContainsKey(model) || Prune(now))
        {
            _models[model] = (Decayed(model, now) + 1, now);
        }
    }

    /// <summary>Requests for a model in a second, of late.</summary>
    public double PerSecond(string model, long now) => Decayed(model, now) * Math.Log(2) / HalfLifeSeconds;

    // Clients make names up: those must not keep out, for ever, a model that is there.
    private bool Prune(long now)
    {
        if (now - _pruned < PruneMilliseconds)
        {
            return false;
        }

        _pruned = now;
        foreach (var model in _models.Keys.Where(model => Decayed(model, now) < Forgotten).ToList())
        {
            _models.Remove(model);
        }

        return _models.Count < Limit;
    }

    private double Decayed(string model, long now) => _models.TryGetValue(model, out var entry)
        ? entry.Count * Math.Pow(0.5, (now - entry.At) / 1_000d / HalfLifeSeconds)
        : 0;
}
