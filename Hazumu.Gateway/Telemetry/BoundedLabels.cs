using System.Collections.Concurrent;

namespace Hazumu.Gateway.Telemetry;

/// <summary>The values of one label: a limited number, then <see cref="Other"/> for every further one.</summary>
/// <remarks>Each value is a separate series for every metric that has the label, kept until the process ends.</remarks>
/// <param name="limit">The maximum number of values, read at each new one.</param>
internal sealed class BoundedLabels(Func<int> limit)
{
    /// <summary>Stands for all further values.</summary>
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
