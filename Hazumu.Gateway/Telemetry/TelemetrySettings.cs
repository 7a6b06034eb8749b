using Hazumu.Gateway.Configuration;

namespace Hazumu.Gateway.Telemetry;

/// <summary>The settings of now.</summary>
/// <param name="read">Reads them; called for each request.</param>
internal sealed class TelemetrySettings(Func<TelemetryOptions> read)
{
    public TelemetryOptions Current => read();
}
