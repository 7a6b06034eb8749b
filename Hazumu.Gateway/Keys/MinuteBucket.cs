namespace Hazumu.Gateway.Keys;

/// <summary>
/// A bucket of units per minute: it drains evenly, and its level may exceed the limit. It is exact, since it counts in
/// units times the ticks of a minute, and drains by the limit at each tick.
/// </summary>
internal struct MinuteBucket
{
    private Int128 _used;
    private long _limit;
    private long _at;

    /// <summary>Sets the limit from now on; what is used stays used.</summary>
    public void SetLimit(long limit, long now)
    {
        Drain(now);
        _limit = limit;
    }

    /// <summary>Uses units.</summary>
    public void Take(long units, long now, long minute)
    {
        Drain(now);
        _used += (Int128)units * minute;
    }

    /// <summary>Units that are used.</summary>
    public double Used(long now, long minute)
    {
        Drain(now);
        return (double)_used / minute;
    }

    /// <summary>Has at least so many units be used, at the time of the last call.</summary>
    public void Learn(double units, long minute) => _used = Int128.Max(_used, (Int128)(units * minute));

    /// <summary>Ticks until one unit is free.</summary>
    public readonly long TicksUntilFree(long minute)
    {
        var excess = _used + minute - ((Int128)_limit * minute);
        return excess <= 0 ? 0 : (long)Int128.Min(long.MaxValue, (excess + _limit - 1) / _limit);
    }

    private void Drain(long now)
    {
        if (now > _at)
        {
            _used = Int128.Max(0, _used - ((Int128)(now - _at) * _limit));
            _at = now;
        }
    }
}
