using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using OpenTelemetry;
using OpenTelemetry.Exporter;
using OpenTelemetry.Metrics;
using OpenTelemetry.Resources;
using OpenTelemetry.Trace;

namespace Hazumu.ServiceDefaults;

/// <summary>Logs, metrics and traces, and where they go.</summary>
internal static class TelemetryDefaults
{
    public static void Add(IHostApplicationBuilder builder)
    {
        var application = builder.Environment.ApplicationName;
        var telemetry = builder.Services.AddOpenTelemetry()
            // The last one wins: OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES are read again after our name.
            .ConfigureResource(resource => resource
                .AddService(application)
                .AddEnvironmentVariableDetector())
            .WithMetrics(metrics => metrics
                .AddMeter(application)
                .AddAspNetCoreInstrumentation()
                .AddHttpClientInstrumentation()
                .AddRuntimeInstrumentation()
                .AddPrometheusExporter());

        if (OtlpEndpoint.IsSet(builder.Configuration))
        {
            AddOtlp(builder, telemetry, application);
        }
    }

    // Metrics are scraped; logs and traces are only exported this way. Without an endpoint they would cost time for
    // every request without any use.
    private static void AddOtlp(IHostApplicationBuilder builder, OpenTelemetryBuilder telemetry, string application)
    {
        builder.Logging.AddOpenTelemetry(logging =>
        {
            logging.IncludeFormattedMessage = true;
            logging.IncludeScopes = true;
        });

        telemetry
            .WithTracing(tracing => tracing
                .AddSource(application)
                .AddAspNetCoreInstrumentation(options => options.Filter = context => !DefaultPaths.Contains(context.Request.Path))
                .AddHttpClientInstrumentation())
            .UseOtlpExporter();

        builder.Services.Configure<OtlpExporterOptions>(UseOwnHttpClient);
    }

    public static void Map(WebApplication app) =>
        app.MapPrometheusScrapingEndpoint(DefaultPaths.Metrics).DisableHttpMetrics();

    /// <summary>Keeps OTLP over HTTP, like that over gRPC, off the clients of <c>IHttpClientFactory</c>.</summary>
    /// <remarks>
    /// Those resolve retries and addresses from the services, which are gone when the exporter sends its last batch at the stop:
    /// it would be lost. The exporter turns to the factory only where its own way of making a client is untouched.
    /// </remarks>
    private static void UseOwnHttpClient(OtlpExporterOptions options)
    {
        var own = options.HttpClientFactory;
        options.HttpClientFactory = () => own();
    }
}
