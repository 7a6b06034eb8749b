using Hazumu.ServiceDefaults;
using Microsoft.AspNetCore.Builder;

namespace Microsoft.Extensions.Hosting;

/// <summary>
/// The defaults of every service of Hazumu: telemetry, health, service discovery, resilient HTTP clients.
/// </summary>
/// <remarks>
/// Two calls in a service's <c>Program.cs</c>:
/// <code>
/// var builder = WebApplication.CreateBuilder(args);
/// builder.AddServiceDefaults();
///
/// var app = builder.Build();
/// app.MapDefaultEndpoints();
/// app.Run();
/// </code>
/// </remarks>
public static class ServiceDefaultsExtensions
{
    /// <summary>Adds telemetry, health checks, service discovery and resilient HTTP clients.</summary>
    /// <remarks>
    /// <list type="bullet">
    /// <item>Metrics (ASP.NET Core, HttpClient, .NET runtime) by OpenTelemetry, and those of a meter with the
    /// application's name. The service's name is the application's unless <c>OTEL_SERVICE_NAME</c> or
    /// <c>OTEL_RESOURCE_ATTRIBUTES</c> gives another.</item>
    /// <item>If <c>OTEL_EXPORTER_OTLP_ENDPOINT</c> is set in configuration when this method runs: logs (formatted
    /// message, scopes) and traces (ASP.NET Core, HttpClient, and an activity source with the application's name) by
    /// OpenTelemetry, and OTLP export of all three; the further <c>OTEL_EXPORTER_OTLP_*</c> keys then apply as well.
    /// The key of a single signal does not turn export on. Without it OpenTelemetry neither logs nor traces, and costs
    /// a request no time for that.</item>
    /// <item>The health check <c>self</c>, tagged <c>live</c>. A check without a time limit of its own gets 5 s.</item>
    /// <item>For every client of <c>IHttpClientFactory</c>: names such as <c>http://ollama</c> are looked up in the configuration
    /// section <c>Services</c>, and the standard resilience pipeline applies, once for each scheme, host and port: up to 3
    /// retries (not of POST, PUT, PATCH, DELETE and CONNECT), 10 s an attempt, 30 s a request, counted until the response's
    /// headers are there. A service that waits longer changes it by
    /// <c>ConfigureAll&lt;HttpStandardResilienceOptions&gt;</c>, or for one client by <c>RemoveAllResilienceHandlers</c>.</item>
    /// </list>
    /// </remarks>
    /// <typeparam name="TBuilder">The kind of application builder.</typeparam>
    /// <param name="builder">The application's builder; its configuration is complete.</param>
    /// <returns>The same builder.</returns>
    /// <exception cref="ArgumentNullException"><paramref name="builder"/> is null.</exception>
    /// <exception cref="InvalidOperationException">An OTLP endpoint in configuration is not an absolute http or https
    /// URI; the message names key and value.</exception>
    public static TBuilder AddServiceDefaults<TBuilder>(this TBuilder builder)
        where TBuilder : IHostApplicationBuilder
    {
        ArgumentNullException.ThrowIfNull(builder);

        TelemetryDefaults.Add(builder);
        HealthDefaults.Add(builder.Services);
        HttpClientDefaults.Add(builder.Services);

        return builder;
    }

    /// <summary>Maps <c>/health</c>, <c>/alive</c> and <c>/metrics</c>, in every environment.</summary>
    /// <remarks>
    /// <list type="bullet">
    /// <item><c>/health</c> runs every health check, <c>/alive</c> those tagged <c>live</c>: 200 with <c>Healthy</c> or
    /// <c>Degraded</c>, or 503 with <c>Unhealthy</c>, and nothing about why. Both answer without authentication, since
    /// container platforms probe them.</item>
    /// <item><c>/metrics</c> answers Prometheus in the format it accepts, and obeys the application's authorization policies.
    /// A service that is reached from outside keeps it off that side.</item>
    /// </list>
    /// None of the three is traced or counted in <c>http_server_request_duration_seconds</c>.
    /// </remarks>
    /// <param name="app">An application whose builder went through <see cref="AddServiceDefaults{TBuilder}"/>.</param>
    /// <returns>The same application.</returns>
    /// <exception cref="ArgumentNullException"><paramref name="app"/> is null.</exception>
    /// <exception cref="InvalidOperationException">The builder lacks <see cref="AddServiceDefaults{TBuilder}"/>.</exception>
    public static WebApplication MapDefaultEndpoints(this WebApplication app)
    {
        ArgumentNullException.ThrowIfNull(app);

        HealthDefaults.Map(app);
        TelemetryDefaults.Map(app);

        return app;
    }
}
