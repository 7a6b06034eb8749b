using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Hosting;
using OpenTelemetry.Metrics;

namespace Hazumu.Tests.ServiceDefaults;

public sealed class OtlpEndpointTests
{
    [Theory]
    [InlineData("OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4317", "collector:4317")]
    [InlineData("OTEL_EXPORTER_OTLP_ENDPOINT", "collector", "collector")]
    [InlineData("OTEL_EXPORTER_OTLP_ENDPOINT", "/v1/traces", "/v1/traces")]
    [InlineData("OTEL_EXPORTER_OTLP_ENDPOINT", "http://", "http://")]
    [InlineData("OTEL_EXPORTER_OTLP_ENDPOINT", "grpc://me:hunter2@collector:4317?token=hunter2", "…@collector:4317?…")]
    [InlineData("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "tcp://collector:4317", "tcp://collector:4317")]
    public void An_unreadable_endpoint_stops_the_start_with_one_sentence(string key, string value, string shown)
    {
        var builder = LocalServer.CreateBuilder("Hazumu.Sample", new Dictionary<string, string?>
        {
            [key] = value,
            ["OTEL_EXPORTER_OTLP_HEADERS"] = "authorization=hunter2",
        });

        var error = Assert.Throws<InvalidOperationException>(() => builder.AddServiceDefaults());

        Assert.Equal($"{key} is '{shown}', but it must be an absolute http or https URI such as http://localhost:4317.", error.Message);
    }

    [Fact]
    public async Task A_service_without_HTTP_takes_the_defaults_too()
    {
        var builder = Host.CreateApplicationBuilder(new HostApplicationBuilderSettings
        {
            ApplicationName = "Hazumu.Worker",
            ContentRootPath = AppContext.BaseDirectory,
            DisableDefaults = true,
        });
        builder.Configuration.AddInMemoryCollection();
        using var host = builder.AddServiceDefaults().Build();
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(30));

        await host.StartAsync(limit.Token);
        var health = await host.Services.GetRequiredService<HealthCheckService>().CheckHealthAsync(limit.Token);
        await host.StopAsync(limit.Token);

        Assert.Equal(HealthStatus.Healthy, Assert.Single(health.Entries, entry => entry.Key == "self").Value.Status);
        Assert.NotNull(host.Services.GetService<MeterProvider>());
    }
}
