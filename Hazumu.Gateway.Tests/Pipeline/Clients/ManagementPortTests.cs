using System.Globalization;
using System.Net.Sockets;
using Hazumu.Gateway.Tests.Cluster;
using Hazumu.Gateway.Tests.Serving;
using Hazumu.Gateway.Tests.Streams;
using Hazumu.Mocks;
using Hazumu.Testing;

namespace Hazumu.Gateway.Tests.Pipeline.Clients;

public sealed class ManagementPortTests : IAsyncLifetime
{
    private const int ConnectionLimit = 20;

    private readonly int _port = ClusterGroup.FreePort();
    private MockEngine _engine = null!;
    private TestGateway _gateway = null!;
    private HttpClient _management = null!;

    public async ValueTask InitializeAsync()
    {
        _engine = await MockEngine.StartAsync(new MockEngineOptions { Models = [new MockModel("mock")] });
        _gateway = await StartAsync("--urls=http://127.0.0.1:0");
        _management = TestGateway.Client(new Uri($"http://127.0.0.1:{_port}"));
    }

    public async ValueTask DisposeAsync()
    {
        _management.Dispose();
        await _gateway.DisposeAsync();
        await _engine.DisposeAsync();
    }

    [Theory]
    [InlineData("/health", 200)]
    [InlineData("/alive", 200)]
    [InlineData("/metrics", 200)]
    [InlineData("/models", 200)]
    [InlineData("/api/tags", 404)]
    [InlineData("/", 404)]
    public async Task It_has_health_and_metrics_and_nothing_else(string path, int status)
    {
        Assert.Equal(status, (await _management.AnswerAsync(HttpMethod.Get, path)).Status);
        Assert.Equal(status == 404 ? 404 : status, (await _management.AnswerAsync(HttpMethod.Get, path + (path == "/" ? "" : "/"))).Status);
    }

    [Theory]
    [InlineData("/models")]
    [InlineData("/metrics")]
    [InlineData("/METRICS")]
    [InlineData("/metrics/")]
    [InlineData("/api/%2e%2e/metrics")]
    [InlineData("/api/../metrics")]
    [InlineData("//metrics")]
    public async Task No_spelling_of_a_path_leads_from_the_clients_port_to_metrics(string target)
    {
        using var connection = await RawConnection.OpenAsync(_gateway.Address);
        await connection.SendAsync(string.Create(CultureInfo.InvariantCulture, $"GET {target} HTTP/1.1\r\nHost: 127.0.0.1:{_port}\r\n\r\n"));

        var answer = await connection.ReadAsync();

        Assert.Equal(404, answer.Status);
        Assert.DoesNotContain("hazumu_gateway", answer.Text, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("/health")]
    [InlineData("/alive")]
    public async Task The_clients_port_can_be_probed(string path) => Assert.Equal(200, (await _gateway.Http.AnswerAsync(HttpMethod.Get, path)).Status);

    [Fact]
    public async Task Connections_of_clients_do_not_exhaust_it()
    {
        await _gateway.DisposeAsync();
        await using var gateway = await TestGatewayProcess.StartAsync(_engine.Address, $"--Gateway:Management:Port={_port}", $"--Gateway:Connections:Limit={ConnectionLimit}");
        var crowd = new List<RawConnection>();
        try
        {
            // One more is closed at once, so that its beginning of a request ends in nothing.
            var rejected = 0;
            for (var client = 0; client < 2 * ConnectionLimit; client++)
            {
                var connection = await RawConnection.OpenAsync(gateway.Address);
                crowd.Add(connection);
                if (!await StaysAsync(connection))
                {
                    rejected++;
                }
            }

            // The client of these tests has a connection open too.
            Assert.InRange(rejected, ConnectionLimit, ConnectionLimit + 1);
            foreach (var path in (string[])["/alive", "/health"])
            {
                Assert.Equal(200, (await _management.AnswerAsync(HttpMethod.Get, path)).Status);
            }

            var metrics = (await _management.AnswerAsync(HttpMethod.Get, "/metrics")).Text;
            Assert.Matches($@"hazumu_gateway_connections_rejected_total\{{[^}}]*reason=""limit""[^}}]*\}} {rejected}[ \n]", metrics);
        }
        finally
        {
            crowd.ForEach(connection => connection.Dispose());
        }

        await Wait.UntilAsync(() => Assert.Equal(200, gateway.Http.ChatAsync().GetAwaiter().GetResult().Status));
    }

    [Fact]
    public async Task It_is_there_beside_endpoints_of_Kestrels_own_section()
    {
        await _gateway.DisposeAsync();
        var port = ClusterGroup.FreePort();
        _gateway = await StartAsync($"--Kestrel:Endpoints:test:Url=http://127.0.0.1:{port}");
        using var clients = TestGateway.Client(new Uri($"http://127.0.0.1:{port}"));

        Assert.Equal(200, (await _management.AnswerAsync(HttpMethod.Get, "/metrics")).Status);
        Assert.Equal(404, (await clients.AnswerAsync(HttpMethod.Get, "/metrics")).Status);
        Assert.Equal(200, (await clients.AnswerAsync(HttpMethod.Get, "/api/tags")).Status);
    }

    private Task<TestGateway> StartAsync(string endpoint) => TestGateway.StartAsync(
        _engine.Address, endpoint, $"--Gateway:Management:Port={_port}", $"--Gateway:Connections:Limit={ConnectionLimit}");

    // Asks something that is answered at once, and keeps the connection.
    private static async Task<bool> StaysAsync(RawConnection connection)
    {
        try
        {
            await connection.SendAsync("GET", "/", "");
            return (await connection.ReadAsync()).Status == 200;
        }
        catch (Exception error) when (error is IOException or SocketException)
        {
            return false;
        }
    }
}
