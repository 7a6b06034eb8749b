using System.Net;
using Hazumu.Bench.Processes;

namespace Hazumu.Bench.Proxies;

/// <summary>Starts the targets, each in front of the same engine.</summary>
/// <param name="Engine">The engine.</param>
/// <param name="Folder">Where configuration and logs go.</param>
/// <param name="Workers">Processes of nginx, threads of HAProxy.</param>
/// <param name="GatewayPath">The gateway's program.</param>
/// <param name="GatewayEnvironment">Added to the gateway's environment.</param>
internal sealed record TargetFactory(
    EngineProcess Engine,
    string Folder,
    int Workers,
    string GatewayPath,
    IReadOnlyList<KeyValuePair<string, string>> GatewayEnvironment)
{
    public const string Direct = "direct";

    public static IReadOnlyList<string> Names { get; } = [Direct, "gateway", "yarp", "nginx", "haproxy"];

    /// <exception cref="NotReadyException">It is not there, or does not start.</exception>
    public async Task<Target> StartAsync(string name)
    {
        if (name == Direct)
        {
            return new Target(Direct, Engine.EndPoint, null);
        }

        var port = ChildProcess.FreePort();
        var process = name switch
        {
            "gateway" => StartGateway(port),
            "yarp" => ChildProcess.StartSelf("yarp", Folder, "yarp", $"{port}", Engine.Address.AbsoluteUri),
            "nginx" => StartNginx(port),
            "haproxy" => StartHAProxy(port),
            _ => throw new NotReadyException($"there is no target of the name {name}"),
        };
        try
        {
            await Readiness.WaitAsync(new Uri($"http://127.0.0.1:{port}"), process, BenchModel.Name).ConfigureAwait(false);
            return new Target(name, new IPEndPoint(IPAddress.Loopback, port), process);
        }
        catch (NotReadyException)
        {
            process.Dispose();
            throw;
        }
    }

    private ChildProcess StartGateway(int port) => GatewayProcess.Start(
        GatewayPath, Folder, port, [new("Gateway__Engines__engine__Url", $"http://127.0.0.1:{Engine.Port}"), new("Gateway__Slots", "2000"), .. GatewayEnvironment]);

    private ChildProcess StartNginx(int port)
    {
        var program = Programs.Find("nginx");
        var folder = Directory.CreateDirectory(Path.Combine(Folder, $"nginx-{port}")).FullName;
        var configuration = Path.Combine(folder, "nginx.conf");
        File.WriteAllText(configuration, $$"""
            {{(Environment.IsPrivilegedProcess ? "user root;" : "")}}
            daemon off;
            worker_processes {{Workers}};
            worker_rlimit_nofile 16384;
            pid {{folder}}/nginx.pid;
            error_log stderr warn;
            events { worker_connections 8192; }
            http {
              access_log off;
              tcp_nodelay on;
              keepalive_timeout 600s;
              keepalive_requests 1000000000;
              client_body_temp_path {{folder}}/body;
              proxy_temp_path {{folder}}/proxy;
              fastcgi_temp_path {{folder}}/fastcgi;
              uwsgi_temp_path {{folder}}/uwsgi;
              scgi_temp_path {{folder}}/scgi;
              upstream engine {
                server 127.0.0.1:{{Engine.Port}};
                keepalive 2048;
                keepalive_requests 1000000000;
                keepalive_timeout 600s;
              }
              server {
                listen 127.0.0.1:{{port}} backlog=4096;
                location / {
                  proxy_pass http://engine;
                  proxy_http_version 1.1;
                  proxy_set_header Connection "";
                  proxy_buffering off;
                  proxy_request_buffering off;
                  proxy_read_timeout 600s;
                }
              }
            }

            """);
        return ChildProcess.Start("nginx", Folder, [], program, "-p", folder, "-c", configuration, "-e", "stderr");
    }

    private ChildProcess StartHAProxy(int port)
    {
        var program = Programs.Find("haproxy");
        var configuration = Path.Combine(Folder, $"haproxy-{port}.cfg");
        // Without http-no-delay a streamed chunk may be held back for the next one, for up to 200 ms: its way to switch buffering off.
        File.WriteAllText(configuration, $"""
            global
              nbthread {Workers}
              maxconn 8192
            defaults
              mode http
              timeout connect 5s
              timeout client 600s
              timeout server 600s
              option http-keep-alive
              option http-no-delay
              http-reuse always
            frontend front
              bind 127.0.0.1:{port} backlog 4096
              default_backend engine
            backend engine
              server engine 127.0.0.1:{Engine.Port} maxconn 8192 pool-max-conn 2048

            """);
        return ChildProcess.Start("haproxy", Folder, [], program, "-db", "-f", configuration);
    }
}
