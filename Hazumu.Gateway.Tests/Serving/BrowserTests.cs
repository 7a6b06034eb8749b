using System.Globalization;
using Hazumu.Gateway.Configuration;
using Hazumu.Gateway.Tests.Streams;
using Hazumu.Mocks;
using Hazumu.Settings;
using Hazumu.Testing;
using Microsoft.AspNetCore.Http;

namespace Hazumu.Gateway.Tests.Serving;

/// <summary>What a page in a browser may do with the gateway. <see cref="ChromiumTests"/> has a real browser do it.</summary>
public sealed class BrowserTests : IAsyncLifetime
{
    private const string Page = "http://localhost:5173";
    private const string InferKey = "the-key-of-a-page-that-infers-0123456789";
    private const string ReadKey = "the-key-of-somebody-who-reads-0123456789";

    private MockEngine _one = null!;
    private MockEngine _two = null!;

    public async ValueTask InitializeAsync()
    {
        _one = await MockEngine.StartAsync(new MockEngineOptions { Models = [new MockModel("mock")] });
        _two = await MockEngine.StartAsync(new MockEngineOptions { Models = [new MockModel("mock")] });
    }

    public async ValueTask DisposeAsync()
    {
        await _one.DisposeAsync();
        await _two.DisposeAsync();
    }

    public static TheoryData<string> OwnPaths => ["/", "/api/tags", "/api/chat", "/v1/models", "/metrics", "/health", "/alive", "/hazumu/peers/3", "/nothing"];

    [Theory]
    [MemberData(nameof(OwnPaths))]
    public async Task A_strangers_host_gets_403_on_every_path(string path)
    {
        await using var gateway = await StartAsync();

        var answer = await SendAsync(gateway, "GET", path, "Host: evil.example:11434");

        Assert.Equal(403, answer.Status);
        Assert.Contains("'evil.example' is not a name of this gateway", answer.Text, StringComparison.Ordinal);
        Assert.Contains("Gateway:AllowedHosts", answer.Text, StringComparison.Ordinal);
        Assert.DoesNotContain(_one.Requests.Concat(_two.Requests), request => request.Path == path && request.Headers.ContainsKey("X-Request-Id"));
    }

    [Theory]
    [InlineData("localhost")]
    [InlineData("LOCALHOST:11434")]
    [InlineData("app.localhost")]
    [InlineData("gpu.local")]
    [InlineData("host.docker.internal:11435")]
    [InlineData("gateway.hazumu.svc.cluster.local")]
    [InlineData("127.0.0.1")]
    [InlineData("[::1]:11434")]
    [InlineData("10.1.2.3:8080")]
    [InlineData("203.0.113.7")]
    [InlineData("gpu.example.org")]
    [InlineData("gpu.example.org.")]
    [InlineData("a.b.team.example:443")]
    public async Task An_own_name_is_answered(string host)
    {
        await using var gateway = await StartAsync("--Gateway:AllowedHosts=gpu.example.org,*.team.example");

        Assert.Equal(200, (await SendAsync(gateway, "GET", "/", $"Host: {host}")).Status);
    }

    [Theory]
    [InlineData("team.example")]
    [InlineData("evilteam.example")]
    [InlineData("localhost.evil.example")]
    [InlineData("127.0.0.1.evil.example")]
    [InlineData("gpu.example.org.evil.example")]
    [InlineData("internal")]
    [InlineData("gateway")]
    public async Task A_name_that_only_looks_like_it_gets_403(string host)
    {
        await using var gateway = await StartAsync("--Gateway:AllowedHosts=gpu.example.org,*.team.example");

        Assert.Equal(403, (await SendAsync(gateway, "GET", "/", $"Host: {host}")).Status);
    }

    [Fact]
    public void The_machines_own_name_and_no_name_at_all_are_allowed()
    {
        foreach (var host in (string[])["", Environment.MachineName, Environment.MachineName.ToUpperInvariant() + ":8080"])
        {
            Assert.True(HostNames.IsAllowed(new HostString(host), new GatewayOptions()), host);
        }

        Assert.True(HostNames.IsAllowed(new HostString("evil.example"), new GatewayOptions { AllowedHosts = ["*"] }));
    }

    [Theory]
    [InlineData("GET", "/", 200)]
    [InlineData("GET", "/api/tags", 200)]
    [InlineData("GET", "/api/ps", 200)]
    [InlineData("GET", "/v1/models", 200)]
    [InlineData("GET", "/api/version", 200)]
    [InlineData("POST", "/api/chat", 200)]
    [InlineData("POST", "/v1/chat/completions", 400)]
    [InlineData("DELETE", "/api/delete", 400)]
    public async Task Every_answer_to_an_allowed_page_can_be_read(string method, string path, int status)
    {
        await using var gateway = await StartAsync();

        var answer = await SendAsync(gateway, method, path, $"Origin: {Page}", method == "GET" ? "" : status == 200 ? Ask.Body() : "{");

        Assert.Equal(status, answer.Status);
        CanBeRead(answer);
        Assert.All(_one.Requests.Concat(_two.Requests), request => Assert.False(request.Headers.ContainsKey("Origin")));
    }

    [Theory]
    [InlineData("GET", "/api/tags", null, 401)]
    [InlineData("POST", "/api/chat", "hzm_00000000_0000000000000000000000000000000000000000000", 401)]
    [InlineData("DELETE", "/api/delete", InferKey, 403)]
    public async Task A_refusal_can_be_read(string method, string path, string? key, int status)
    {
        await using var gateway = await StartAsync("--Gateway:Keys:Required=true", $"--Gateway:Keys:Configured:page:Key={InferKey}", "--Gateway:Keys:Configured:page:Scopes=infer");

        var answer = await SendAsync(gateway, method, path, $"Origin: {Page}{(key is null ? "" : $"\r\nAuthorization: Bearer {key}")}", method == "GET" ? "" : Ask.Body());

        Assert.Equal(status, answer.Status);
        CanBeRead(answer);
    }

    [Fact]
    public async Task An_outage_can_be_read()
    {
        await using var gateway = await StartAsync("--Gateway:Queue:OutageTimeout=100ms", "--Gateway:Fleet:ProbeInterval=50ms", "--Gateway:Fleet:FailureThreshold=1");
        await _one.DisposeAsync();
        await _two.DisposeAsync();
        RawAnswer answer = null!;
        await Wait.UntilAsync(() =>
        {
            answer = SendAsync(gateway, "POST", "/api/chat", $"Origin: {Page}", Ask.Body()).GetAwaiter().GetResult();
            Assert.Equal(503, answer.Status);
        });

        CanBeRead(answer);
    }

    [Theory]
    [InlineData("/api/chat")]
    [InlineData("/v1/messages")]
    [InlineData("/nothing")]
    public async Task A_preflight_is_answered_without_a_key_and_no_instance_sees_it(string path)
    {
        await using var gateway = await StartAsync("--Gateway:Keys:Required=true");

        var answer = await SendAsync(
            gateway, "OPTIONS", path, $"Origin: {Page}\r\nAccess-Control-Request-Method: POST\r\nAccess-Control-Request-Headers: authorization,anthropic-version,x-api-key");

        Assert.Equal(204, answer.Status);
        Assert.Equal(Page, answer["Access-Control-Allow-Origin"]);
        Assert.Equal("POST", answer["Access-Control-Allow-Methods"]);
        Assert.Equal("authorization,anthropic-version,x-api-key", answer["Access-Control-Allow-Headers"]);
        Assert.Equal("43200", answer["Access-Control-Max-Age"]);
        Assert.DoesNotContain(_one.Requests.Concat(_two.Requests), request => request.Method == "OPTIONS");
    }

    [Theory]
    [InlineData("/api/pull", "")]
    [InlineData("/api/chat", """{"model":"mock"}""")]
    [InlineData("*", "")]
    [InlineData("/api/chat", "", "Hazumu-Instance: zz\r\n")]
    public async Task No_other_OPTIONS_reaches_an_instance_or_names_one(string target, string body, string header = "")
    {
        await using var gateway = await StartAsync("--Gateway:Keys:Required=true");

        var answer = await SendAsync(gateway, "OPTIONS", target, $"{header}X-Probe: 1", body);

        Assert.Equal(204, answer.Status);
        Assert.Empty(answer.Body);
        Assert.DoesNotContain(_one.Requests.Concat(_two.Requests), request => request.Method == "OPTIONS");
    }

    [Fact]
    public async Task An_unknown_instance_lists_the_others_only_to_callers_that_may_read()
    {
        await using var gateway = await StartAsync(
            "--Gateway:Keys:Required=true",
            $"--Gateway:Keys:Configured:page:Key={InferKey}", "--Gateway:Keys:Configured:page:Scopes=infer",
            $"--Gateway:Keys:Configured:ops:Key={ReadKey}", "--Gateway:Keys:Configured:ops:Scopes=read");

        var told = await SendAsync(gateway, "POST", "/api/show", $"Hazumu-Instance: zz\r\nAuthorization: Bearer {ReadKey}", """{"model":"mock"}""");
        var untold = await SendAsync(gateway, "POST", "/v1/messages/count_tokens", $"Hazumu-Instance: zz\r\nAuthorization: Bearer {InferKey}", Ask.Body());

        Assert.Equal((400, 400), (told.Status, untold.Status));
        Assert.Contains("There is no instance 'zz'; there are: one, two.", told.Text, StringComparison.Ordinal);
        Assert.Contains("There is no instance 'zz'.", untold.Text, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("GET", "/api/tags")]
    [InlineData("POST", "/api/chat")]
    [InlineData("OPTIONS", "/api/chat")]
    [InlineData("GET", "/metrics")]
    public async Task A_page_of_a_foreign_origin_gets_403(string method, string path)
    {
        await using var gateway = await StartAsync();

        var answer = await SendAsync(gateway, method, path, "Origin: https://evil.example\r\nAccess-Control-Request-Method: POST", method == "POST" ? Ask.Body() : "");

        Assert.Equal(403, answer.Status);
        Assert.Contains("Pages of 'https://evil.example' may not use this gateway", answer.Text, StringComparison.Ordinal);
        Assert.Null(answer["Access-Control-Allow-Origin"]);
        Assert.DoesNotContain(_one.Requests.Concat(_two.Requests), request => request.Headers.ContainsKey("X-Request-Id"));
    }

    [Theory]
    [InlineData("http://gpu.example.org:8080", "gpu.example.org:8080")]
    [InlineData("https://gpu.example.org", "gpu.example.org")]
    [InlineData("http://127.0.0.1:9", "127.0.0.1:9")]
    public async Task A_page_of_the_same_origin_passes(string origin, string host)
    {
        await using var gateway = await StartAsync("--Gateway:AllowedHosts=gpu.example.org", "--Gateway:AllowedOrigins=https://chat.example");

        var answer = await SendAsync(gateway, "POST", "/api/chat", $"Host: {host}\r\nOrigin: {origin}", Ask.Body());

        Assert.Equal(200, answer.Status);
        Assert.Null(answer["Access-Control-Allow-Origin"]);
    }

    [Theory]
    [InlineData("http://localhost", true)]
    [InlineData("https://LOCALHOST:8443", true)]
    [InlineData("http://127.0.0.1:3000", true)]
    [InlineData("http://0.0.0.0:1", true)]
    [InlineData("app://obsidian.md", true)]
    [InlineData("vscode-webview://1a2b", true)]
    [InlineData("file://", true)]
    [InlineData("null", false)]
    [InlineData("http://localhost.evil.example", false)]
    [InlineData("http://evil.example", false)]
    [InlineData("chrome-extension://abc", false)]
    public void Without_a_setting_Ollamas_origins_are_allowed(string origin, bool isAllowed) => Assert.Equal(isAllowed, Origins.IsAllowed(origin, []));

    [Theory]
    [InlineData("https://chat.example", "https://chat.example", true)]
    [InlineData("https://chat.example", "https://chat.example:8443", false)]
    [InlineData("https://chat.example:*", "https://chat.example:8443", true)]
    [InlineData("https://*.apps.example", "https://a.b.apps.example", true)]
    [InlineData("https://*.apps.example", "https://apps.example", false)]
    [InlineData("https://*.apps.example", "https://evilapps.example", false)]
    [InlineData("chrome-extension://*", "chrome-extension://abc", true)]
    [InlineData("*", "https://anything.example", true)]
    [InlineData("https://chat.example", "http://localhost:3000", false)]
    public void A_setting_takes_their_place(string setting, string origin, bool isAllowed) => Assert.Equal(isAllowed, Origins.IsAllowed(origin, [setting]));

    [Theory]
    [InlineData("AllowedOrigins", "chat.example.org")]
    [InlineData("AllowedOrigins", "https://chat.example.org/")]
    [InlineData("AllowedOrigins", "https://*.example.*")]
    [InlineData("AllowedHosts", "http://gpu")]
    [InlineData("AllowedHosts", "gpu:8080")]
    [InlineData("AllowedHosts", "*.*.example.org")]
    public async Task A_setting_that_can_never_match_is_refused_at_the_start(string setting, string value)
    {
        var problem = await Assert.ThrowsAsync<StartupProblemException>(() => StartAsync($"--Gateway:{setting}={value}"));

        Assert.StartsWith($"'Gateway:{setting}'", problem.Message, StringComparison.Ordinal);
        Assert.Contains("allowed: ", problem.Message, StringComparison.Ordinal);
    }

    private static void CanBeRead(RawAnswer answer)
    {
        Assert.Equal(Page, answer["Access-Control-Allow-Origin"]);
        Assert.Equal("Origin", answer["Vary"]);
        Assert.Contains("X-Request-Id", answer["Access-Control-Expose-Headers"], StringComparison.Ordinal);
        Assert.Contains("Retry-After", answer["Access-Control-Expose-Headers"], StringComparison.Ordinal);
    }

    private Task<TestGateway> StartAsync(params string[] arguments) =>
        TestGateway.StartAsync([("one", _one.Address), ("two", _two.Address)], ["--Gateway:AllowedHosts=", .. arguments]);

    private static async Task<RawAnswer> SendAsync(TestGateway gateway, string method, string target, string headers, string body = "")
    {
        using var connection = await RawConnection.OpenAsync(gateway.Address);
        var host = headers.StartsWith("Host: ", StringComparison.Ordinal) ? "" : $"Host: {gateway.Address.Authority}\r\n";
        await connection.SendAsync(string.Create(
            CultureInfo.InvariantCulture, $"{method} {target} HTTP/1.1\r\n{host}{headers}\r\nContent-Type: application/json\r\nContent-Length: {body.Length}\r\n\r\n{body}"));
        return await connection.ReadAsync(isHead: false);
    }
}
