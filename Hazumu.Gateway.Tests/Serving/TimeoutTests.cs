using System.Diagnostics;
using System.Net;
using System.Security.Cryptography;
using Hazumu.Gateway.Tests.Streams;
using Hazumu.Mocks;
using Hazumu.Testing;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Time.Testing;

namespace Hazumu.Gateway.Tests.Serving;

/// <summary>Engines that are silent, for too long or for good reason.</summary>
public sealed class TimeoutTests
{
    [Theory]
    [MemberData(nameof(Ask.Dialects), MemberType = typeof(Ask))]
    public async Task An_engine_that_hangs_before_its_answer_is_cut_off_without_a_retry(string path)
    {
        await using var engines = await Two.StartAsync("--Gateway:Timeouts:FirstByte=300ms");
        engines.A.Inject(new MockFault(MockFaultKind.HangBeforeHeaders));
        var watch = Stopwatch.StartNew();

        var answer = await engines.Gateway.Http.ChatAsync(path);

        answer.IsRefusal(path, HttpStatusCode.GatewayTimeout, path == Ask.Anthropic ? "timeout_error" : "api_error", "did not begin to answer in time");
        Assert.InRange(watch.Elapsed.TotalSeconds, 0.3, 5);
        await engines.A.WaitUntilAsync(engine => engine.Statistics.AllDisconnects == 1);
        Assert.Empty(engines.B.Inferences());
        await Wait.UntilAsync(() => Assert.Equal(0, engines.Gateway.Measured.Now("hazumu.gateway.slots.used")));
        await engines.Gateway.Measured.RequestsAsync(1);
        Assert.Equal(1, engines.Gateway.Measured.Sum("hazumu.gateway.requests", ("outcome", "engine_timeout")));
    }

    [Theory]
    [MemberData(nameof(Ask.Dialects), MemberType = typeof(Ask))]
    public async Task A_stream_that_stalls_is_cut(string path)
    {
        await using var engine = await MockEngine.StartAsync();
        await using var gateway = await TestGateway.StartAsync(engine.Address, "--Gateway:Timeouts:Stall=300ms");
        engine.Inject(new MockFault(MockFaultKind.Stall) { AfterTokens = 2 });
        var watch = Stopwatch.StartNew();

        using var answer = await gateway.Http.BeginAsync(path);
        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        await Assert.ThrowsAnyAsync<Exception>(() => answer.Content.ReadAsStringAsync());

        Assert.InRange(watch.Elapsed.TotalSeconds, 0.3, 5);
        await engine.WaitUntilAsync(engine => engine.Statistics.Disconnects.GetValueOrDefault(MockPhase.Streaming) == 1);
        await gateway.Measured.RequestsAsync(1);
        Assert.Equal(1, gateway.Measured.Sum("hazumu.gateway.requests", ("outcome", "stream_stalled")));
    }

    [Fact]
    public async Task A_load_may_be_silent_for_longer_than_anything_else()
    {
        await using var engine = await MockEngine.StartAsync(new() { LoadTime = TimeSpan.FromSeconds(2.5) });
        await using var gateway = await TestGateway.StartAsync(engine.Address, "--Gateway:Timeouts:Stall=300ms", "--Gateway:Timeouts:Connect=300ms", "--Gateway:Queue:Timeout=300ms");

        var answer = await gateway.Http.ChatAsync();

        Assert.Equal(200, answer.Status);
        Assert.Contains("\"done\":true", answer.Text, StringComparison.Ordinal);
        await gateway.Measured.RequestsAsync(1);
        await gateway.MeasuresAsync(1, "hazumu.gateway.cold_starts");
    }

    [Theory]
    [InlineData("POST", "/api/pull", true)]
    [InlineData("POST", "/api/push", true)]
    [InlineData("POST", "/api/create", true)]
    [InlineData("POST", "/api/pull", false)]
    [InlineData("POST", "/api/copy", false)]
    [InlineData("POST", "/api/blobs/sha256:x", false)]
    public async Task Management_may_be_silent_for_longer_than_a_token(string method, string path, bool hasBegun)
    {
        var time = new FakeTimeProvider();
        await using var engine = RawEngine.Start(async exchange =>
        {
            await exchange.ReadBodyAsync();
            await exchange.BeginAsync("application/x-ndjson");
            if (hasBegun)
            {
                await exchange.SendChunkAsync("{\"status\":\"verifying sha256 digest\"}\n"u8.ToArray());
            }

            // The watch checks every second; what it cuts off has no end of an answer.
            time.Advance(TimeSpan.FromSeconds(2.5));
            await exchange.SendChunkAsync("{\"status\":\"success\"}\n"u8.ToArray());
            await exchange.EndChunksAsync();
        });
        await using var gateway = await TestGateway.StartAsync(
            [("engine", engine.Address)], services => services.AddSingleton<TimeProvider>(time), "--Gateway:Timeouts:Stall=300ms", "--Gateway:Timeouts:FirstByte=300ms");

        var answer = await gateway.Http.AnswerAsync(new(method), path, """{"model":"mock","source":"mock","destination":"other","from":"mock"}""");

        Assert.Contains("success", answer.Text, StringComparison.Ordinal);
        await gateway.Measured.RequestsAsync(1);
        Assert.Equal(1, gateway.Measured.Sum("hazumu.gateway.requests", ("outcome", "success")));
    }

    [Fact]
    public async Task Management_has_a_limit_of_its_own()
    {
        await using var engine = RawEngine.Start(async exchange =>
        {
            await exchange.ReadBodyAsync();
            await exchange.BeginAsync("application/x-ndjson");
            await exchange.SendChunkAsync("{\"status\":\"verifying sha256 digest\"}\n"u8.ToArray());
            await exchange.Gone;
        });
        await using var gateway = await TestGateway.StartAsync(engine.Address, "--Gateway:Timeouts:Management=300ms");

        await Assert.ThrowsAsync<HttpRequestException>(() => gateway.Http.ChatAsync("/api/pull", """{"model":"mock"}"""));

        await gateway.Measured.RequestsAsync(1);
        Assert.Equal(1, gateway.Measured.Sum("hazumu.gateway.requests", ("outcome", "stream_stalled")));
    }

    [Fact]
    public async Task A_client_that_uploads_slowly_is_no_engine_that_hangs()
    {
        await using var engine = await MockEngine.StartAsync();
        await using var gateway = await TestGateway.StartAsync(engine.Address, "--Gateway:Timeouts:FirstByte=1500ms");
        var blob = new byte[24 * 1024];
        using var connection = await RawConnection.OpenAsync(gateway.Address);

        await connection.SendAsync($"POST /api/blobs/sha256:{Convert.ToHexStringLower(SHA256.HashData(blob))} HTTP/1.1\r\nHost: gateway\r\nContent-Length: {blob.Length}\r\n\r\n");
        for (var part = 0; part < 12; part++)
        {
            // A slow line: twice as long in all as the engine may take for its first byte.
            await connection.SendAsync(blob.AsMemory(part * 2048, 2048));
            await Task.Delay(250);
        }

        Assert.Equal(201, (await connection.ReadAsync()).Status);
    }
}
