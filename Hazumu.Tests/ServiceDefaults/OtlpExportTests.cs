using System.Diagnostics;
using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Logging;
using OpenTelemetry.Logs;
using OpenTelemetry.Metrics;
using OpenTelemetry.Trace;

namespace Hazumu.Tests.ServiceDefaults;

public sealed class OtlpExportTests
{
    [Fact]
    public async Task Traces_metrics_and_logs_reach_the_endpoint()
    {
        var route = UniqueRoute();
        var name = $"Hazumu.Traced.{Guid.NewGuid():N}";
        using var source = new ActivitySource(name);
        await using var backend = await LocalServer.StartPlainAsync(app => app.MapGet(route, () => "hello"));
        await using var receiver = await OtlpReceiver.StartAsync();
        await using var service = await LocalServer.StartServiceAsync(
            receiver.Settings,
            map: app => app.MapGet(route, async (ILogger<OtlpExportTests> logger, IHttpClientFactory clients) =>
            {
                using var activity = source.StartActivity("infer");
                using var scope = logger.BeginScope(new Dictionary<string, object> { ["tenant"] = "acme" });
                logger.LogWarning("Answered {Tokens} tokens on {Route}", 7, route);
                return await clients.CreateClient().GetStringAsync($"{backend.Url}{route}");
            }),
            name: name);

        await service.Client.GetStringAsync(route);
        await service.StopAsync();

        var spans = receiver.Spans.Where(span => span.Resource["service.name"] == name).ToList();
        Assert.Contains(spans, span => span.Name == $"GET {route}" && span.Attributes["url.path"] == route);
        Assert.Contains(spans, span => span.Attributes.GetValueOrDefault("url.full") == $"{backend.Url}{route}");
        Assert.Contains(spans, span => span.Name == "infer");

        var metrics = receiver.Metrics.Where(metric => metric.Resource["service.name"] == name).Select(metric => metric.Name).ToList();
        Assert.Contains("http.server.request.duration", metrics);
        Assert.Contains("http.client.request.duration", metrics);
        Assert.Contains("dotnet.process.memory.working_set", metrics);

        var log = Assert.Single(receiver.Logs, log => log.Name == $"Answered 7 tokens on {route}");
        Assert.Equal(name, log.Resource["service.name"]);
        Assert.Equal("acme", log.Attributes["tenant"]);
        Assert.Equal(route, log.Attributes["Route"]);
    }

    [Fact]
    public async Task Nothing_is_sent_where_no_endpoint_is_set()
    {
        await using var receiver = await OtlpReceiver.StartAsync();

        // An exporter that was there nonetheless would send to the endpoints of the single signals.
        var settings = new Dictionary<string, string?>
        {
            ["OTEL_EXPORTER_OTLP_ENDPOINT"] = " ",
            ["OTEL_EXPORTER_OTLP_PROTOCOL"] = "http/protobuf",
            ["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"] = $"{receiver.Url}/v1/traces",
            ["OTEL_EXPORTER_OTLP_METRICS_ENDPOINT"] = $"{receiver.Url}/v1/metrics",
            ["OTEL_EXPORTER_OTLP_LOGS_ENDPOINT"] = $"{receiver.Url}/v1/logs",
        };
        await using var service = await LocalServer.StartServiceAsync(settings, map: app => app.MapGet("/", () => "hello"));

        await service.Client.GetStringAsync("/");
        await service.StopAsync();

        Assert.Equal(0, receiver.Requests);
    }

    [Fact]
    public async Task Traces_and_logs_cost_nothing_where_no_endpoint_is_set()
    {
        await using var receiver = await OtlpReceiver.StartAsync();
        await using var sending = await LocalServer.StartServiceAsync(receiver.Settings);
        await using var silent = await LocalServer.StartServiceAsync();

        Assert.NotNull(sending.App.Services.GetService<TracerProvider>());
        Assert.Contains(sending.App.Services.GetServices<ILoggerProvider>(), provider => provider is OpenTelemetryLoggerProvider);
        Assert.Null(silent.App.Services.GetService<TracerProvider>());
        Assert.DoesNotContain(silent.App.Services.GetServices<ILoggerProvider>(), provider => provider is OpenTelemetryLoggerProvider);
        Assert.NotNull(silent.App.Services.GetService<MeterProvider>());
    }

    [Fact]
    public async Task Probes_and_scrapes_leave_no_spans_nor_do_the_calls_of_health_checks()
    {
        var route = UniqueRoute();
        await using var backend = await LocalServer.StartPlainAsync(app => app.MapGet("/{**path}", () => "hello"));
        await using var receiver = await OtlpReceiver.StartAsync();
        await using var service = await LocalServer.StartServiceAsync(
            receiver.Settings,
            builder => builder.Services.AddHealthChecks().Add(new HealthCheckRegistration(
                "backend",
                services => new BackendCheck(services.GetRequiredService<IHttpClientFactory>(), new Uri($"{backend.Url}{route}-checked")),
                failureStatus: null,
                tags: null)),
            app => app.MapGet($"/health{route}", () => "hello"));

        foreach (var path in new[] { "/health", "/Health/", "/alive", "/metrics", $"/health{route}" })
        {
            using var response = await service.Client.GetAsync(path);
            Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        }

        await service.StopAsync();

        var paths = receiver.Spans.Select(span => span.Attributes.GetValueOrDefault("url.path")).ToList();
        Assert.Contains($"/health{route}", paths);
        Assert.DoesNotContain(paths, path => path is "/health" or "/Health/" or "/alive" or "/metrics");
        Assert.DoesNotContain(receiver.Spans, span => span.Attributes.Values.Any(value => value.EndsWith($"{route}-checked", StringComparison.Ordinal)));
    }

    [Fact]
    public async Task The_environment_names_the_service_where_it_says_so()
    {
        await using var receiver = await OtlpReceiver.StartAsync();
        var settings = receiver.Settings;
        settings["OTEL_SERVICE_NAME"] = "gateway-blue";
        settings["OTEL_RESOURCE_ATTRIBUTES"] = "service.instance.id=blue-1";
        await using var service = await LocalServer.StartServiceAsync(settings);

        await service.StopAsync();

        Assert.NotEmpty(receiver.Metrics);
        Assert.All(receiver.Metrics, metric =>
        {
            Assert.Equal("gateway-blue", metric.Resource["service.name"]);
            Assert.Equal("blue-1", metric.Resource["service.instance.id"]);
        });
    }

    private static string UniqueRoute() => $"/hello-{Guid.NewGuid():N}";

    private sealed class BackendCheck(IHttpClientFactory clients, Uri uri) : IHealthCheck
    {
        public async Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default)
        {
            using var response = await clients.CreateClient().GetAsync(uri, cancellationToken);
            return response.IsSuccessStatusCode ? HealthCheckResult.Healthy() : HealthCheckResult.Unhealthy();
        }
    }
}
