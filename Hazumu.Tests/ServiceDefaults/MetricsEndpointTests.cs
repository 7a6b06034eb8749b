using System.Net;
using Hazumu.Testing;
using Microsoft.AspNetCore.Builder;

namespace Hazumu.Tests.ServiceDefaults;

public sealed class MetricsEndpointTests
{
    /// <summary>What Prometheus 3 sends: https://prometheus.io/docs/instrumenting/content_negotiation/</summary>
    private const string PrometheusAccept =
        "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,application/openmetrics-text;version=0.0.1;q=0.4," +
        "text/plain;version=1.0.0;escaping=allow-utf-8;q=0.3,text/plain;version=0.0.4;q=0.2,*/*;q=0.1";

    [Theory]
    [InlineData(null, "text/plain", "0.0.4", false)]
    [InlineData("text/plain;version=0.0.4", "text/plain", "0.0.4", false)]
    [InlineData("application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5", "application/openmetrics-text", "1.0.0", true)]
    [InlineData(PrometheusAccept, "application/openmetrics-text", "1.0.0", true)]
    public async Task Metrics_come_in_the_format_that_is_accepted(string? accept, string mediaType, string version, bool openMetrics)
    {
        var route = UniqueRoute();
        await using var service = await LocalServer.StartServiceAsync(map: app => app.MapGet(route, () => "hello"));
        await service.Client.GetStringAsync(route);

        using var response = await ScrapeAsync(service, counted: route, accept);
        var text = await response.Content.ReadAsStringAsync();

        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        Assert.Equal(mediaType, response.Content.Headers.ContentType?.MediaType);
        Assert.Contains(response.Content.Headers.ContentType!.Parameters, parameter => parameter is { Name: "version" } && parameter.Value == version);
        Assert.Equal(openMetrics, text.EndsWith("# EOF\n", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Metrics_hold_the_runtime_the_server_the_clients_and_the_service()
    {
        await using var service = await LocalServer.StartServiceAsync(name: "Hazumu.Named");
        await using var backend = await LocalServer.StartPlainAsync(app => app.MapGet("/", () => "hello"));
        using var client = new HttpClient { Timeout = TimeSpan.FromSeconds(30) };
        await client.GetStringAsync(backend.Url);
        await service.Client.GetStringAsync("/health");

        var text = await service.Client.GetStringAsync("/metrics");

        Assert.Contains("\n# TYPE dotnet_gc_collections_total counter\n", text, StringComparison.Ordinal);
        Assert.Contains("\ndotnet_process_memory_working_set_bytes{", text, StringComparison.Ordinal);
        Assert.Contains("\nkestrel_active_connections{", text, StringComparison.Ordinal);
        Assert.Contains("\nhttp_client_request_duration_seconds_bucket{", text, StringComparison.Ordinal);
        Assert.Contains(Lines(text), line => line.StartsWith("target_info{", StringComparison.Ordinal)
            && line.Contains("service_name=\"Hazumu.Named\"", StringComparison.Ordinal));
    }

    [Fact]
    public async Task The_meter_that_bears_the_services_name_is_collected()
    {
        var name = $"Hazumu.Metered.{Guid.NewGuid():N}";
        using var meter = new System.Diagnostics.Metrics.Meter(name);
        var tokens = meter.CreateCounter<long>("hazumu.sample.tokens", "{token}", "Tokens that the sample made.");
        await using var service = await LocalServer.StartServiceAsync(name: name);

        tokens.Add(7);
        var text = await service.Client.GetStringAsync("/metrics");

        Assert.Contains(Lines(text), line => line.StartsWith("hazumu_sample_tokens_total{", StringComparison.Ordinal)
            && line.Contains($"otel_scope_name=\"{name}\"", StringComparison.Ordinal)
            && line.Contains("} 7", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Probes_and_scrapes_are_not_counted_as_requests()
    {
        var route = UniqueRoute();
        await using var service = await LocalServer.StartServiceAsync(map: app => app.MapGet(route, () => "hello"));
        await service.Client.GetStringAsync("/health");
        await service.Client.GetStringAsync("/alive");
        await service.Client.GetStringAsync("/metrics");
        await service.Client.GetStringAsync(route);

        using var response = await ScrapeAsync(service, counted: route);
        var text = await response.Content.ReadAsStringAsync();

        foreach (var path in new[] { "/health", "/alive", "/metrics" })
        {
            Assert.DoesNotContain(Lines(text), line => IsCountOf(line, path));
        }
    }

    [Fact]
    public async Task Promtool_can_read_the_metrics()
    {
        Skip.If(Promtool.Missing);

        var route = UniqueRoute();
        await using var service = await LocalServer.StartServiceAsync(map: app => app.MapGet(route, () => "hello"));
        await service.Client.GetStringAsync(route);
        using var response = await ScrapeAsync(service, counted: route);

        var result = await Promtool.RunWithInputAsync(await response.Content.ReadAsStringAsync(), "check", "metrics");

        // 1: unreadable; 3: readable, with advice. .NET names three gauges *_count, against the advice; nothing else is left.
        Assert.True(result.ExitCode is 0 or 3, $"{result.ExitCode}: {result.Output}");
        Assert.All(
            result.Output.Split('\n', StringSplitOptions.RemoveEmptyEntries),
            advice => Assert.Matches("^dotnet_.* should not have \"_count\" suffix$", advice));
    }

    /// <summary>Scrapes until a request is counted, which happens shortly after its response; a scrape is kept for 300 ms.</summary>
    private static async Task<HttpResponseMessage> ScrapeAsync(LocalServer service, string counted, string? accept = null)
    {
        HttpResponseMessage? response = null;
        await Wait.UntilAsync($"{counted} in /metrics", TimeSpan.FromSeconds(30), async () =>
        {
            response?.Dispose();
            using var request = new HttpRequestMessage(HttpMethod.Get, "/metrics");
            if (accept is not null)
            {
                request.Headers.TryAddWithoutValidation("Accept", accept);
            }

            response = await service.Client.SendAsync(request);
            Assert.Contains(Lines(await response.Content.ReadAsStringAsync()), line => IsCountOf(line, counted));
        });
        return response!;
    }

    private static bool IsCountOf(string line, string route) =>
        line.StartsWith("http_server_request_duration_seconds_count{", StringComparison.Ordinal)
        && line.Contains($"http_route=\"{route}\"", StringComparison.Ordinal);

    private static string UniqueRoute() => $"/hello-{Guid.NewGuid():N}";

    private static string[] Lines(string text) => text.Split('\n');
}
