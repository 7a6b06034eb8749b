using System.Net;
using Hazumu.Bench.Load;
using Hazumu.Bench.Processes;

namespace Hazumu.Bench.Proxies;

/// <summary>Starts the targets, each in front of the same engine.</summary>
/// <param name="Engine">The engine.</param>
/// <param name="Folder">The folder for configuration and logs.</param>
/// <param name="Workers">Processes of nginx, threads of HAProxy.</param>
/// <param name="GatewayPath">The gateway's program.</param>
/// <param name="GatewayEnvironment">Added to the gateway's environment.</param>
/// <param name="Variants">Further gateways, by name.</param>
/// <param name="Instances">Addresses of the engine, each an instance to the gateway and a server to nginx and HAProxy.</param>
/// <param name="Key">The key that the gateway requires and all requests carry; <see langword="null"/> without keys.</param>
/// <param name="Olla">Olla's program; <see langword="null"/> if none is named.</param>
internal sealed record TargetFactory(
    EngineProcess Engine,
    string Folder,
    int Workers,
    string GatewayPath,
    IReadOnlyList<KeyValuePair<string, string>> GatewayEnvironment,
    IReadOnlyDictionary<string, GatewayVariant> Variants,
    int Instances,
    string? Key,
    string? Olla)
{
    public const string Direct = "direct";

    public static IReadOnlyList<string> Names { get; } = [Direct, "gateway", "yarp", "nginx", "haproxy", "olla"];

    private IEnumerable<string> Engines => Enumerable.Range(1, Instances).Select(number => $"127.0.0.{number}:{Engine.Port}");

    /// <exception cref="NotReadyException">It is not there, or does not start.</exception>
    public async Task<Target> StartAsync(string name)
    {
        if (name == Direct)
        {
            return new Target(Direct, Engine.EndPoint, null, new(Key: Key));
        }

        var port = ChildProcess.FreePort();
        var process = name switch
        {
            "gateway" => StartGateway(port, new(GatewayPath, [])),
            _ when Variants.TryGetValue(name, out var variant) => StartGateway(port, variant),
            "yarp" => ChildProcess.StartSelf("yarp", Folder, "yarp", $"{port}", Engine.Address.AbsoluteUri),
            "nginx" => StartNginx(port),
            "haproxy" => StartHAProxy(port),
            "olla" => StartOlla(port),
            _ => throw new NotReadyException($"there is no target of the name {name}"),
        };
        var form = new RequestTemplate(name == "olla" ? "/olla/ollama" : "", Key);
        try
        {
            await Readiness.WaitAsync(new Uri($"http://127.0.0.1:{port}{form.Prefix}/"), process, BenchModel.Name, Key).ConfigureAwait(false);
            return new Target(name, new IPEndPoint(IPAddress.Loopback, port), process, form);
        }
        catch (NotReadyException)
        {
            process.Dispose();
            throw;
        }
    }

    private ChildProcess StartGateway(int port, GatewayVariant variant) => GatewayProcess.Start(
        variant.Path,
        Folder,
        port,
        [
            .. Engines.Select((engine, number) => KeyValuePair.Create($"Gateway__Engines__engine{number}__Url", $"http://{engine}")),
            new("Gateway__Slots", "2000"),
            .. Key is null ? [] : KeyEnvironment(Key),
            .. GatewayEnvironment,
            .. variant.Environment,
        ]);

    private IEnumerable<KeyValuePair<string, string>> KeyEnvironment(string key) =>
    [
        new("Gateway__Keys__Required", "true"),
        new("Gateway__Keys__File", Path.Combine(Folder, "keys.json")),
        new("Gateway__Keys__Configured__bench__Key", key),
    ];

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
                {{string.Concat(Engines.Select(engine => $"server {engine}; "))}}
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
            {string.Join('\n', Engines.Select((engine, number) => $"  server engine{number} {engine} maxconn 8192 pool-max-conn 2048"))}

            """);
        return ChildProcess.Start("haproxy", Folder, [], program, "-db", "-f", configuration);
    }

    // Its limits of requests are off, as the others have none; its proxy engine is the one it recommends for throughput.
    private ChildProcess StartOlla(int port)
    {
        var program = Olla ?? throw new NotReadyException("no program is named by --olla");
        if (!File.Exists(program))
        {
            throw new NotReadyException($"there is no program {program}");
        }

        var configuration = Path.Combine(Folder, $"olla-{port}.yaml");
        File.WriteAllText(configuration, $"""
            server:
              host: "127.0.0.1"
              port: {port}
              write_timeout: 0s
              request_logging: false
              rate_limits:
                global_requests_per_minute: 0
                per_ip_requests_per_minute: 0
            proxy:
              engine: "olla"
              load_balancer: "least-connections"
              response_timeout: 900s
              read_timeout: 300s
            discovery:
              type: "static"
              static:
                endpoints:
            {string.Join('\n', Engines.Select((engine, number) => $$"""      - { url: "http://{{engine}}", name: "engine{{number}}", type: "ollama", priority: 100, model_url: "/api/tags", health_check_url: "/", check_interval: 5s, check_timeout: 2s }"""))}
            logging:
              level: "warn"

            """);
        return ChildProcess.Start("olla", Folder, [], program, "--config", configuration);
    }
}
