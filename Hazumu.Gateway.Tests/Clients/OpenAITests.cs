using System.ClientModel;
using System.Text;
using Hazumu.Mocks;
using OpenAI;
using OpenAI.Chat;

namespace Hazumu.Gateway.Tests.Clients;

/// <summary>OpenAI's .NET client as it is, through a gateway with keys and two instances.</summary>
public abstract class OpenAITests(KeyedGateway fixture)
{
    private const string Answer = KeyedGateway.Answer;

    [Fact]
    public async Task Chats()
    {
        var completion = (await Client().GetChatClient("mock").CompleteChatAsync("hi")).Value;
        Assert.Equal(Answer, completion.Content[0].Text);
        Assert.Equal((26, 4), (completion.Usage.InputTokenCount, completion.Usage.OutputTokenCount));
        Assert.Equal(ChatFinishReason.Stop, completion.FinishReason);
    }

    [Fact]
    public async Task Streams_a_chat_and_learns_of_its_tokens()
    {
        var text = new StringBuilder();
        ChatTokenUsage? usage = null;
        ChatFinishReason? finish = null;
        await foreach (var update in Client().GetChatClient("mock").CompleteChatStreamingAsync("hi"))
        {
            text.Append(string.Concat(update.ContentUpdate.Select(part => part.Text)));
            usage = update.Usage ?? usage;
            finish = update.FinishReason ?? finish;
        }

        // This client always asks for usage.
        Assert.Equal(Answer, text.ToString());
        Assert.Equal((26, 4), (usage!.InputTokenCount, usage.OutputTokenCount));
        Assert.Equal(ChatFinishReason.Stop, finish);
    }

    [Fact]
    public async Task Embeds()
    {
        var answer = (await Client().GetEmbeddingClient("mock").GenerateEmbeddingsAsync(["a", "b"])).Value;
        Assert.Equal(2, answer.Count);
        Assert.All(answer, vector => Assert.NotEqual(0, vector.ToFloats().Length));
    }

    [Fact]
    public async Task Lists_models()
    {
        var models = (await Client().GetOpenAIModelClient().GetModelsAsync()).Value;
        Assert.Contains("mock:latest", models.Select(model => model.Id));
        Assert.Equal("mock:latest", (await Client().GetOpenAIModelClient().GetModelAsync("mock")).Value.Id);
    }

    [Fact]
    public async Task Streams_a_response()
    {
        const string response = """{"id":"resp_1","object":"response","created_at":1787220000,"model":"mock","status":"STATUS","output":[],"usage":USAGE,"parallel_tool_calls":true,"tools":[],"metadata":{},"error":null,"incomplete_details":null,"instructions":null,"temperature":1,"top_p":1,"tool_choice":"auto"}""";
        string[] events =
        [
            $$"""event: response.created{{"\n"}}data: {"type":"response.created","sequence_number":0,"response":{{response.Replace("STATUS", "in_progress").Replace("USAGE", "null")}}}""",
            """event: response.output_text.delta""" + "\n" + """data: {"type":"response.output_text.delta","sequence_number":1,"item_id":"msg_1","output_index":0,"content_index":0,"delta":"弾む"}""",
            $$"""event: response.completed{{"\n"}}data: {"type":"response.completed","sequence_number":2,"response":{{response.Replace("STATUS", "completed").Replace("USAGE", """{"input_tokens":7,"input_tokens_details":{"cached_tokens":3},"output_tokens":5,"output_tokens_details":{"reasoning_tokens":0},"total_tokens":12}""")}}}""",
        ];
        fixture.Script("/v1/responses", new MockScript([.. events.Select(one => (ReadOnlyMemory<byte>)Encoding.UTF8.GetBytes(one + "\n\n"))]) { Headers = [new("Content-Type", "text/event-stream")] });

#pragma warning disable OPENAI001 // The client's part for responses is a preview.
        var text = "";
        var total = 0L;
        await foreach (var update in await Client().GetResponsesClient().CreateResponseStreamingAsync("mock", "hi"))
        {
            text += update is OpenAI.Responses.StreamingResponseOutputTextDeltaUpdate delta ? delta.Delta : "";
            total = update is OpenAI.Responses.StreamingResponseCompletedUpdate completed ? completed.Response.Usage.TotalTokenCount : total;
        }
#pragma warning restore OPENAI001

        Assert.Equal(("弾む", 12L), (text, total));
    }

    [Fact]
    public async Task Understands_refusals_of_the_engine_and_of_the_gateway()
    {
        var missing = await Assert.ThrowsAsync<ClientResultException>(() => Client().GetChatClient("nobody").CompleteChatAsync("hi"));
        Assert.Equal(404, missing.Status);
        Assert.Contains("not found", missing.Message, StringComparison.Ordinal);

        var cloud = await Assert.ThrowsAsync<ClientResultException>(() => Client().GetChatClient("big:cloud").CompleteChatAsync("hi"));
        Assert.Equal(403, cloud.Status);
        Assert.Contains("cloud", cloud.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Notices_a_stream_that_ends_half_way()
    {
        await using var engine = await MockEngine.StartAsync(new() { SpeaksOpenAIOnly = fixture.SpeaksOpenAIOnly, Faults = [new MockFault(MockFaultKind.EndEarly) { AfterTokens = 2 }] });
        await using var gateway = await TestGateway.StartAsync(engine.Address);

        await Assert.ThrowsAnyAsync<Exception>(async () =>
        {
            var client = new OpenAIClient(new ApiKeyCredential("none"), new OpenAIClientOptions { Endpoint = new Uri(gateway.Address, "v1") });
            await foreach (var _ in client.GetChatClient("mock").CompleteChatStreamingAsync("hi"))
            {
            }
        });
    }

    [Fact]
    public async Task Is_let_in_with_its_key_only()
    {
        Assert.Equal(Answer, (await Client().GetChatClient("mock").CompleteChatAsync("hi")).Value.Content[0].Text);
        var refused = await Assert.ThrowsAsync<ClientResultException>(() => Client(fixture.WrongKey).GetChatClient("mock").CompleteChatAsync("hi"));
        Assert.Equal(401, refused.Status);
        fixture.KeyStaysHere();
    }

    private OpenAIClient Client(string? key = null) =>
        new(new ApiKeyCredential(key ?? fixture.Key), new OpenAIClientOptions { Endpoint = new Uri(fixture.Gateway.Address, "v1"), RetryPolicy = new System.ClientModel.Primitives.ClientRetryPolicy(maxRetries: 0) });
}

/// <summary>OpenAI's .NET client in front of Ollama.</summary>
public sealed class OpenAITestsOfOllama(KeyedGateway gateway) : OpenAITests(gateway), IClassFixture<KeyedGateway>;

/// <summary>OpenAI's .NET client in front of engines that speak OpenAI's API alone.</summary>
public sealed class OpenAITestsOfOpenAI(TranslatingGateway gateway) : OpenAITests(gateway), IClassFixture<TranslatingGateway>;
