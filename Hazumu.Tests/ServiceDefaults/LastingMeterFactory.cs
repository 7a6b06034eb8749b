using System.Collections.Concurrent;
using System.Diagnostics.Metrics;

namespace Hazumu.Tests.ServiceDefaults;

/// <summary>Meters that outlive the server that made them.</summary>
/// <remarks>
/// OpenTelemetry takes the meters that bear one name, in all servers of the process, for one meter, and drops its metrics when
/// the first of them is disposed. A service has its process to itself; tests that run side by side do not.
/// </remarks>
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
        // ASP.NET Core disposes the meter it was given; with false that does nothing.
        protected override void Dispose(bool disposing) => base.Dispose(disposing: false);
    }
}
