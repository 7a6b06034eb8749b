using System.Collections.Concurrent;
using System.Diagnostics.Metrics;

namespace Hazumu.Gateway.Tests.Telemetry;

/// <summary>
/// Meters whose names are of one gateway alone. OpenTelemetry takes all meters of one name for one: gateways side by side would read each
/// other's, and the end of one would end the others' metrics.
/// </summary>
internal sealed class SeparateMeterFactory : IMeterFactory
{
    private static int s_count;

    private readonly string _suffix = $"#{Interlocked.Increment(ref s_count)}";
    private readonly ConcurrentDictionary<string, LastingMeter> _meters = new();

    /// <summary>The name that a meter gets here.</summary>
    public string NameOf(string name) => name + _suffix;

    /// <inheritdoc/>
    public Meter Create(MeterOptions options) => _meters.GetOrAdd(options.Name, name => new LastingMeter(new MeterOptions(NameOf(name))
    {
        Version = options.Version,
        Tags = options.Tags,
        Scope = this,
    }));

    /// <summary>Ends all meters. Measurements are read after the gateway has ended, and only then.</summary>
    public void Dispose()
    {
        foreach (var meter in _meters.Values)
        {
            meter.End();
        }
    }

    private sealed class LastingMeter(MeterOptions options) : Meter(options)
    {
        public void End() => base.Dispose(disposing: true);

        // The program's own parts dispose of it before its last measurements are read; with false that does nothing.
        protected override void Dispose(bool disposing) => base.Dispose(disposing: false);
    }
}
