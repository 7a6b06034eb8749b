using System.Net;
using Yarp.ReverseProxy.Configuration;

namespace Hazumu.Bench.Proxies;

/// <summary>YARP in front of several engines, with one of its own policies of balancing.</summary>
internal static class Balancer
{
    public static async Task RunAsync(int port, string policy, IEnumerable<string> engines)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.SetMinimumLevel(LogLevel.Warning);
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, port));
        builder.Services.AddReverseProxy().LoadFromMemory(
            [new RouteConfig { RouteId = "all", ClusterId = "engines", Match = new RouteMatch { Path = "{**all}" } }],
            [new ClusterConfig
            {
                ClusterId = "engines",
                LoadBalancingPolicy = policy,
                HttpRequest = new() { ActivityTimeout = TimeSpan.FromMinutes(10) },
                Destinations = engines
                    .Select((address, index) => (Name: $"engine{index}", address))
                    .ToDictionary(engine => engine.Name, engine => new DestinationConfig { Address = engine.address }),
            }]);
        var app = builder.Build();
        app.MapReverseProxy();
        await app.RunAsync();
    }
}
