using System.Collections.Concurrent;

namespace Hazumu.Gateway.Telemetry;

/// <summary>The values that one label takes: the first so many, then <see cref="Other"/> for every further one.</summary>
/// <remarks>Each value is a series of its own for every metric that bears it, kept until the process ends.</remarks>
/// <param name="limit">The most values, asked at each new one.</param>
internal sealed class BoundedLabels(Func<int> limit)
{
    /// <summary>Stands for all that is not told apart.</summary>
    public const string Other = "other";

    private const int LongestValue = 128;

    private readonly ConcurrentDictionary<string, string> _values = new(StringComparer.Ordinal);
    private readonly Lock _adding = new();
    private volatile int _count;

    /// <summary>The value itself while there is room, always the same string for it; else <see cref="Other"/>.</summary>
    public string Label(string value)
    {
        if (_values.TryGetValue(value, out var known))
        {
            return known;
        }

        return value.Length > LongestValue || _count >= limit() ? Other : Add(value);
    }

    private string Add(string value)
    {
        lock (_adding)
        {
            if (_values.TryGetValue(value, out var known))
            {
                return known;
            }

            if (_count >= limit())
            {
                return Other;
            }

            _values[value] = value;
            _count++;
            return value;
        }
    }
}
