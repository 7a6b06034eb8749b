using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using Hazumu.Testing;

namespace Hazumu.Tests.Compose;

/// <summary>The edge with a stand-in for the gateway and for Grafana, which answers with what has reached it.</summary>
public sealed class EdgeContainer : IAsyncLifetime
{
    private const string StandIn = """
        {
            admin off
            auto_https off
        }
        http://:8000 {
            respond "gateway {method} {uri}"
        }
        http://:8001 {
            respond "loki {method} {uri} tenant={header.X-Scope-OrgID}"
        }
        http://:8002 {
            respond "alertmanager {method} {uri}"
        }
        http://:3000 {
            respond "grafana {method} {uri} real={header.X-Real-IP} forwarded={header.Forwarded} for={header.X-Forwarded-For} prefix={header.X-Forwarded-Prefix} user={header.X-WEBAUTH-USER} original={header.X-Original-URL} referer={header.Referer}"
        }
        """;

    private string? _id;
    private int _port;

    /// <summary>A client that connects to the edge, whatever name it requests.</summary>
    public HttpClient Client { get; private set; } = null!;

    public async ValueTask InitializeAsync()
    {
        if (Component.Edge.Missing is not null)
        {
            return;
        }

        _id = await StartAsync($"cat > /tmp/stand-in <<'END'\n{StandIn}\nEND\ncaddy run --config /tmp/stand-in --adapter caddyfile & ", "EDGE_GATEWAY=localhost:8000", "EDGE_GRAFANA=127.0.0.1:3000", "SOURCES_LOKI=127.0.0.1:8001", "SOURCES_ALERTMANAGER=127.0.0.1:8002");
        _port = await PortAsync(_id);
        Client = ClientOf(_port);
        await Wait.UntilAsync("the edge", TimeSpan.FromSeconds(60), async () => Assert.StartsWith("gateway", await Client.GetStringAsync(new Uri("https://llm.example/api/version")), StringComparison.Ordinal));
    }

    public async ValueTask DisposeAsync()
    {
        Client?.Dispose();
        if (_id is not null)
        {
            await ContainerCli.RunOrThrowAsync("rm", "--force", "--volumes", _id);
        }
    }

    /// <summary>Starts an edge named <c>llm.example</c>.</summary>
    /// <param name="before">What the shell does first.</param>
    /// <param name="variables">Environment variables.</param>
    public static Task<string> StartAsync(string before, params string[] variables) => ContainerCli.RunOrThrowAsync(
    [
        "run", "--detach", "--publish", "127.0.0.1::8443", "--publish", "127.0.0.1::3100", "--publish", "127.0.0.1::9093", "--volume", $"{RepositoryRoot.Combine("caddy")}:/etc/caddy:ro", "--env", "EDGE_HOST=llm.example",
        // A proxy that nothing listens on, as Docker's client configuration may set it.
        "--env", "HTTP_PROXY=http://127.0.0.1:9", "--env", "http_proxy=http://127.0.0.1:9",
        .. variables.SelectMany(variable => new[] { "--env", variable }),
        "--entrypoint", "/bin/sh", Component.Edge.Image, "-c", $"{before}exec /bin/sh /etc/caddy/start.sh",
    ]);

    /// <summary>The port of an edge on this machine.</summary>
    /// <param name="id">The container.</param>
    /// <param name="port">The port in it.</param>
    public static async Task<int> PortAsync(string id, int port = 8443) =>
        int.Parse((await ContainerCli.RunOrThrowAsync("port", id, $"{port}/tcp")).Split('\n')[0].Split(':')[^1], System.Globalization.CultureInfo.InvariantCulture);

    /// <summary>A client that connects to a port of this machine, whatever name it requests, and takes a certificate of Caddy's own authority.</summary>
    public static HttpClient ClientOf(int port) => new(new SocketsHttpHandler
    {
        AllowAutoRedirect = false,
        UseProxy = false,
        SslOptions = new SslClientAuthenticationOptions { RemoteCertificateValidationCallback = (_, certificate, _, _) => certificate!.Issuer.Contains("Caddy Local Authority", StringComparison.Ordinal) },
        ConnectCallback = async (_, cancellationToken) =>
        {
            var socket = new Socket(SocketType.Stream, ProtocolType.Tcp);
            await socket.ConnectAsync(IPAddress.Loopback, port, cancellationToken);
            return new NetworkStream(socket, ownsSocket: true);
        },
    });

    /// <summary>Requests a path of <c>llm.example</c>.</summary>
    public Task<(HttpStatusCode Status, string Body)> SendAsync(string method, string path, params (string Name, string Value)[] headers) =>
        SendAsync(Client, method, $"https://llm.example{path}", headers);

    /// <summary>Requests a path as Grafana's data sources do.</summary>
    public async Task<(HttpStatusCode Status, string Body)> SendToSourceAsync(int port, string method, string path, params (string Name, string Value)[] headers)
    {
        using var client = new HttpClient(new SocketsHttpHandler { AllowAutoRedirect = false, UseProxy = false });
        return await SendAsync(client, method, $"http://127.0.0.1:{await PortAsync(_id!, port)}{path}", headers);
    }

    private static async Task<(HttpStatusCode Status, string Body)> SendAsync(HttpClient client, string method, string address, (string Name, string Value)[] headers)
    {
        using var request = new HttpRequestMessage(new HttpMethod(method), new Uri(address, new UriCreationOptions { DangerousDisablePathAndQueryCanonicalization = true }));
        foreach (var (name, value) in headers)
        {
            request.Headers.TryAddWithoutValidation(name, value);
        }

        using var answer = await client.SendAsync(request);
        return (answer.StatusCode, await answer.Content.ReadAsStringAsync());
    }
}

/// <summary>What the edge lets through, and what it answers itself.</summary>
public sealed class EdgeTests(EdgeContainer edge) : IClassFixture<EdgeContainer>
{
    [Theory]
    [InlineData("GET", "proxy/uid/loki/loki/api/v1/labels")]
    [InlineData("POST", "proxy/uid/prometheus/api/v1/query_range")]
    [InlineData("GET", "proxy/1/api/v1/label/job/values")]
    [InlineData("GET", "proxy/uid/loki/loki/api/v1/tail?query=x")]
    [InlineData("GET", "uid/loki/resources/labels?start=1")]
    [InlineData("POST", "uid/prometheus/resources/api/v1/series")]
    [InlineData("GET", "uid/prometheus/resources/api/v1/rules")]
    [InlineData("GET", "proxy/uid/alertmanager/api/v2/alerts")]
    [InlineData("POST", "proxy/uid/alertmanager/api/v2/silences")]
    [InlineData("DELETE", "proxy/uid/alertmanager/api/v2/silence/0f7c")]
    [InlineData("GET", "uid/loki/health")]
    [InlineData("GET", "uid/loki")]
    public async Task Dashboards_and_silences_reach_data_sources(string method, string path)
    {
        Skip.IfMissing(Component.Edge);

        var (status, body) = await edge.SendAsync(method, $"/grafana/api/datasources/{path}");

        Assert.Equal(HttpStatusCode.OK, status);
        Assert.StartsWith($"grafana {method} /grafana/api/datasources/{path}", body, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("POST", "datasources/proxy/uid/loki/loki/api/v1/push")]
    [InlineData("POST", "datasources/proxy/1/loki/api/v1/push")]
    [InlineData("POST", "datasources/proxy/uid/loki/api/prom/push")]
    [InlineData("POST", "datasources/proxy/uid/loki/otlp/v1/logs")]
    [InlineData("POST", "datasources/proxy/uid/loki/loki/api/v1/delete")]
    [InlineData("PUT", "datasources/proxy/uid/loki/loki/api/v1/query")]
    [InlineData("POST", "datasources/proxy/uid/loki/flush")]
    [InlineData("GET", "datasources/proxy/uid/loki/ingester/shutdown")]
    [InlineData("POST", "datasources/proxy/uid/loki/ingester/shutdown")]
    [InlineData("POST", "datasources/proxy/uid/loki/log_level?log_level=debug")]
    [InlineData("GET", "datasources/proxy/uid/loki/config")]
    [InlineData("GET", "datasources/proxy/uid/loki/debug/pprof/heap")]
    [InlineData("POST", "Datasources/PROXY/uid/loki/loki/api/v1/push")]
    [InlineData("POST", "datasources//proxy/uid/loki/loki/api/v1/push")]
    [InlineData("POST", "./datasources/proxy/uid/loki/loki/api/v1/push")]
    [InlineData("POST", "datasources/%70roxy/uid/loki/loki/api/v1/push")]
    [InlineData("POST", "datasources/proxy/uid/loki/loki/api/v1/query/../push")]
    [InlineData("POST", "datasources/proxy/uid/loki/loki/api/v1/query/%2e%2e/push")]
    [InlineData("POST", "datasources/proxy/uid/loki/loki/api/v1/query%2f..%2fpush")]
    [InlineData("POST", "datasources/uid/prometheus/resources/-/quit")]
    [InlineData("POST", "datasources/1/resources/-/reload")]
    [InlineData("POST", "datasources/proxy/uid/prometheus/-/quit")]
    [InlineData("GET", "datasources/proxy/uid/prometheus/api/v1/admin/tsdb/snapshot")]
    [InlineData("POST", "datasources/proxy/uid/alertmanager/api/v2/alerts")]
    [InlineData("POST", "datasources/proxy/uid/alertmanager/-/reload")]
    [InlineData("GET", "datasources/proxy/uid/alertmanager/metrics")]
    [InlineData("POST", "alertmanager/alertmanager/api/v2/alerts")]
    [InlineData("POST", "alertmanager/alertmanager/config/api/v1/alerts")]
    [InlineData("POST", "ruler/loki/api/v1/rules/x")]
    public async Task Nothing_else_reaches_a_data_source(string method, string path)
    {
        Skip.IfMissing(Component.Edge);

        var (status, body) = await edge.SendAsync(method, $"/grafana/api/{path}");

        Assert.Equal(HttpStatusCode.Forbidden, status);
        Assert.Equal("This path of a data source is closed at the edge; see 'Access' in docs/production.md.", body);
    }

    [Theory]
    [InlineData(3100, "GET", "/loki/api/v1/labels?start=1", "loki")]
    [InlineData(3100, "POST", "/loki/api/v1/query_range", "loki")]
    [InlineData(3100, "GET", "/loki/api/v1/label/service/values", "loki")]
    [InlineData(3100, "GET", "/loki/api/v1/tail?query=x", "loki")]
    [InlineData(3100, "GET", "/loki/api/v1/index/stats?query=x", "loki")]
    [InlineData(3100, "GET", "/loki/api/v1/status/buildinfo", "loki")]
    [InlineData(9093, "GET", "/api/v2/status", "alertmanager")]
    [InlineData(9093, "GET", "/api/v2/alerts/groups", "alertmanager")]
    [InlineData(9093, "POST", "/api/v2/silences", "alertmanager")]
    [InlineData(9093, "DELETE", "/api/v2/silence/0f7c", "alertmanager")]
    public async Task A_data_source_reads_and_silences(int port, string method, string path, string source)
    {
        Skip.IfMissing(Component.Edge);

        var (status, body) = await edge.SendToSourceAsync(port, method, path, ("X-Scope-OrgID", "other"));

        Assert.Equal(HttpStatusCode.OK, status);
        Assert.Equal($"{source} {method} {path}{(source == "loki" ? " tenant=" : "")}", body);
    }

    [Theory]
    [InlineData(3100, "POST", "/loki/api/v1/push")]
    [InlineData(3100, "POST", "/api/prom/push")]
    [InlineData(3100, "POST", "/otlp/v1/logs")]
    [InlineData(3100, "POST", "/loki/api/v1/delete")]
    [InlineData(3100, "PUT", "/loki/api/v1/query")]
    [InlineData(3100, "POST", "/loki/api/v1/tail")]
    [InlineData(3100, "POST", "/flush")]
    [InlineData(3100, "POST", "/log_level?log_level=debug")]
    [InlineData(3100, "GET", "/ingester/shutdown")]
    [InlineData(3100, "POST", "/ingester/shutdown")]
    [InlineData(3100, "GET", "/config")]
    [InlineData(3100, "POST", "/loki/api/v1/query/../push")]
    [InlineData(3100, "POST", "/loki/api/v1/push/../query")]
    [InlineData(3100, "POST", "/loki/api/v1/push/%2e%2e/query")]
    [InlineData(3100, "POST", "/loki/api/v1/query%2f..%2fpush")]
    [InlineData(3100, "POST", "//loki/api/v1/push")]
    [InlineData(9093, "POST", "/api/v2/alerts")]
    [InlineData(9093, "POST", "/-/reload")]
    [InlineData(9093, "GET", "/metrics")]
    [InlineData(9093, "DELETE", "/api/v2/silences")]
    [InlineData(9093, "GET", "/debug/pprof/heap")]
    public async Task Nothing_else_passes_to_a_data_source(int port, string method, string path)
    {
        Skip.IfMissing(Component.Edge);
        Assert.Equal(HttpStatusCode.Forbidden, (await edge.SendToSourceAsync(port, method, path)).Status);
    }

    [Theory]
    [InlineData("POST", "/grafana/api/alertmanager/alertmanager/api/v2/silences")]
    [InlineData("DELETE", "/grafana/api/alertmanager/alertmanager/api/v2/silence/0f7c")]
    [InlineData("GET", "/grafana/api/alertmanager/alertmanager/api/v2/alerts/groups")]
    [InlineData("POST", "/grafana/api/ruler/grafana/api/v1/rules/x")]
    [InlineData("POST", "/grafana/api/ds/query")]
    [InlineData("PUT", "/grafana/api/user/password")]
    public async Task Grafanas_own_alerts_silences_and_queries_pass(string method, string path)
    {
        Skip.IfMissing(Component.Edge);
        Assert.Equal(HttpStatusCode.OK, (await edge.SendAsync(method, path)).Status);
    }

    [Theory]
    [InlineData("GET", "/grafana/user/password/send-reset-email")]
    [InlineData("POST", "/grafana/api/user/password/send-reset-email")]
    [InlineData("POST", "/grafana/api/user//password/reset")]
    public async Task The_form_that_resets_a_password_is_closed(string method, string path)
    {
        Skip.IfMissing(Component.Edge);
        Assert.Equal(HttpStatusCode.NotFound, (await edge.SendAsync(method, path)).Status);
    }

    [Fact]
    public async Task A_client_cannot_choose_its_address_and_no_code_is_passed_on()
    {
        Skip.IfMissing(Component.Edge);

        var (_, body) = await edge.SendAsync("GET", "/grafana/", ("X-Real-IP", "192.0.2.66"), ("Forwarded", "for=192.0.2.66"), ("X-Forwarded-For", "192.0.2.66"), ("X-Forwarded-Prefix", "/evil"), ("X-WEBAUTH-USER", "admin"), ("X-Original-URL", "/evil"), ("Referer", "https://llm.example/grafana/login/generic_oauth?code=abc&state=def"));

        Assert.Matches("^grafana GET /grafana/ real= forwarded= for=[0-9.]+ prefix= user= original= referer=https://llm.example/grafana/login/generic_oauth$", body);
        Assert.DoesNotContain("192.0.2.66", body, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("https://127.0.0.1/")]
    [InlineData("https://other.example/api/tags")]
    public async Task Another_name_gets_a_page_that_names_the_right_one(string address)
    {
        Skip.IfMissing(Component.Edge);

        using var answer = await edge.Client.GetAsync(new Uri(address));

        Assert.Equal(HttpStatusCode.MisdirectedRequest, answer.StatusCode);
        Assert.Equal("This server answers to https://llm.example; open that. The name is set by Hazumu__Edge__Name on the server.", await answer.Content.ReadAsStringAsync());
    }

    [Theory]
    [InlineData("", "/grafana/login", "The edge cannot reach Grafana: it is not part of this application, is starting, or has stopped.")]
    [InlineData("", "/api/tags", "{\"error\":\"The edge cannot reach the gateway:")]
    [InlineData("EDGE_GRAFANA_HOST=llm.example", "/login", "The edge cannot reach Grafana:")]
    public async Task An_absent_upstream_of_the_edge_is_named(string variable, string path, string sentence)
    {
        Skip.IfMissing(Component.Edge);

        var id = await EdgeContainer.StartAsync("", variable.Length == 0 ? [] : [variable, "EDGE_HOST=api.example"]);
        try
        {
            using var client = EdgeContainer.ClientOf(await EdgeContainer.PortAsync(id));
            await Wait.UntilAsync("the edge", TimeSpan.FromSeconds(60), async () =>
            {
                using var answer = await client.GetAsync(new Uri($"https://llm.example{path}"));
                Assert.Equal(HttpStatusCode.BadGateway, answer.StatusCode);
                Assert.StartsWith(sentence, await answer.Content.ReadAsStringAsync(), StringComparison.Ordinal);
                Assert.Equal(TimeSpan.FromSeconds(5), answer.Headers.RetryAfter!.Delta);
            });
        }
        finally
        {
            await ContainerCli.RunOrThrowAsync("rm", "--force", "--volumes", id);
        }
    }
}
