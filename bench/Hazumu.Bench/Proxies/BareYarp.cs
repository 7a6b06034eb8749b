using System.Diagnostics;
using System.Net;
using Yarp.ReverseProxy.Forwarder;

namespace Hazumu.Bench.Proxies;

/// <summary>YARP's forwarder in front of one engine and nothing else: what the gateway's own work is measured against.</summary>
internal static class BareYarp
{
    public static async Task RunAsync(int port, string engine)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.SetMinimumLevel(LogLevel.Warning);
        builder.Services.AddHttpForwarder();
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, port));
        var app = builder.Build();

        // As YARP's own client factory makes it.
        using var handler = new SocketsHttpHandler
        {
            UseProxy = false,
            AllowAutoRedirect = false,
            AutomaticDecompression = DecompressionMethods.None,
            UseCookies = false,
            EnableMultipleHttp2Connections = true,
            ActivityHeadersPropagator = new ReverseProxyPropagator(DistributedContextPropagator.Current),
            ConnectTimeout = TimeSpan.FromSeconds(15),
        };
        using var client = new HttpMessageInvoker(handler);
        var forwarder = app.Services.GetRequiredService<IHttpForwarder>();
        var config = new ForwarderRequestConfig { ActivityTimeout = TimeSpan.FromMinutes(10) };
        app.Run(async context => await forwarder.SendAsync(context, engine, client, config));
        await app.RunAsync();
    }
}
