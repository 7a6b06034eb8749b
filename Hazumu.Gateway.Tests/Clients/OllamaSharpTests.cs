using Hazumu.Mocks;
using OllamaSharp;
using OllamaSharp.Models;
using OllamaSharp.Models.Chat;

namespace Hazumu.Gateway.Tests.Clients;

/// <summary>OllamaSharp as it is, through a gateway with keys and two instances.</summary>
public abstract class OllamaSharpTests(KeyedGateway fixture)
{
    private const string Answer = KeyedGateway.Answer;

    [Fact]
    public async Task Streams_a_chat()
    {
        using var client = Client();
        var chat = new Chat(client);
        var pieces = new List<string>();
        await foreach (var piece in chat.SendAsync("hi"))
        {
            pieces.Add(piece);
        }

        Assert.Equal(Answer, string.Concat(pieces));
        Assert.True(pieces.Count >= 4, $"{pieces.Count} pieces");
        Assert.Equal([ChatRole.User, ChatRole.Assistant], chat.Messages.Select(message => message.Role!.Value));
    }

    [Fact]
    public async Task Learns_of_a_chats_tokens()
    {
        using var client = Client();
        ChatDoneResponseStream? done = null;
        await foreach (var piece in client.ChatAsync(new ChatRequest { Messages = [new Message(ChatRole.User, "hi")], Stream = true }))
        {
            done = piece as ChatDoneResponseStream ?? done;
        }

        Assert.Equal((4, 26), (done!.EvalCount, done.PromptEvalCount));
        Assert.Equal("stop", done.DoneReason);
    }

    [Fact]
    public async Task Notices_a_stream_that_ends_half_way()
    {
        await using var engine = await MockEngine.StartAsync(new() { SpeaksOpenAIOnly = fixture.SpeaksOpenAIOnly, Faults = [new MockFault(MockFaultKind.EndEarly) { AfterTokens = 2 }] });
        await using var gateway = await TestGateway.StartAsync(engine.Address);
        using var client = new OllamaApiClient(gateway.Address, "mock");

        await Assert.ThrowsAnyAsync<Exception>(async () =>
        {
            await foreach (var _ in client.GenerateAsync("hi"))
            {
            }
        });
    }

    [Fact]
    public async Task Generates()
    {
        using var client = Client();
        var text = "";
        await foreach (var piece in client.GenerateAsync("hi"))
        {
            text += piece!.Response;
        }

        Assert.Equal(Answer, text);
    }

    [Fact]
    public async Task Embeds()
    {
        using var client = Client();
        var answer = await client.EmbedAsync(new EmbedRequest { Model = "mock", Input = ["a", "b"] });
        Assert.Equal(2, answer.Embeddings.Count);
        Assert.All(answer.Embeddings, vector => Assert.NotEmpty(vector));
    }

    [Fact]
    public async Task Lists_and_shows_models()
    {
        using var client = Client();
        Assert.True(await client.IsRunningAsync());
        Assert.Equal("0.32.15", await client.GetVersionAsync());
        Assert.Contains("mock:latest", (await client.ListLocalModelsAsync()).Select(model => model.Name));
        Assert.NotNull(await client.ShowModelAsync("mock"));

        await foreach (var _ in client.GenerateAsync("hi"))
        {
        }

        Assert.Contains("mock:latest", (await client.ListRunningModelsAsync()).Select(model => model.Name));
    }

    [Fact]
    public async Task Pulls_models_where_the_engine_can()
    {
        using var client = Client();
        if (fixture.SpeaksOpenAIOnly)
        {
            var error = await Assert.ThrowsAnyAsync<Exception>(async () =>
            {
                await foreach (var _ in client.PullModelAsync("new"))
                {
                }
            });
            Assert.Contains("501", error.ToString(), StringComparison.Ordinal);
            return;
        }

        var statuses = new List<string>();
        await foreach (var status in client.PullModelAsync("new"))
        {
            statuses.Add(status!.Status);
        }

        Assert.Equal("success", statuses[^1]);
        Assert.Contains("new:latest", (await client.ListLocalModelsAsync()).Select(model => model.Name));

        await client.CopyModelAsync("new", "newer");
        await client.DeleteModelAsync("new");
        Assert.Contains("newer:latest", (await client.ListLocalModelsAsync()).Select(model => model.Name));
        Assert.DoesNotContain("new:latest", (await client.ListLocalModelsAsync()).Select(model => model.Name));
        await client.DeleteModelAsync("newer");
    }

    [Fact]
    public async Task Understands_that_a_model_is_not_there()
    {
        using var client = Client();
        client.SelectedModel = "nobody";
        var error = await Assert.ThrowsAnyAsync<Exception>(async () =>
        {
            await foreach (var _ in client.GenerateAsync("hi"))
            {
            }
        });
        Assert.Contains("not found", error.Message, StringComparison.OrdinalIgnoreCase);
    }

    [Fact]
    public async Task Is_let_in_with_its_key_only()
    {
        using var client = Client(fixture.WrongKey);
        var error = await Assert.ThrowsAnyAsync<HttpRequestException>(() => client.ListLocalModelsAsync());
        Assert.Equal(System.Net.HttpStatusCode.Unauthorized, error.StatusCode);
        fixture.KeyStaysHere();
    }

    private OllamaApiClient Client(string? key = null)
    {
        var http = new HttpClient { BaseAddress = fixture.Gateway.Address };
        http.DefaultRequestHeaders.Authorization = new("Bearer", key ?? fixture.Key);
        return new OllamaApiClient(http, "mock");
    }
}

/// <summary>OllamaSharp in front of Ollama.</summary>
public sealed class OllamaSharpTestsOfOllama(KeyedGateway gateway) : OllamaSharpTests(gateway), IClassFixture<KeyedGateway>;

/// <summary>OllamaSharp in front of engines that speak OpenAI's API alone.</summary>
public sealed class OllamaSharpTestsOfOpenAI(TranslatingGateway gateway) : OllamaSharpTests(gateway), IClassFixture<TranslatingGateway>;
