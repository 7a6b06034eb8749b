using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Http.Resilience;
using Polly.CircuitBreaker;

namespace Hazumu.Tests.ServiceDefaults;

public sealed class HttpClientDefaultsTests
{
    private static readonly TimeSpan s_limit = TimeSpan.FromSeconds(60);

    [Fact]
    public async Task A_named_client_finds_the_service_by_name_and_tries_again_after_a_503()
    {
        var asked = 0;
        await using var backend = await LocalServer.StartPlainAsync(app => app.MapGet("/models", (HttpResponse response) =>
            Interlocked.Increment(ref asked) == 1 ? Unavailable(response) : Results.Text("tiny")));
        await using var service = await LocalServer.StartServiceAsync(new Dictionary<string, string?> { ["services:backend:http:0"] = backend.Url });
        using var limit = new CancellationTokenSource(s_limit);

        var answer = await Client(service, "models").GetStringAsync("http://backend/models", limit.Token);

        Assert.Equal("tiny", answer);
        Assert.Equal(2, asked);
    }

    [Fact]
    public async Task A_post_is_not_sent_twice()
    {
        var asked = 0;
        await using var backend = await LocalServer.StartPlainAsync(app => app.MapPost("/generate", (HttpResponse response) =>
        {
            Interlocked.Increment(ref asked);
            return Unavailable(response);
        }));
        await using var service = await LocalServer.StartServiceAsync(new Dictionary<string, string?> { ["services:backend:http:0"] = backend.Url });
        using var limit = new CancellationTokenSource(s_limit);

        using var response = await Client(service, "generate").PostAsync("http://backend/generate", null, limit.Token);

        Assert.Equal(HttpStatusCode.ServiceUnavailable, response.StatusCode);
        Assert.Equal(1, asked);
    }

    [Fact]
    public async Task A_service_can_change_retries_and_limits()
    {
        var asked = 0;
        await using var backend = await LocalServer.StartPlainAsync(app => app.MapGet("/", (HttpResponse response) =>
        {
            Interlocked.Increment(ref asked);
            return Unavailable(response);
        }));
        await using var service = await LocalServer.StartServiceAsync(
            new Dictionary<string, string?> { ["services:backend:http:0"] = backend.Url },
            builder => builder.Services.ConfigureAll<HttpStandardResilienceOptions>(options => options.Retry.MaxRetryAttempts = 1));
        using var limit = new CancellationTokenSource(s_limit);

        using var response = await Client(service, "any").GetAsync("http://backend/", limit.Token);

        Assert.Equal(HttpStatusCode.ServiceUnavailable, response.StatusCode);
        Assert.Equal(2, asked);
    }

    [Fact]
    public async Task A_failing_service_does_not_open_the_circuit_of_another()
    {
        await using var broken = await LocalServer.StartPlainAsync(app => app.MapGet("/", Unavailable));
        await using var backend = await LocalServer.StartPlainAsync(app => app.MapGet("/", () => "hello"));
        await using var service = await LocalServer.StartServiceAsync(new Dictionary<string, string?>
        {
            ["services:broken:http:0"] = broken.Url,
            ["services:backend:http:0"] = backend.Url,
        });
        using var limit = new CancellationTokenSource(s_limit);
        var client = Client(service, "any");

        await Assert.ThrowsAsync<BrokenCircuitException>(async () =>
        {
            // The circuit opens at 100 attempts within 30 s; a request makes 4.
            for (var request = 0; request < 100; request++)
            {
                using var response = await client.GetAsync("http://broken/", limit.Token);
            }
        });
        var answer = await client.GetStringAsync("http://backend/", limit.Token);

        Assert.Equal("hello", answer);
    }

    private static HttpClient Client(LocalServer service, string name) =>
        service.App.Services.GetRequiredService<IHttpClientFactory>().CreateClient(name);

    /// <summary>A 503 that asks to be tried again at once, so that tests do not wait out the back-off of 2 s.</summary>
    private static IResult Unavailable(HttpResponse response)
    {
        response.Headers.RetryAfter = "0";
        return Results.StatusCode(StatusCodes.Status503ServiceUnavailable);
    }
}
