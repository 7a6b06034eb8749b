using System.Diagnostics;

namespace Hazumu.Bench.Load;

/// <summary>Times of one kind.</summary>
internal sealed class Samples
{
    private readonly List<long> _ticks = [];
    private bool _isSorted;

    public int Count => _ticks.Count;

    public void Add(long ticks)
    {
        _ticks.Add(ticks);
        _isSorted = false;
    }

    /// <summary>A quantile in milliseconds; 0 without samples.</summary>
    public double Milliseconds(double quantile)
    {
        if (_ticks.Count == 0)
        {
            return 0;
        }

        if (!_isSorted)
        {
            _ticks.Sort();
            _isSorted = true;
        }

        var index = (int)Math.Ceiling(quantile * _ticks.Count) - 1;
        return _ticks[Math.Clamp(index, 0, _ticks.Count - 1)] * 1000.0 / Stopwatch.Frequency;
    }
}
