using System.Text.Json;
using Hazumu.Testing;

namespace Hazumu.Gateway.Tests.Clients;

/// <summary>The official clients for Node.js as they are, through a gateway with keys and two instances.</summary>
public abstract class NodeTests(KeyedGateway gateway)
{
    [Fact]
    public async Task Npm_ollama_works_with_its_key_only()
    {
        Skip.If(ClientPrograms.MissingNode);

        var got = await ClientPrograms.RunNodeAsync("ollama", gateway);

        IsAnswered(got, "chat", "streamed", "generated");
        Assert.Equal([26, 4], Numbers(got, "usage"));
        Assert.Equal(2, got.GetProperty("embedded").GetInt32());
        Assert.Equal(["mock:latest", "spare:latest"], Texts(got, "models"));
        Assert.True(got.GetProperty("shown").GetBoolean());
        Assert.Contains("mock:latest", Texts(got, "running"));
        IsRefused(got, "missing", 404, "ResponseError", "not found");
        IsRefused(got, "refused", 401, "ResponseError", "The API key is not valid.");
        IsRefused(got, "keyless", 401, "ResponseError", "This gateway needs an API key");
        gateway.KeyStaysHere();
    }

    [Fact]
    public async Task Npm_openai_works_with_its_key_only()
    {
        Skip.If(ClientPrograms.MissingNode);

        var got = await ClientPrograms.RunNodeAsync("openai", gateway);

        IsAnswered(got, "chat", "streamed", "azure");
        Assert.Equal([26, 4], Numbers(got, "usage"));
        Assert.False(got.GetProperty("unaskedUsage").GetBoolean());
        Assert.Equal(2, got.GetProperty("embedded").GetInt32());
        Assert.Equal(["mock:latest", "spare:latest"], Texts(got, "models"));
        IsRefused(got, "missing", 404, "NotFoundError", "not found");
        IsRefused(got, "refused", 401, "AuthenticationError", "The API key is not valid.");
        gateway.KeyStaysHere();
    }

    [Fact]
    public async Task Npm_anthropic_works_with_its_key_only()
    {
        Skip.If(ClientPrograms.MissingNode);

        var got = await ClientPrograms.RunNodeAsync("anthropic", gateway);

        IsAnswered(got, "chat", "streamed", "final", "bearer", "besideForeignToken", "besideForeignKey");
        Assert.Equal([26, 4], Numbers(got, "usage"));
        IsRefused(got, "missing", 404, "NotFoundError", "not found");
        IsRefused(got, "refused", 401, "AuthenticationError", "The API key is not valid.");
        gateway.KeyStaysHere();
        Assert.DoesNotContain(gateway.Requests, request => request.Headers.Values.Any(value => value.Contains("foreign", StringComparison.Ordinal)));
    }

    private static void IsAnswered(JsonElement got, params string[] names) =>
        Assert.All(names, name => Assert.Equal((name, KeyedGateway.Answer), (name, got.GetProperty(name).GetString())));

    private static void IsRefused(JsonElement got, string name, int status, string error, string message)
    {
        var refusal = got.GetProperty(name);
        Assert.Equal((status, error), (refusal.GetProperty("status").GetInt32(), refusal.GetProperty("name").GetString()));
        Assert.Contains(message, refusal.GetProperty("message").GetString(), StringComparison.Ordinal);
    }

    private static IEnumerable<int> Numbers(JsonElement got, string name) => got.GetProperty(name).EnumerateArray().Select(number => number.GetInt32());

    private static IEnumerable<string?> Texts(JsonElement got, string name) => got.GetProperty(name).EnumerateArray().Select(text => text.GetString());
}

/// <summary>The official clients for Node.js in front of Ollama.</summary>
public sealed class NodeTestsOfOllama(KeyedGateway gateway) : NodeTests(gateway), IClassFixture<KeyedGateway>;

/// <summary>The official clients for Node.js in front of engines that speak OpenAI's API alone.</summary>
public sealed class NodeTestsOfOpenAI(TranslatingGateway gateway) : NodeTests(gateway), IClassFixture<TranslatingGateway>;
