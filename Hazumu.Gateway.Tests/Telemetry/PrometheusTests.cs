using System.Diagnostics.Metrics;
using System.Globalization;
using System.Net;
using System.Text.RegularExpressions;
using Hazumu.Gateway.Configuration;
using Hazumu.Gateway.Keys;
using Hazumu.Gateway.Names;
using Hazumu.Gateway.Pipeline.Requests;
using Hazumu.Gateway.Telemetry;
using Hazumu.Testing;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using OpenTelemetry.Metrics;

namespace Hazumu.Gateway.Tests.Telemetry;

/// <summary>What Prometheus gets, by the real exporter.</summary>
public sealed partial class PrometheusTests : IAsyncLifetime
{
    private static readonly string[] s_fleet =
    [
        "hazumu_gateway_queued", "hazumu_gateway_slots", "hazumu_gateway_slots_used", "hazumu_gateway_instance_up",
        "hazumu_gateway_circuit_state", "hazumu_gateway_model_size_bytes", "hazumu_gateway_model_vram_bytes",
        "hazumu_gateway_model_expiry_seconds", "hazumu_gateway_model_partly_on_cpu", "hazumu_gateway_engine_info", "hazumu_gateway_model_context",
    ];

    private readonly string _name = $"n{Guid.NewGuid():N}";
    private readonly FakeFleet _fleet = new();
    private readonly SeparateMeterFactory _meters = new();
    private readonly TelemetryOptions _options = new() { AccessLog = { Enabled = false } };
    private WebApplication? _app;
    private HttpClient? _client;

    public async ValueTask InitializeAsync()
    {
        _fleet.Models.Add($"{_name}:latest");
        _fleet.Instances = [new(_name, IsUp: true, Circuit: 1, "ollama", "0.32.15")];
        _fleet.Slots = [new(_name, $"{_name}:latest", Used: 1, Total: 4)];
        _fleet.Queues = [new($"{_name}:latest", Waiting: 5)];
        _fleet.ResidentModels = [new(_name, $"{_name}:latest", SizeBytes: 5000, VramBytes: 4000, DateTimeOffset.UtcNow.AddHours(1), ContextTokens: 2048)];
        _fleet.PinnedModels = [new($"{_name}:latest", Missing: 1)];
        _fleet.StaleModels = [new(_name, $"{_name}:latest")];

        var builder = WebApplication.CreateBuilder(new WebApplicationOptions
        {
            ApplicationName = "Hazumu.Elsewhere",
            EnvironmentName = Environments.Production,
            ContentRootPath = AppContext.BaseDirectory,
        });
        builder.Configuration.Sources.Clear();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, 0));
        builder.Services.AddSingleton<IMeterFactory>(_meters);
        builder.Services.ConfigureOpenTelemetryMeterProvider(provider => provider.AddMeter(_meters.NameOf(TelemetryOptions.MeterName)));
        builder.Services.AddSingleton<IFleetGauges>(_fleet);
        builder.Services.AddGatewayTelemetry();
        builder.Services.AddSingleton(new TelemetrySettings(() => _options));
        builder.AddServiceDefaults();

        _app = builder.Build();
        _app.MapDefaultEndpoints();
        _app.MapFallback(context =>
        {
            var recorder = context.RequestServices.GetRequiredService<IRequestRecorder>();
            var request = context.Request.Path.Value switch
            {
                "/openai" => Mine(TelemetrySamples.OpenAI()),
                "/broken" => Mine(TelemetrySamples.Native(), Outcome.StreamError),
                "/gone" => Mine(TelemetrySamples.Native(), Outcome.ClientDisconnect),
                "/named" => Named(Mine(TelemetrySamples.Native())),
                _ => Mine(TelemetrySamples.Native()),
            };
            recorder.Begin(request);
            recorder.Record(request, context);
            return Task.CompletedTask;
        });
        await _app.StartAsync();
        _client = new HttpClient { BaseAddress = new Uri(_app.Urls.Single()), Timeout = TimeSpan.FromSeconds(30) };
    }

    public async ValueTask DisposeAsync()
    {
        if (_app is not null)
        {
            await _app.DisposeAsync();
        }

        _meters.Dispose();
        _client?.Dispose();
    }

    [Fact]
    public async Task Every_metric_is_exported_as_the_documentation_says()
    {
        var text = await ScrapeAsync("/native", "/openai", "/broken", "/gone", "/named");

        var documented = DocumentedMetrics();
        var exported = TypeLine().Matches(text)
            .Select(match => (Name: match.Groups[1].Value, Type: match.Groups[2].Value))
            .Where(metric => metric.Name.StartsWith("gen_ai_", StringComparison.Ordinal) || metric.Name.StartsWith("hazumu_gateway_", StringComparison.Ordinal))
            .ToDictionary(metric => metric.Name, metric => metric.Type);

        // Of the server, which is here only where another test has one.
        Assert.Equal("counter", documented["hazumu_gateway_connections_rejected_total"]);
        documented.Remove("hazumu_gateway_connections_rejected_total");
        exported.Remove("hazumu_gateway_connections_rejected_total");

        // Exported only by a gateway that shares its admission with others.
        foreach (var metric in (string[])["hazumu_gateway_store_up", "hazumu_gateway_cluster_size"])
        {
            Assert.Equal("gauge", documented[metric]);
            Assert.DoesNotContain(metric, exported.Keys);
            documented.Remove(metric);
        }

        // Exported only where usage is recorded, and where there are budgets.
        foreach (var (name, type) in ((string, string)[])[("hazumu_gateway_usage_up", "gauge"), ("hazumu_gateway_usage_dropped_total", "counter"), ("hazumu_gateway_over_budget_total", "counter")])
        {
            Assert.Equal(type, documented[name]);
            documented.Remove(name);
            exported.Remove(name);
        }

        // Nothing is lost in this test.
        Assert.Equal("counter", documented["hazumu_gateway_access_log_dropped_total"]);
        documented.Remove("hazumu_gateway_access_log_dropped_total");
        exported.Remove("hazumu_gateway_access_log_dropped_total");
        Assert.Equal(documented.OrderBy(metric => metric.Key, StringComparer.Ordinal), exported.OrderBy(metric => metric.Key, StringComparer.Ordinal));
    }

    [Fact]
    public async Task Counters_add_up_across_requests()
    {
        var text = await ScrapeAsync("/native", "/openai", "/broken", "/gone");

        Assert.Equal(1, Value(text, "hazumu_gateway_requests_total", "dialect=\"native\"", $"key=\"{_name}\"", "operation=\"chat\"", "outcome=\"success\""));
        Assert.Equal(1, Value(text, "hazumu_gateway_requests_total", "dialect=\"openai\"", $"key=\"{_name}\"", "operation=\"chat\"", "outcome=\"success\""));
        Assert.Equal(4 * 26, Value(text, "hazumu_gateway_key_tokens_total", $"key=\"{_name}\"", "type=\"input\""));
        Assert.Equal(4 * 298, Value(text, "hazumu_gateway_key_tokens_total", $"key=\"{_name}\"", "type=\"output\""));
        Assert.Equal(4 * 26, Value(text, "gen_ai_client_inference_usage_input_tokens_total", Model));
        Assert.Equal(4 * 298, Value(text, "gen_ai_client_inference_usage_output_tokens_total", Model));
        Assert.Equal(4 * 6, Value(text, "gen_ai_client_inference_usage_cache_read_input_tokens_total", Model));
        Assert.Equal(4 * 298, Value(text, "gen_ai_client_token_usage_sum", Model, "gen_ai_token_type=\"output\""));
        Assert.Equal(1, Value(text, "hazumu_gateway_errors_total", $"model=\"{_name}:latest\"", "error_type=\"stream_error\""));
        Assert.Equal(1, Value(text, "hazumu_gateway_disconnects_total", $"model=\"{_name}:latest\"", "phase=\"decode\""));
        Assert.Equal(2, Value(text, "gen_ai_server_time_to_first_token_seconds_count", Model));
        Assert.Equal(2 * 2.751, Value(text, "gen_ai_server_time_to_first_token_seconds_sum", Model), 1e-6);
    }

    [Fact]
    public async Task Histograms_have_the_extended_buckets()
    {
        var text = await ScrapeAsync("/native");

        AssertBuckets(text, "gen_ai_server_request_duration_seconds", Buckets.RequestDuration, 9.5);
        AssertBuckets(text, "gen_ai_server_time_to_first_token_seconds", Buckets.TimeToFirstToken, 2.751);
        AssertBuckets(text, "gen_ai_server_time_per_output_token_seconds", Buckets.TimePerOutputToken, 6.7485 / 297);
        AssertBuckets(text, "hazumu_gateway_request_phase_seconds", Buckets.Phase, 5.94, "phase=\"decode\"");
        AssertBuckets(text, "gen_ai_client_token_usage", [.. Buckets.Tokens.Select(tokens => (double)tokens)], 298, "gen_ai_token_type=\"output\"");
    }

    [Fact]
    public async Task Gauges_exist_without_traffic_and_go_with_their_subject()
    {
        var before = await ScrapeAsync();
        Assert.All(s_fleet, metric => Value(before, metric, _name));
        Assert.Equal(4000, Value(before, "hazumu_gateway_model_vram_bytes", $"hazumu_instance=\"{_name}\"", $"model=\"{_name}:latest\""));
        Assert.InRange(Value(before, "hazumu_gateway_model_expiry_seconds", _name), 3500, 3600);
        Assert.Equal(1, Value(before, "hazumu_gateway_circuit_state", _name));

        _fleet.ResidentModels = [];
        _fleet.Queues = [];

        var after = await ScrapeUntilAsync(text => !Lines(text, "hazumu_gateway_queued", _name).Any());
        Assert.Empty(Lines(after, "hazumu_gateway_model_vram_bytes", _name));
        Assert.Single(Lines(after, "hazumu_gateway_instance_up", _name));
    }

    [Fact]
    public async Task No_label_bears_the_name_that_belongs_to_the_scrape()
    {
        var text = await ScrapeAsync("/native", "/broken");

        Assert.DoesNotContain(text.Split('\n').Where(line => line.Contains(_name, StringComparison.Ordinal)), line => OwnInstanceLabel().IsMatch(line));
    }

    private string Model => $"gen_ai_request_model=\"{_name}:latest\"";

    private static GatewayRequest Named(GatewayRequest request)
    {
        request.Chain = new("gpt-4o-mini", [ChainModel.From(request.Model!)], null, IsListed: false);
        return request;
    }

    private GatewayRequest Mine(GatewayRequest request, Outcome outcome = Outcome.Success)
    {
        request.Caller = new Caller(_name);
        request.Model = _name;
        request.Instance = _name;
        request.Outcome = outcome;
        request.IsCold = outcome == Outcome.StreamError;
        request.Attempts = outcome == Outcome.StreamError ? 2 : 1;
        request.Facts.ResponseModel = _name;
        return request;
    }

    /// <summary>Makes requests and scrapes what came of them; a scrape is kept for 300 ms.</summary>
    private async Task<string> ScrapeAsync(params string[] paths)
    {
        foreach (var path in paths)
        {
            using var response = await _client!.GetAsync(path);
            response.EnsureSuccessStatusCode();
        }

        return await ScrapeUntilAsync(text => paths.Length == 0 || Lines(text, "hazumu_gateway_requests_total", _name).Any());
    }

    private async Task<string> ScrapeUntilAsync(Func<string, bool> isThere)
    {
        var text = "";
        await Wait.UntilAsync(async () => Assert.True(isThere(text = await _client!.GetStringAsync("/metrics")), text), TimeSpan.FromSeconds(30));
        return text;
    }

    private void AssertBuckets(string text, string name, double[] boundaries, double value, string label = "")
    {
        var buckets = Lines(text, $"{name}_bucket", _name, label)
            .Select(line => (Boundary: Boundary().Match(line).Groups[1].Value, Count: Number(line)))
            .ToDictionary(bucket => bucket.Boundary == "+Inf" ? double.PositiveInfinity : double.Parse(bucket.Boundary, CultureInfo.InvariantCulture), bucket => bucket.Count);

        Assert.Equal([.. boundaries, double.PositiveInfinity], buckets.Keys);
        Assert.All(buckets, bucket => Assert.Equal(value <= bucket.Key ? 1 : 0, bucket.Value));
    }

    private static double Value(string text, string name, params string[] parts) => Number(Assert.Single(Lines(text, name, parts)));

    private static IEnumerable<string> Lines(string text, string name, params string[] parts) => text.Split('\n')
        .Where(line => line.StartsWith($"{name}{{", StringComparison.Ordinal) && parts.All(part => line.Contains(part, StringComparison.Ordinal)));

    private static double Number(string line) => double.Parse(line.Split(' ')[^1], CultureInfo.InvariantCulture);

    /// <summary>Names and types in the tables of <c>docs/metrics.md</c>.</summary>
    private static Dictionary<string, string> DocumentedMetrics() =>
        DocumentedLine().Matches(File.ReadAllText(RepositoryRoot.Combine("docs", "metrics.md"))).ToDictionary(match => match.Groups[1].Value, match => match.Groups[2].Value);

    [GeneratedRegex(@"^# TYPE (\S+) (\S+)$", RegexOptions.Multiline)]
    private static partial Regex TypeLine();

    [GeneratedRegex(@"^\| `([a-z_]+)` \| (counter|gauge|histogram) \|", RegexOptions.Multiline)]
    private static partial Regex DocumentedLine();

    [GeneratedRegex("le=\"([^\"]+)\"")]
    private static partial Regex Boundary();

    [GeneratedRegex("[{,]instance=")]
    private static partial Regex OwnInstanceLabel();
}
