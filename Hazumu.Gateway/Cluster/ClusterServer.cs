using Hazumu.Gateway.Configuration;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;

namespace Hazumu.Gateway.Cluster;

/// <summary>
/// The port on which the leader accepts the other gateways. It is a server of its own: HTTP/2 without TLS cannot share a port with HTTP/1.1,
/// and no path and no limit of the clients' port leads to it.
/// </summary>
internal static class ClusterServer
{
    /// <summary>Starts it.</summary>
    /// <returns>The server, and its port: any free one if the setting is 0.</returns>
    public static async Task<(WebApplication Server, int Port)> StartAsync(ClusterOptions options, IConfiguration configuration, Leadership leadership, CancellationToken cancellationToken)
    {
        var isHttps = options.Address?.StartsWith(Uri.UriSchemeHttps, StringComparison.OrdinalIgnoreCase) == true;
        // Without one, Kestrel would take the certificate of a developer's machine, which no other gateway trusts.
        if (isHttps && !configuration.GetSection("Kestrel:Certificates:Default").Exists())
        {
            throw new StartupProblemException("'Gateway:Cluster:Address' is an https URL, and 'Kestrel:Certificates:Default:Path' names no certificate for it: set this setting, or use an http URL.");
        }

        var builder = WebApplication.CreateEmptyBuilder(new());
        builder.WebHost.UseKestrelCore().UseKestrelHttpsConfiguration().ConfigureKestrel(kestrel =>
        {
            kestrel.Limits.MaxRequestBodySize = null;
            kestrel.Limits.MinRequestBodyDataRate = kestrel.Limits.MinResponseDataRate = null;
            kestrel.Limits.Http2.KeepAlivePingDelay = kestrel.Limits.Http2.KeepAlivePingTimeout = LeaderLink.KeepAlive;

            // The certificate of the clients' port, without its endpoints.
            var certificates = configuration.GetSection("Kestrel:Certificates").AsEnumerable().Where(setting => setting.Value is not null);
            kestrel.Configure(new ConfigurationBuilder().AddInMemoryCollection(certificates).Build().GetSection("Kestrel"));
            kestrel.ListenAnyIP(options.Port, listen =>
            {
                listen.Protocols = HttpProtocols.Http2;
                if (isHttps)
                {
                    listen.UseHttps();
                }
            });
        });
        builder.Services.AddSingleton<IHostLifetime, NoLifetime>().AddSingleton(leadership).AddGrpc(grpc => grpc.MaxReceiveMessageSize = null);
        var app = builder.Build();
        app.MapGrpcService<LeaderSession>();
        await app.StartAsync(cancellationToken);
        return (app, BindingAddress.Parse(app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.First()).Port);
    }

    /// <summary>Signals are the gateway's, which stops this server.</summary>
    private sealed class NoLifetime : IHostLifetime
    {
        public Task WaitForStartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

        public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
    }
}
