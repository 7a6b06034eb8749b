using System.Net;
using Microsoft.AspNetCore.Authorization;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace Hazumu.Tests.ServiceDefaults;

public sealed class HealthEndpointTests
{
    [Theory]
    [InlineData("/health")]
    [InlineData("/alive")]
    public async Task A_healthy_service_answers_one_word(string path)
    {
        await using var service = await LocalServer.StartServiceAsync();

        using var response = await service.Client.GetAsync(path);

        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        Assert.Equal("Healthy", await response.Content.ReadAsStringAsync());
        Assert.True(response.Headers.CacheControl?.NoStore);
    }

    [Fact]
    public async Task A_failing_check_makes_the_service_unhealthy_but_alive_without_a_reason()
    {
        await using var service = await LocalServer.StartServiceAsync(configure: builder => builder.Services.AddHealthChecks()
            .AddCheck("store", () => HealthCheckResult.Unhealthy("no route to 10.1.2.3", new IOException("secret path"))));

        using var health = await service.Client.GetAsync("/health");
        using var alive = await service.Client.GetAsync("/alive");

        Assert.Equal(HttpStatusCode.ServiceUnavailable, health.StatusCode);
        Assert.Equal("Unhealthy", await health.Content.ReadAsStringAsync());
        Assert.Equal(HttpStatusCode.OK, alive.StatusCode);
    }

    [Fact]
    public async Task A_failing_check_tagged_live_ends_aliveness()
    {
        await using var service = await LocalServer.StartServiceAsync(configure: builder => builder.Services.AddHealthChecks()
            .AddCheck("deadlock", () => HealthCheckResult.Unhealthy(), ["live"]));

        using var alive = await service.Client.GetAsync("/alive");

        Assert.Equal(HttpStatusCode.ServiceUnavailable, alive.StatusCode);
    }

    [Fact]
    public async Task A_hanging_check_fails_instead_of_holding_the_probe()
    {
        await using var service = await LocalServer.StartServiceAsync(configure: builder => builder.Services.AddHealthChecks()
            .AddAsyncCheck("hanging", async cancellation =>
            {
                await Task.Delay(Timeout.Infinite, cancellation);
                return HealthCheckResult.Healthy();
            }));

        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(20));
        using var health = await service.Client.GetAsync("/health", limit.Token);

        Assert.Equal(HttpStatusCode.ServiceUnavailable, health.StatusCode);
    }

    [Fact]
    public async Task Probes_need_no_authentication_and_scrapes_obey_the_services_policy()
    {
        await using var service = await LocalServer.StartServiceAsync(configure: builder =>
        {
            builder.Services.AddAuthentication().AddBearerToken();
            builder.Services.AddAuthorizationBuilder()
                .SetFallbackPolicy(new AuthorizationPolicyBuilder().RequireAuthenticatedUser().Build());
        });

        using var health = await service.Client.GetAsync("/health");
        using var alive = await service.Client.GetAsync("/alive");
        using var metrics = await service.Client.GetAsync("/metrics");

        Assert.Equal(HttpStatusCode.OK, health.StatusCode);
        Assert.Equal(HttpStatusCode.OK, alive.StatusCode);
        Assert.Equal(HttpStatusCode.Unauthorized, metrics.StatusCode);
    }
}
