using System.Text;
using System.Text.Json;
using Hazumu.Gateway.Pipeline.Requests;
using Hazumu.Gateway.Telemetry;
using Hazumu.Gateway.Tests.Streams;
using Hazumu.Mocks;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;

namespace Hazumu.Gateway.Tests.Serving;

/// <summary>Clients that wait for their stream to begin are sent something that means nothing.</summary>
public sealed class KeepAliveTests
{
    private const string Setting = "--Gateway:KeepAlive=100ms";
    private const string Comment = ": keep-alive\n\n";

    [Theory]
    [InlineData(Ask.OpenAI)]
    [InlineData(Ask.Anthropic)]
    public async Task Events_begin_with_comments(string path)
    {
        await using var engine = await MockEngine.StartAsync(new() { LoadTime = TimeSpan.FromSeconds(1) });
        await using var gateway = await TestGateway.StartAsync(engine.Address, Setting);

        var answer = await gateway.Http.ChatAsync(path, Ask.Body());

        Assert.Equal((200, "text/event-stream"), (answer.Status, answer["Content-Type"]));
        Assert.NotNull(answer["X-Request-Id"]);
        Assert.StartsWith(Comment + Comment, answer.Text, StringComparison.Ordinal);

        // What follows is the engine's, byte for byte but for the usage that the client did not request.
        var sent = Encoding.UTF8.GetString(Assert.Single(engine.Inferences()).Sent);
        Assert.EndsWith(path == Ask.OpenAI ? "data: [DONE]\n\n" : answer.Text.Replace(Comment, "", StringComparison.Ordinal), sent, StringComparison.Ordinal);
        await gateway.Measured.RequestsAsync(1);
        Assert.Equal(1, gateway.Measured.Sum("hazumu.gateway.requests", ("outcome", "success")));
    }

    [Fact]
    public async Task Lines_of_JSON_begin_with_spaces_in_the_queue_too()
    {
        await using var engine = HeldEngine.Start();
        await using var gateway = await TestGateway.StartAsync(engine.Address, Setting);
        var running = gateway.Http.ChatAsync();
        await engine.HoldsAsync(1);
        using var waiting = await gateway.Http.BeginAsync();
        await gateway.WaitsAsync(1);
        Assert.Equal("application/x-ndjson", waiting.Content.Headers.ContentType?.MediaType);
        engine.Release(2);

        foreach (var text in new[] { (await running).Text, await waiting.Content.ReadAsStringAsync() })
        {
            Assert.StartsWith(" ", text, StringComparison.Ordinal);
            Assert.True(JsonDocument.Parse(text.TrimEnd('\n')).RootElement.GetProperty("done").GetBoolean());
        }
    }

    [Fact]
    public async Task An_answer_that_is_not_streamed_is_left_alone()
    {
        await using var engine = await MockEngine.StartAsync(new() { LoadTime = TimeSpan.FromMilliseconds(500) });
        await using var gateway = await TestGateway.StartAsync(engine.Address, Setting);

        Assert.StartsWith("{", (await gateway.Http.ChatAsync(body: Ask.Body(streams: false))).Text, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("/v1/embeddings")]
    [InlineData("/api/embed")]
    public async Task An_answer_that_is_never_streamed_is_left_alone(string path)
    {
        await using var engine = await MockEngine.StartAsync(new() { LoadTime = TimeSpan.FromMilliseconds(500) });
        await using var gateway = await TestGateway.StartAsync(engine.Address, Setting);

        var answer = await gateway.Http.AnswerAsync(HttpMethod.Post, path, """{"model":"mock","input":"hi","stream":true}""");

        Assert.StartsWith("application/json", answer["Content-Type"], StringComparison.Ordinal);
        Assert.StartsWith("{", answer.Text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_stream_that_begins_soon_is_left_alone()
    {
        await using var engine = await MockEngine.StartAsync();
        await using var gateway = await TestGateway.StartAsync(engine.Address, "--Gateway:KeepAlive=20s");

        var answer = await gateway.Http.ChatAsync(Ask.OpenAI);

        Assert.StartsWith("data:", answer.Text, StringComparison.Ordinal);
        Assert.Equal("engine", answer.Instance);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task An_attempt_that_fails_meanwhile_is_repeated_and_leaves_no_header(bool hasHeaders)
    {
        await using var a = RawEngine.Start(async exchange =>
        {
            await exchange.ReadBodyAsync();
            if (hasHeaders)
            {
                await exchange.BeginAsync("text/event-stream\r\nX-Engine: a");
            }

            await Task.Delay(500);
            exchange.Reset();
        });
        await using var b = await MockEngine.StartAsync();
        await using var gateway = await TestGateway.StartAsync(
            [("a", a.Address), ("b", b.Address)], Setting, "--Gateway:ModelNames:0:Name=x", "--Gateway:ModelNames:0:Models=mock");

        var answer = await gateway.Http.ChatAsync(Ask.OpenAI, Ask.Body(model: "x"));

        Assert.Single(a.Exchanges);
        Assert.All(["Hazumu-Instance", "Hazumu-Model", "Hazumu-Queue-Position", "X-Engine"], name => Assert.Null(answer[name]));
        Assert.StartsWith(Comment, answer.Text, StringComparison.Ordinal);
        Assert.EndsWith("data: [DONE]\n\n", answer.Text, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(Ask.Native, "{\"error\": \"no model\" }\n")]
    [InlineData(Ask.OpenAI, "event: error\ndata: {\"error\": \"no model\" }\n\n")]
    public async Task An_engines_error_is_in_the_stream_which_is_broken_off(string path, string expected)
    {
        await using var engine = RawEngine.Start(async exchange =>
        {
            await exchange.ReadBodyAsync();
            await Task.Delay(500);
            await exchange.AnswerAsync(404, "Content-Type: application/json", "{\"error\": \"no model\"\n}");
        });
        var last = new LastRequest();
        await using var gateway = await TestGateway.StartAsync(
            [("engine", engine.Address)],
            services => services.AddSingleton<IRequestRecorder>(
                provider => last.Before(ActivatorUtilities.CreateInstance<RequestRecorder>(provider))),
            Setting);

        Assert.EndsWith(expected, await ReadBrokenAsync(gateway, path), StringComparison.Ordinal);
        await gateway.Measured.RequestsAsync(1);

        // The log has the client's status, and no times of an answer that there is not.
        Assert.Equal((200, (double?)null), (last.Request!.StatusCode, RequestPhases.Of(last.Request).Prefill));
        Assert.Equal(1, gateway.Measured.Sum("hazumu.gateway.requests", ("outcome", "engine_refused")));
    }

    [Fact]
    public async Task Engines_error_of_any_size_is_one_sentence_in_the_stream()
    {
        await using var engine = RawEngine.Start(async exchange =>
        {
            await exchange.ReadBodyAsync();
            await Task.Delay(500);
            await exchange.AnswerAsync(404, "Content-Type: application/json", $$"""{"error":"{{new string('x', 200_000)}}"}""");
        });
        await using var gateway = await TestGateway.StartAsync(engine.Address, Setting);

        var text = await ReadBrokenAsync(gateway, Ask.Native);
        Assert.EndsWith("{\"error\":\"The model server answered with the status 404 and more than 65536 bytes.\"}\n", text, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(Ask.Native, "{\"error\":\"The server is busy: no slot")]
    [InlineData(Ask.OpenAI, "event: error\ndata: {\"error\":{\"message\":\"The server is busy: no slot")]
    [InlineData(Ask.Anthropic, "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\"")]
    public async Task The_gateways_own_error_is_in_the_stream_which_is_broken_off(string path, string expected)
    {
        await using var engine = HeldEngine.Start();
        await using var gateway = await TestGateway.StartAsync(engine.Address, Setting, "--Gateway:Queue:Timeout=600ms");
        using var running = new CancellationTokenSource();
        var first = gateway.Http.ChatAsync(body: Ask.Body(streams: false), cancellationToken: running.Token);
        await engine.HoldsAsync(1);

        Assert.Contains(expected, await ReadBrokenAsync(gateway, path), StringComparison.Ordinal);
        await gateway.Measured.RequestsAsync(1);
        Assert.Equal(1, gateway.Measured.Sum("hazumu.gateway.requests", ("outcome", "queue_timeout")));
        engine.Release();
        Assert.Equal(200, (await first).Status);
    }

    private static async Task<string> ReadBrokenAsync(TestGateway gateway, string path)
    {
        using var answer = await gateway.Http.BeginAsync(path);
        Assert.True(answer.IsSuccessStatusCode);
        await using var stream = await answer.Content.ReadAsStreamAsync();
        using var text = new MemoryStream();
        await Assert.ThrowsAnyAsync<IOException>(async () =>
        {
            var piece = new byte[1024];
            for (var count = 1; count > 0;)
            {
                count = await stream.ReadAsync(piece);
                text.Write(piece, 0, count);
            }
        });
        return Encoding.UTF8.GetString(text.ToArray());
    }

    // Keeps what the access log is given.
    private sealed class LastRequest : IRequestRecorder
    {
        private IRequestRecorder? _next;

        public GatewayRequest? Request { get; private set; }

        public LastRequest Before(IRequestRecorder next)
        {
            _next = next;
            return this;
        }

        public void Begin(GatewayRequest request) => _next!.Begin(request);

        public void Record(GatewayRequest request, HttpContext context)
        {
            Request = request;
            _next!.Record(request, context);
        }
    }
}
