using System.ClientModel;
using System.Globalization;
using System.Text.Json;
using Hazumu.Gateway.Tests.Clients;
using Hazumu.Testing;
using OllamaSharp;
using OllamaSharp.Models;
using OllamaSharp.Models.Chat;
using OpenAI;
using OpenAI.Chat;

namespace Hazumu.Gateway.Tests.Engines;

/// <summary>The official clients of all three dialects as they are, in front of a real llama-server.</summary>
public abstract class LlamaServerClientTests(LlamaServerGateway gateway)
{
    [Fact]
    public async Task OllamaSharp_streams_and_learns_of_the_tokens()
    {
        Skip.If(LlamaServerGateway.Missing);

        using var client = Client();
        var text = "";
        ChatDoneResponseStream? done = null;
        await foreach (var piece in client.ChatAsync(new ChatRequest { Messages = [new Message(ChatRole.User, "hi")], Stream = true }))
        {
            text += piece!.Message.Content;
            done = piece as ChatDoneResponseStream ?? done;
        }

        Assert.Equal(gateway.Text, text);
        Assert.Equal((gateway.Usage[0], gateway.Usage[1]), (done!.PromptEvalCount, done.EvalCount));
        Assert.Equal("length", done.DoneReason);
        Assert.True(done is { TotalDuration: > 0, PromptEvalDuration: > 0, EvalDuration: > 0 });
    }

    [Fact]
    public async Task OllamaSharp_embeds_lists_and_shows()
    {
        Skip.If(LlamaServerGateway.Missing);

        using var client = Client();
        Assert.Equal(2, (await client.EmbedAsync(new EmbedRequest { Model = "mock", Input = ["a", "b"] })).Embeddings.Count);
        Assert.Equal(gateway.Listed, (await client.ListLocalModelsAsync()).Select(model => model.Name).Order(StringComparer.Ordinal));
        Assert.Equal([$"{gateway.Model}:latest"], (await client.ListRunningModelsAsync()).Select(model => model.Name));
        Assert.Contains("completion", (await client.ShowModelAsync("mock")).Capabilities!);
    }

    [Fact]
    public async Task OpenAI_streams_and_learns_of_the_tokens()
    {
        Skip.If(LlamaServerGateway.Missing);

        var client = new OpenAIClient(new ApiKeyCredential(gateway.Key), new() { Endpoint = new Uri(gateway.Gateway.Address, "/v1") });
        var text = "";
        ChatTokenUsage? usage = null;
        await foreach (var update in client.GetChatClient("mock").CompleteChatStreamingAsync("hi"))
        {
            text += string.Concat(update.ContentUpdate.Select(part => part.Text));
            usage = update.Usage ?? usage;
        }

        Assert.Equal(gateway.Text, text);
        Assert.Equal((gateway.Usage[0], gateway.Usage[1]), (usage!.InputTokenCount, usage.OutputTokenCount));
        Assert.Equal(gateway.Text, (await client.GetChatClient("mock").CompleteChatAsync("hi")).Value.Content[0].Text);
        Assert.Equal(2, (await client.GetEmbeddingClient("mock").GenerateEmbeddingsAsync(["a", "b"])).Value.Count);
    }

    [Fact]
    public async Task Npm_ollama_works()
    {
        Skip.If(LlamaServerGateway.Missing ?? ClientPrograms.MissingNode);

        var got = await ClientPrograms.RunNodeAsync("ollama", gateway);

        IsAnswered(got, "chat", "streamed", "generated");
        Assert.Equal(2, got.GetProperty("embedded").GetInt32());
        Assert.Equal(404, got.GetProperty("missing").GetProperty("status").GetInt32());
    }

    [Fact]
    public async Task Npm_openai_works()
    {
        Skip.If(LlamaServerGateway.Missing ?? ClientPrograms.MissingNode);

        var got = await ClientPrograms.RunNodeAsync("openai", gateway);

        IsAnswered(got, "chat", "streamed");
        Assert.False(got.GetProperty("unaskedUsage").GetBoolean());
        Assert.Equal(2, got.GetProperty("embedded").GetInt32());
    }

    [Fact]
    public async Task Npm_anthropic_works()
    {
        Skip.If(LlamaServerGateway.Missing ?? ClientPrograms.MissingNode);

        var got = await ClientPrograms.RunNodeAsync("anthropic", gateway);

        // This client has to name a limit, which is larger here.
        Assert.StartsWith(gateway.Text, got.GetProperty("chat").GetString(), StringComparison.Ordinal);
        Assert.Equal(got.GetProperty("chat").GetString(), got.GetProperty("streamed").GetString());
    }

    [Fact]
    public async Task Tokens_are_counted_as_the_engine_counts_them()
    {
        Skip.If(LlamaServerGateway.Missing);

        var before = Counted();
        using var client = Client();
        await foreach (var _ in client.GenerateAsync("hi"))
        {
        }

        await Wait.UntilAsync(() => Assert.Equal((before.Input + gateway.Usage[0], before.Output + gateway.Usage[1]), Counted()));
    }

    [Fact]
    public async Task Disconnect_ends_the_work_of_the_engine()
    {
        Skip.If(LlamaServerGateway.Missing);

        using var engine = TestGateway.Client(gateway.Engine);
        var before = await PredictedAsync(engine);
        using var client = Client();
        await foreach (var _ in client.GenerateAsync(new GenerateRequest { Model = "mock", Prompt = "hi", Options = new RequestOptions { NumPredict = 1900 } }))
        {
            break;
        }

        await Wait.UntilAsync(async () =>
        {
            using var slots = JsonDocument.Parse(await engine.GetStringAsync(new Uri("/slots", UriKind.Relative)));
            Assert.DoesNotContain(slots.RootElement.EnumerateArray(), slot => slot.GetProperty("is_processing").GetBoolean());
        });
        Assert.InRange(await PredictedAsync(engine) - before, 0, 1000);
    }

    private void IsAnswered(JsonElement got, params string[] names)
    {
        Assert.All(names, name => Assert.Equal((name, gateway.Text), (name, got.GetProperty(name).GetString())));
        Assert.Equal(gateway.Usage, got.GetProperty("usage").EnumerateArray().Select(number => number.GetInt32()));
    }

    private (double Input, double Output) Counted() =>
        (gateway.Gateway.Measured.Sum("gen_ai.client.inference.usage.input_tokens"), gateway.Gateway.Measured.Sum("gen_ai.client.inference.usage.output_tokens"));

    private static async Task<int> PredictedAsync(HttpClient engine)
    {
        const string Name = "llamacpp:tokens_predicted_total ";
        var line = (await engine.GetStringAsync(new Uri("/metrics", UriKind.Relative))).Split('\n').Single(line => line.StartsWith(Name, StringComparison.Ordinal));
        return int.Parse(line[Name.Length..], CultureInfo.InvariantCulture);
    }

    private OllamaApiClient Client()
    {
        var http = new HttpClient { BaseAddress = gateway.Gateway.Address };
        http.DefaultRequestHeaders.Authorization = new("Bearer", gateway.Key);
        return new OllamaApiClient(http, "mock");
    }
}

/// <summary>By the name that the engine has for its model.</summary>
public sealed class LlamaServerModelTests(LlamaServerGateway gateway) : LlamaServerClientTests(gateway), IClassFixture<LlamaServerGateway>;

/// <summary>By a name of the gateway's settings.</summary>
public sealed class LlamaServerNameTests(NamedLlamaServerGateway gateway) : LlamaServerClientTests(gateway), IClassFixture<NamedLlamaServerGateway>;
