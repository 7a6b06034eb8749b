using System.Net;
using Hazumu.Mocks;

namespace Hazumu.Gateway.Tests.Pipeline.Clients;

/// <summary>The limit of one client address, and which address that is.</summary>
public sealed class AddressLimitTests : IAsyncLifetime
{
    private MockEngine _engine = null!;

    public async ValueTask InitializeAsync() => _engine = await MockEngine.StartAsync();

    public async ValueTask DisposeAsync() => await _engine.DisposeAsync();

    [Fact]
    public async Task Requests_over_the_limit_get_429_and_probes_do_not_count()
    {
        await using var gateway = await StartAsync("--Gateway:AddressRequestsPerMinute=2");

        Assert.Equal(HttpStatusCode.OK, await SendAsync(gateway, null));
        Assert.Equal(HttpStatusCode.OK, await SendAsync(gateway, null));
        using var refused = await gateway.Http.GetAsync(new Uri("/api/tags", UriKind.Relative));
        Assert.Equal(HttpStatusCode.TooManyRequests, refused.StatusCode);
        Assert.InRange(refused.Headers.RetryAfter!.Delta!.Value.TotalSeconds, 1, 30);
        Assert.Contains("This address has reached its limit", await refused.Content.ReadAsStringAsync(), StringComparison.Ordinal);
        using var health = await gateway.Http.GetAsync(new Uri("/health", UriKind.Relative));
        Assert.Equal(HttpStatusCode.OK, health.StatusCode);
    }

    [Fact]
    public async Task A_page_may_read_that_its_address_has_reached_the_limit()
    {
        await using var gateway = await StartAsync("--Gateway:AddressRequestsPerMinute=1");
        Assert.Equal(HttpStatusCode.OK, await SendAsync(gateway, null));
        using var request = new HttpRequestMessage(HttpMethod.Get, "/api/tags") { Headers = { { "Origin", "http://localhost:5173" } } };

        using var answer = await gateway.Http.SendAsync(request);

        Assert.Equal(HttpStatusCode.TooManyRequests, answer.StatusCode);
        Assert.Equal("http://localhost:5173", Assert.Single(answer.Headers.GetValues("Access-Control-Allow-Origin")));
    }

    [Theory]
    [InlineData("localhost", HttpStatusCode.OK)]
    [InlineData("127.0.0.1,nothing.invalid", HttpStatusCode.OK)]
    [InlineData("192.0.2.1", HttpStatusCode.TooManyRequests)]
    [InlineData("nothing.invalid", HttpStatusCode.TooManyRequests)]
    [InlineData("", HttpStatusCode.OK)]
    public async Task Forwarded_address_is_believed_only_from_a_named_proxy(string proxies, HttpStatusCode second)
    {
        await using var gateway = await StartAsync("--FORWARDEDHEADERS_ENABLED=true", $"--Gateway:Proxies={proxies}", "--Gateway:AddressRequestsPerMinute=1");

        Assert.Equal(HttpStatusCode.OK, await SendAsync(gateway, "198.51.100.1"));
        Assert.Equal(second, await SendAsync(gateway, "198.51.100.2"));
        Assert.Equal(HttpStatusCode.TooManyRequests, await SendAsync(gateway, "198.51.100.1"));
    }

    private Task<TestGateway> StartAsync(params string[] arguments) => TestGateway.StartAsync([("one", _engine.Address)], arguments);

    private static async Task<HttpStatusCode> SendAsync(TestGateway gateway, string? forwardedFor)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, "/api/tags");
        if (forwardedFor is not null)
        {
            request.Headers.Add("X-Forwarded-For", forwardedFor);
        }

        using var answer = await gateway.Http.SendAsync(request);
        return answer.StatusCode;
    }
}
