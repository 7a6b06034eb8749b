using Hazumu.Gateway.Configuration;
using Hazumu.Gateway.Pipeline.Requests;
using Microsoft.Extensions.DependencyInjection.Extensions;
using OpenTelemetry.Metrics;
using OpenTelemetry.Trace;

namespace Hazumu.Gateway.Telemetry;

/// <summary>Registers what records requests.</summary>
internal static class TelemetryServices
{
    /// <summary>Adds <see cref="IRequestRecorder"/> and what it needs, but for <see cref="IFleetGauges"/>, which the fleet is.</summary>
    public static IServiceCollection AddGatewayTelemetry(this IServiceCollection services)
    {
        ArgumentNullException.ThrowIfNull(services);

        // The service defaults collect sources with the application's name; the host of the gateway may have another
        // name.
        services.ConfigureOpenTelemetryMeterProvider(metrics => metrics.AddMeter(TelemetryOptions.MeterName));
        services.ConfigureOpenTelemetryTracerProvider(tracing => tracing.AddSource(RequestTrace.SourceName));

        services.TryAddSingleton(TimeProvider.System);
        services.AddSingleton(provider => new TelemetrySettings(() => provider.GetRequiredService<GatewaySettings>().Current.Telemetry));
        services.AddSingleton<GatewayMetrics>();
        services.AddSingleton<RequestTrace>();
        services.AddSingleton<StandardOutput>();
        services.AddSingleton<AccessLog>();
        services.AddHostedService(provider => provider.GetRequiredService<AccessLog>());
        services.AddSingleton<IRequestRecorder, RequestRecorder>();
        return services;
    }
}
