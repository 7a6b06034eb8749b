using System.Collections.Concurrent;
using System.Diagnostics.Metrics;

namespace Hazumu.Gateway.Tests.Telemetry;

/// <summary>Meters that are never disposed: tests run side by side, and OpenTelemetry takes all meters of one name for one.</summary>
internal sealed class LastingMeterFactory : IMeterFactory
{
    private readonly ConcurrentDictionary<string, Meter> _meters = new();

    public Meter Create(MeterOptions options) => _meters.GetOrAdd(options.Name, name => new LastingMeter(new MeterOptions(name)
    {
        Version = options.Version,
        Tags = options.Tags,
        Scope = this,
    }));

    public void Dispose()
    {
    }

    private sealed class LastingMeter(MeterOptions options) : Meter(options)
    {
        // Whoever asked for the meter disposes it; with false that does nothing.
        protected override void Dispose(bool disposing) => base.Dispose(disposing: false);
    }
}
