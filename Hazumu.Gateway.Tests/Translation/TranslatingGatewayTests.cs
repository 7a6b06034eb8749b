using System.Net;
using System.Text;
using System.Text.Json.Nodes;
using Hazumu.Gateway.Tests.Serving;
using Hazumu.Gateway.Tests.Streams;
using Hazumu.Gateway.Translation;
using Hazumu.Testing;

namespace Hazumu.Gateway.Tests.Translation;

/// <summary>The whole gateway before an engine that speaks OpenAI's API only.</summary>
public sealed class TranslatingGatewayTests
{
    private const string End = "\n\ndata: [DONE]\n\n";

    private const string ToolBegins =
        """data: {"choices":[{"delta":{"tool_calls":[{"index":0,"id":"t","function":{"name":"add","arguments":"{"}}]}}]}""" + "\n\n";

    private const string ToolEnds =
        """data: {"choices":[{"delta":{"tool_calls":[{"index":0,"function":{"arguments":"}"}}]},"finish_reason":"tool_calls"}]}""" + End;

    [Theory]
    [InlineData("/api/chat", "\\ud83d")]
    [InlineData("/v1/messages", "\\uDE00")]
    [InlineData("/api/chat", "\u00e9")]
    [InlineData("/v1/messages", "\u00e9")]
    public async Task Text_that_is_no_Unicode_is_replaced_as_by_Ollama(string path, string invalid)
    {
        await using var engine = Start(exchange => exchange.SendChunkAsync(Encoding.Latin1.GetBytes(
            $$"""data: {"choices":[{"delta":{"content":"b{{invalid}}" },"finish_reason":"stop"} ]}""" + End)));
        await using var gateway = await StartAsync(engine);

        // With Latin-1, a letter beyond ASCII is no UTF-8.
        using var body = new ByteArrayContent(Encoding.Latin1.GetBytes(Ask.Body(says: $"a{invalid}", streams: false)
            .Replace("\"messages\"", $$"""
                "tools":[{"type":"custom","name":"{{invalid}}","function":{"name":"{{invalid}}"} }],"messages"
                """, StringComparison.Ordinal)));
        body.Headers.ContentType = new("application/json");
        using var answer = await gateway.Http.PostAsync(new Uri(path, UriKind.Relative), body);

        var text = await answer.Content.ReadAsStringAsync();
        Assert.True(answer.StatusCode == HttpStatusCode.OK, text);
        Assert.Contains("b\uFFFD", text, StringComparison.Ordinal);
        var sent = Assert.Single(engine.Exchanges, exchange => exchange.Target == "/v1/chat/completions");
        Assert.Equal("a\uFFFD", (string?)JsonNode.Parse(sent.Body)!["messages"]![0]!["content"]);
        Assert.Equal("\uFFFD", (string?)JsonNode.Parse(sent.Body)!["tools"]![0]!["function"]!["name"]);
    }

    [Fact]
    public async Task Tool_call_is_generated_for_longer_than_a_stream_may_stall()
    {
        await using var engine = Start(async exchange =>
        {
            await exchange.SendChunkAsync(Encoding.UTF8.GetBytes("""data: {"choices":[{"delta":{"content":"Well"}}]}""" + "\n\n" + ToolBegins));
            for (var piece = 0; piece < 14; piece++)
            {
                await Task.Delay(250);
                await exchange.SendChunkAsync(Encoding.UTF8.GetBytes(
                    """data: {"choices":[{"delta":{"tool_calls":[{"index":0,"function":{"arguments":" "}}]}}]}""" + "\n\n"));
            }

            await exchange.SendChunkAsync(Encoding.UTF8.GetBytes(ToolEnds));
        });
        await using var gateway = await StartAsync(engine, "--Gateway:Timeouts:Stall=1s");

        var answer = await gateway.Http.ChatAsync();

        Assert.Contains("\"tool_calls\"", answer.Text, StringComparison.Ordinal);
        Assert.Contains("\"done\":true", answer.Text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Body_of_too_many_values_is_refused_before_it_is_taken_apart()
    {
        await using var engine = Start(_ => Task.CompletedTask);
        await using var gateway = await StartAsync(engine);

        var few = string.Concat(Enumerable.Repeat("""{"role":"u"},""", 50_000));
        var answer = await gateway.Http.ChatAsync(body: $$"""{"model":"mock","messages":[{{few}}{"role":"u"}]}""");

        Assert.Equal(413, answer.Status);
        Assert.Contains("more than 200000 values", answer.Text, StringComparison.Ordinal);
        Assert.DoesNotContain(engine.Exchanges, exchange => exchange.Target == "/v1/chat/completions");
    }

    [Fact]
    public async Task Large_bodies_wait_for_room()
    {
        using var engine = new HeldHandler();
        using var handler = new TranslationHandler(_ => new(EngineKind.Openai), new(), engine, TimeProvider.System);
        using var invoker = new HttpMessageInvoker(handler);
        var answers = Enumerable.Range(0, 5).Select(async _ =>
        {
            using var request = new HttpRequestMessage(HttpMethod.Post, new Uri("http://engine:8080/api/chat"))
            {
                // It counts for what it announces.
                Content = new StringContent(Ask.Body()) { Headers = { ContentLength = 64 * 1024 * 1024 } },
            };
            using var answer = await invoker.SendAsync(request, CancellationToken.None);
            return answer.StatusCode;
        }).ToArray();

        await Wait.UntilAsync(() => Assert.Equal(3, engine.Held));
        await Task.Delay(50);
        Assert.Equal(3, engine.Held);
        engine.Release();
        Assert.All(await Task.WhenAll(answers), status => Assert.Equal(HttpStatusCode.Conflict, status));
        Assert.Equal(5, engine.Held);
    }

    private static RawEngine Start(Func<RawExchange, Task> stream) => RawEngine.Start(async exchange =>
    {
        await exchange.ReadBodyAsync();
        switch (exchange.Target)
        {
            case "/v1/models":
                await exchange.AnswerAsync(200, "Content-Type: application/json", """{"data":[{"id":"mock"}]}""");
                break;

            case "/v1/chat/completions":
                await exchange.BeginAsync("text/event-stream");
                await stream(exchange);
                await exchange.EndChunksAsync();
                break;

            default:
                await exchange.AnswerAsync(404, "Content-Type: application/json", "{}");
                break;
        }
    });

    private static Task<TestGateway> StartAsync(RawEngine engine, params string[] arguments) =>
        TestGateway.StartAsync(engine.Address, [.. arguments, "--Gateway:Engines:engine:Kind=openai"]);

    private sealed class HeldHandler : HttpMessageHandler
    {
        private readonly TaskCompletionSource _released = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private int _held;

        public int Held => Volatile.Read(ref _held);

        public void Release() => _released.SetResult();

        protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            if (request.RequestUri!.AbsolutePath == "/v1/models")
            {
                return new HttpResponseMessage(HttpStatusCode.OK) { Content = new StringContent("""{"data":[{"id":"mock"}]}""") };
            }

            Interlocked.Increment(ref _held);
            await _released.Task;
            return new HttpResponseMessage(HttpStatusCode.Conflict) { RequestMessage = request };
        }
    }
}
