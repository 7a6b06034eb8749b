using System.Net;
using System.Text;
using System.Text.Json;
using Hazumu.Gateway.Tests.Streams;
using Hazumu.Gateway.Upstreams;
using Hazumu.Mocks;

namespace Hazumu.Gateway.Tests.Serving;

/// <summary>Answers that end half-way: no client takes one for a whole answer, and none is generated again without its client's knowledge.</summary>
public sealed class HalfAnswerTests
{
    private const string Message = "The model server ended its answer before it was complete.";

    [Theory]
    [MemberData(nameof(Ask.Dialects), MemberType = typeof(Ask))]
    public async Task Stream_without_its_last_object_ends_with_an_error_and_breaks_off(string path)
    {
        await using var engine = await MockEngine.StartAsync();
        await using var gateway = await TestGateway.StartAsync(engine.Address);
        engine.Inject(new MockFault(MockFaultKind.EndEarly) { AfterTokens = 2 });

        var text = await ReadUntilItBreaksAsync(gateway, path);

        Assert.DoesNotContain("[DONE]", text, StringComparison.Ordinal);
        var last = text.TrimEnd().Split('\n')[^1];
        if (path == Ask.Native)
        {
            Assert.Equal(Message, JsonSerializer.Deserialize<JsonElement>(last).GetProperty("error").GetString());
            Assert.EndsWith("\n", text, StringComparison.Ordinal);
        }
        else
        {
            Assert.EndsWith($"\n\nevent: error\n{last}\n\n", text, StringComparison.Ordinal);
            var data = JsonSerializer.Deserialize<JsonElement>(last["data: ".Length..]);
            Assert.Equal(Message, data.GetProperty("error").GetProperty("message").GetString());
            Assert.Equal(path == Ask.Anthropic, data.TryGetProperty("type", out var type) && type.GetString() == "error");
        }

        await gateway.Measured.RequestsAsync(1);
        Assert.Equal(1, gateway.Measured.Sum("hazumu.gateway.requests", ("outcome", "stream_truncated")));
        Assert.Equal(CircuitState.Closed, gateway.Fleet.Instances[0].Circuit.State);
    }

    [Theory]
    [InlineData("/api/chat", "application/x-ndjson", "{\"message\":{\"content\":\"a\"},\"done\":false}\n{\"mess")]
    [InlineData("/api/pull", "application/x-ndjson", "{\"status\":\"pulling manifest\"}\n{")]
    [InlineData("/v1/chat/completions", "text/event-stream", "data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\n\ndata: {")]
    [InlineData("/v1/responses", "text/event-stream", "event: response.created\ndata: {\"type\"")]
    [InlineData("/v1/messages", "text/event-stream", "event: message_start\ndata: {\"type\":\"message_start\"")]
    public async Task Stream_that_ends_within_a_line_is_broken_off(string path, string contentType, string sent)
    {
        await using var engine = RawEngine.Start(async exchange =>
        {
            await exchange.ReadBodyAsync();
            await exchange.BeginAsync(contentType);
            await exchange.SendChunkAsync(Encoding.UTF8.GetBytes(sent));
            await exchange.EndChunksAsync();
        });
        await using var gateway = await TestGateway.StartAsync(engine.Address);

        await Assert.ThrowsAsync<HttpRequestException>(() => gateway.Http.ChatAsync(path));

        await gateway.Measured.RequestsAsync(1);
        Assert.Equal(1, gateway.Measured.Sum("hazumu.gateway.requests", ("outcome", "stream_truncated")));
    }

    [Theory]
    [InlineData("/v1/chat/completions", "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n")]
    [InlineData("/v1/audio/transcriptions", "data: {\"type\":\"transcript.text.done\",\"text\":\"hi\"}\n\n")]
    [InlineData("/v1/chat/completions", "data: {\"error\":{\"message\":\"the runner has died\"}}\n\n")]
    public async Task Stream_whose_client_can_see_its_end_passes_as_it_is(string path, string sent)
    {
        await using var engine = RawEngine.Start(async exchange =>
        {
            await exchange.ReadBodyAsync();
            await exchange.BeginAsync("text/event-stream");
            await exchange.SendChunkAsync(Encoding.UTF8.GetBytes(sent));
            await exchange.EndChunksAsync();
        });
        await using var gateway = await TestGateway.StartAsync(engine.Address);
        using var form = new MultipartFormDataContent { { new StringContent("mock"), "\"model\"" } };
        using var content = path.EndsWith("transcriptions", StringComparison.Ordinal) ? (HttpContent)form : new StringContent(Ask.Body());

        using var answer = await gateway.Http.PostAsync(new Uri(path, UriKind.Relative), content);

        Assert.Equal(sent, await answer.Content.ReadAsStringAsync());
    }

    [Theory]
    [InlineData(false, 1, 502)]
    [InlineData(true, 2, 200)]
    public async Task Answer_that_may_have_been_generated_is_not_generated_again(bool streams, int attempts, int status)
    {
        await using var engines = await Two.StartAsync("--Gateway:Retries:UnstreamedWithin=1ms");
        engines.A.Options = engines.A.Options with { PrefillTime = TimeSpan.FromMilliseconds(100), TokenTime = TimeSpan.FromMilliseconds(20) };
        engines.A.Inject(new MockFault(MockFaultKind.Reset) { AfterTokens = 0 });

        var answer = await engines.Gateway.Http.ChatAsync(body: Ask.Body(streams: streams));

        Assert.Equal(status, answer.Status);
        Assert.Equal(attempts, engines.A.Inferences().Count + engines.B.Inferences().Count);
    }

    [Fact]
    public async Task Background_requests_that_break_off_do_not_keep_a_chat_away()
    {
        await using var engine = RawEngine.Start(async exchange =>
        {
            await exchange.ReadBodyAsync();
            if (Encoding.UTF8.GetString(exchange.Body).Contains("title", StringComparison.Ordinal))
            {
                // It has been generating for longer than UnstreamedWithin.
                await Task.Delay(20);
                exchange.Reset();
                return;
            }

            await exchange.AnswerAsync(200, "Content-Type: application/x-ndjson", """{"model":"mock","done":true}""");
        });
        await using var gateway = await TestGateway.StartAsync(engine.Address, "--Gateway:Fleet:ProbeInterval=1m", "--Gateway:Retries:UnstreamedWithin=1ms");
        for (var request = 0; request < 5; request++)
        {
            (await gateway.Http.ChatAsync(body: Ask.Body("title", streams: false))).IsRefusal(Ask.Native, HttpStatusCode.BadGateway, "", "broke off before it answered");
        }

        Assert.Equal(5, engine.Exchanges.Count);
        Assert.Equal(CircuitState.Closed, gateway.Fleet.Instances[0].Circuit.State);
        Assert.Equal(200, (await gateway.Http.ChatAsync()).Status);
    }

    private static async Task<string> ReadUntilItBreaksAsync(TestGateway gateway, string path)
    {
        using var answer = await gateway.Http.BeginAsync(path);
        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        await using var stream = await answer.Content.ReadAsStreamAsync();
        var read = new MemoryStream();
        await Assert.ThrowsAnyAsync<IOException>(() => stream.CopyToAsync(read));
        return Encoding.UTF8.GetString(read.ToArray());
    }
}
