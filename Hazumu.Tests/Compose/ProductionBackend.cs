using System.Globalization;
using System.Net;
using System.Net.NetworkInformation;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Cryptography.X509Certificates;
using System.Text.Json;
using Hazumu.Testing;

namespace Hazumu.Tests.Compose;

/// <summary>
/// The published application as a server runs it: with secrets of its own, under names and ports of its own. Components whose image
/// cannot be had are left out by a further Compose file.
/// </summary>
public class ProductionBackend : ComposeBackend
{
    private X509Certificate2? _authority;

    /// <summary>Why it cannot run here, or <see langword="null"/> where it can.</summary>
    public static string? Missing =>
        ComposeCommand.Missing
        ?? Component.Edge.Missing
        ?? Component.Prometheus.Missing
        ?? GatewayImage.NotBuilt
        ?? (ContainerCli.SharesThisMachine ? null : "containers of this engine do not see this machine");

    /// <summary>The ports of the edge on this machine.</summary>
    public int HttpsPort { get; } = FindFreePort();

    /// <inheritdoc cref="HttpsPort"/>
    public int HttpPort { get; } = FindFreePort();

    /// <summary>What the edge is told beside its defaults.</summary>
    public Dictionary<string, string?> EdgeSettings { get; } = [];

    /// <summary>An address of this machine that others reach it by.</summary>
    public static IPAddress OutsideAddress { get; } = NetworkInterface.GetAllNetworkInterfaces()
        .Where(network => network.OperationalStatus == OperationalStatus.Up && network.NetworkInterfaceType != NetworkInterfaceType.Loopback)
        .OrderBy(network => network.Name.StartsWith("br-", StringComparison.Ordinal) || network.Name.StartsWith("docker", StringComparison.Ordinal))
        .SelectMany(network => network.GetIPProperties().UnicastAddresses)
        .Select(address => address.Address)
        .First(address => address.AddressFamily == AddressFamily.InterNetwork);

    /// <summary>The ports that were open before this application was there: others' business.</summary>
    public IReadOnlySet<int> PortsBefore { get; private set; } = new HashSet<int>();

    /// <summary>A secret that a receiver of alerts has.</summary>
    public string WebhookSecret { get; } = $"whsec{Guid.NewGuid():N}";

    /// <summary>A key of the gateway with every scope.</summary>
    public string Key { get; private set; } = "";

    /// <summary>A client that trusts the edge's authority and nobody else.</summary>
    public HttpClient Edge { get; private set; } = null!;

    /// <inheritdoc/>
    public override IReadOnlyList<Component> Components => Missing is null ? ProductionFiles.Components : [];

    /// <inheritdoc/>
    protected override string? WhyMissing(IReadOnlyList<Component> components) => Missing;

    /// <inheritdoc/>
    protected override IReadOnlyList<string> Files => ProductionFiles.Names(Components);

    /// <inheritdoc/>
    protected override IEnumerable<string> Services => [];

    /// <summary>Further services of the tests' own Compose file.</summary>
    protected virtual string MoreServices => "";

    /// <summary>The edge's address.</summary>
    public Uri Address => new($"https://localhost:{HttpsPort}/");

    /// <summary>The names of the services that run, in the order of their names.</summary>
    public IEnumerable<string> RunningServices => Components.Select(component => component.Service).Append("edge").Order(StringComparer.Ordinal);

    public override async Task StartAsync()
    {
        PortsBefore = await OpenPortsAsync(OutsideAddress);
        await base.StartAsync();
        _authority = X509Certificate2.CreateFromPem(await ExecuteOrThrowAsync("edge", "cat", "/data/caddy/pki/authorities/local/root.crt"));
        Edge = Client(_authority);
        Key = await CreateKeyAsync("tester");
        await Wait.UntilAsync("the gateway to know the key", TimeSpan.FromSeconds(30), async () =>
        {
            using var answer = await SendAsync(HttpMethod.Get, "api/tags");
            answer.EnsureSuccessStatusCode();
        });
    }

    public override async Task StopAsync()
    {
        Edge?.Dispose();
        _authority?.Dispose();
        await base.StopAsync();
    }

    /// <summary>A client that trusts one authority.</summary>
    /// <param name="authority">The authority.</param>
    /// <param name="connect">How it connects, where that is not this machine's way.</param>
    public static HttpClient Client(X509Certificate2 authority, Func<SocketsHttpConnectionContext, CancellationToken, ValueTask<Stream>>? connect = null) => new(new SocketsHttpHandler
    {
        AllowAutoRedirect = false,
        ConnectCallback = connect,
        SslOptions = new SslClientAuthenticationOptions
        {
            CertificateChainPolicy = new X509ChainPolicy { TrustMode = X509ChainTrustMode.CustomRootTrust, CustomTrustStore = { authority }, RevocationMode = X509RevocationMode.NoCheck },
        },
    })
    {
        Timeout = TimeSpan.FromSeconds(60),
    };

    /// <summary>Every TCP port that answers on an address.</summary>
    public static async Task<IReadOnlySet<int>> OpenPortsAsync(IPAddress address)
    {
        var open = new System.Collections.Concurrent.ConcurrentBag<int>();
        await Parallel.ForEachAsync(Enumerable.Range(1, 65535), new ParallelOptions { MaxDegreeOfParallelism = 64 }, async (port, cancellationToken) =>
        {
            using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
            using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
            limit.CancelAfter(TimeSpan.FromSeconds(2));
            try
            {
                await socket.ConnectAsync(address, port, limit.Token);
                open.Add(port);
            }
            catch (Exception closed) when (closed is SocketException or OperationCanceledException)
            {
                // Refused, or nobody there.
            }
        });
        return open.ToHashSet();
    }

    /// <summary>The key in what the gateway's command prints.</summary>
    public static string FindKey(string printed) => System.Text.RegularExpressions.Regex.Match(printed, "hzm_[0-9A-Za-z]{8}_[0-9A-Za-z]{43}").Value;

    /// <summary>Makes a key.</summary>
    public async Task<string> CreateKeyAsync(string name, string scopes = "infer,read,admin")
    {
        var created = await ExecuteOrThrowAsync("gateway", "/app/Hazumu.Gateway", "keys", "create", name, "--scopes", scopes);
        return FindKey(created);
    }

    /// <summary>Asks the gateway by way of the edge, with the key.</summary>
    /// <param name="method">The method.</param>
    /// <param name="path">Path and query after the first slash, sent as they are.</param>
    /// <param name="content">What is sent.</param>
    /// <param name="key">Another key.</param>
    public async Task<HttpResponseMessage> SendAsync(HttpMethod method, string path, HttpContent? content = null, string? key = null)
    {
        var address = new Uri($"{Address}{path}", new UriCreationOptions { DangerousDisablePathAndQueryCanonicalization = true });
        using var request = new HttpRequestMessage(method, address) { Content = content };
        request.Headers.Add("x-api-key", key ?? Key);
        return await Edge.SendAsync(request, HttpCompletionOption.ResponseHeadersRead);
    }

    /// <summary>Runs a program in a service's container.</summary>
    public async Task<string> ExecuteOrThrowAsync(string service, params string[] command)
    {
        var result = await ComposeAsync(["exec", "-T", service, .. command]);
        return result.Succeeded ? result.Output : throw new InvalidOperationException($"'{string.Join(' ', command)}' in {service} failed: {result.Output}");
    }

    /// <summary>Evaluates an expression in Prometheus, which has no port of this machine's.</summary>
    /// <param name="expression">PromQL.</param>
    /// <param name="time">When; now unless given.</param>
    public async Task<IReadOnlyList<JsonElement>> QueryAsync(string expression, DateTimeOffset? time = null)
    {
        var at = time is { } moment ? $"&time={moment.ToUnixTimeSeconds().ToString(CultureInfo.InvariantCulture)}" : "";
        var answer = await ExecuteOrThrowAsync("prometheus", "wget", "-q", "-O", "-", $"http://127.0.0.1:9090/api/v1/query?query={Uri.EscapeDataString(expression)}{at}");
        return [.. JsonSerializer.Deserialize<JsonElement>(answer).GetProperty("data").GetProperty("result").EnumerateArray()];
    }

    /// <summary>The container of a service.</summary>
    public async Task<JsonElement> InspectAsync(string service)
    {
        var container = await ComposeAsync(["ps", "--all", "--quiet", service]);
        return JsonSerializer.Deserialize<JsonElement>(await ContainerCli.RunOrThrowAsync("inspect", container.Output.Trim()))[0];
    }

    /// <summary>Starts the edge anew, with what <see cref="EdgeSettings"/> says.</summary>
    public Task RestartEdgeAsync() => ComposeOrThrowAsync("up", "--detach", "--wait", "--no-deps", "--force-recreate", "edge");

    /// <summary>Waits until every container is healthy again.</summary>
    public Task WaitUntilHealthyAsync() => Wait.UntilAsync("every container to be healthy", TimeSpan.FromMinutes(2), async () =>
    {
        foreach (var service in RunningServices)
        {
            Assert.Equal("healthy", (await InspectAsync(service)).GetProperty("State").GetProperty("Health").GetProperty("Status").GetString());
        }
    });

    /// <summary>Runs a script of the folder's, as an administrator would.</summary>
    public Task<CliResult> RunScriptAsync(params string[] arguments)
    {
        var environment = Environment();
        environment["COMPOSE_PROJECT_NAME"] = Name;
        environment["COMPOSE_FILE"] = string.Join(':', Files);
        foreach (var (name, value) in ComposeCommand.AsPlugin(Folder.FullName))
        {
            environment[name] = value;
        }

        return ProcessRunner.RunAsync("sh", arguments, TimeSpan.FromMinutes(5), environment: environment, workingDirectory: Folder.FullName);
    }

    /// <summary>The secrets' values, which nothing may show.</summary>
    public async Task<IReadOnlyList<string>> SecretsAsync() =>
    [
        await File.ReadAllTextAsync(Path.Combine(Folder.FullName, "secrets", "grafana_admin_password")),
        await File.ReadAllTextAsync(Path.Combine(Folder.FullName, "secrets", "grafana_secret_key")),
        await File.ReadAllTextAsync(Path.Combine(Folder.FullName, "secrets", "valkey_password")),
        WebhookSecret,
        Key,
    ];

    protected override async Task PrepareAsync()
    {
        var secrets = await RunScriptAsync("secrets.sh");
        Assert.True(secrets.Succeeded, secrets.Output);
        var webhook = Path.Combine(Folder.FullName, "secrets", "webhook");
        await File.WriteAllTextAsync(webhook, $"http://127.0.0.1:9/{WebhookSecret}");
        if (!OperatingSystem.IsWindows())
        {
            File.SetUnixFileMode(webhook, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead | UnixFileMode.OtherRead);
        }

        // The edge has a volume too, which the base does not know.
        foreach (var file in Directory.EnumerateFiles(Folder.FullName, "docker-compose*.yaml"))
        {
            await File.WriteAllTextAsync(file, (await File.ReadAllTextAsync(file)).Replace("edge_data", $"{Name}_edge_data", StringComparison.Ordinal));
        }

        await ProductionFiles.WriteAsync(Folder.FullName, Components, MoreServices);
    }

    protected override Dictionary<string, string?> Environment()
    {
        var environment = base.Environment();
        environment.Remove("Hazumu__CAdvisor__Privileged");
        environment["Hazumu__Edge__Port"] = HttpsPort.ToString(CultureInfo.InvariantCulture);
        environment["Hazumu__Edge__HttpPort"] = HttpPort.ToString(CultureInfo.InvariantCulture);
        environment["Hazumu__Alertmanager__WebhookUrlFile"] = "./secrets/webhook";
        foreach (var (name, value) in EdgeSettings)
        {
            environment[name] = value;
        }

        return environment;
    }
}
