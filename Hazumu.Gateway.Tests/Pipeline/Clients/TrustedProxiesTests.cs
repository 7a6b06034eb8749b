using System.Net;
using System.Net.Sockets;
using Hazumu.Gateway.Configuration;
using Hazumu.Gateway.Pipeline.Clients;
using Hazumu.Gateway.Upstreams;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;

namespace Hazumu.Gateway.Tests.Pipeline.Clients;

/// <summary>Which addresses are believed, while names are resolved and while they cannot be.</summary>
public sealed class TrustedProxiesTests
{
    private static readonly IPAddress s_proxy = IPAddress.Parse("192.0.2.1");

    private readonly FakeTimeProvider _time = new(DateTimeOffset.UnixEpoch.AddDays(1));

    [Fact]
    public async Task Requests_that_come_together_wait_for_one_resolution()
    {
        var (calls, answer) = (0, new TaskCompletionSource<IPAddress[]>(TaskCreationOptions.RunContinuationsAsynchronously));
        var isTrusted = Start((_, _) =>
        {
            calls++;
            return answer.Task;
        });

        var requests = Enumerable.Range(0, 3).Select(_ => isTrusted(s_proxy)).ToList();
        Assert.All(requests, request => Assert.False(request.IsCompleted));
        answer.SetResult([s_proxy]);

        Assert.All(await Task.WhenAll(requests), Assert.True);
        Assert.Equal(1, calls);
    }

    [Fact]
    public async Task Proxy_stays_trusted_while_its_name_cannot_be_resolved()
    {
        var isDown = false;
        var isTrusted = Start((_, _) => isDown ? Task.FromException<IPAddress[]>(new SocketException((int)SocketError.TryAgain)) : Task.FromResult<IPAddress[]>([s_proxy]));
        Assert.True(await isTrusted(s_proxy));

        isDown = true;
        _time.Advance(TimeSpan.FromMinutes(1));

        Assert.False(await isTrusted(IPAddress.Parse("192.0.2.2")));
        Assert.True(await isTrusted(s_proxy));
    }

    private Func<IPAddress, Task<bool>> Start(NameResolver resolve)
    {
        var configuration = new ConfigurationBuilder().AddCommandLine(["--Gateway:Proxies=caddy"]).Build();
        var proxies = new TrustedProxies(resolve, new GatewaySettings(() => configuration, [], NullLogger<GatewaySettings>.Instance), _time);
        var app = new ApplicationBuilder(new ServiceCollection().BuildServiceProvider());
        proxies.Configure(next => next.Run(_ => Task.CompletedTask))(app);
        var pipeline = app.Build();
        return async address =>
        {
            var context = new DefaultHttpContext { Connection = { RemoteIpAddress = address } };
            context.Request.Headers["X-Forwarded-For"] = "198.51.100.1";
            await pipeline(context);
            return context.Request.Headers.ContainsKey("X-Forwarded-For");
        };
    }
}
