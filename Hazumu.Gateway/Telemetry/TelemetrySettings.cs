using Microsoft.Extensions.Options;

namespace Hazumu.Gateway.Telemetry;

/// <summary>The settings of now, at no cost for whoever reads them at each request.</summary>
internal sealed class TelemetrySettings : IDisposable
{
    private readonly IDisposable? _changes;
    private volatile TelemetryOptions _current;

    public TelemetrySettings(IOptionsMonitor<TelemetryOptions> monitor)
    {
        _current = monitor.CurrentValue;
        _changes = monitor.OnChange(options => _current = options);
    }

    public TelemetryOptions Current => _current;

    public void Dispose() => _changes?.Dispose();
}
