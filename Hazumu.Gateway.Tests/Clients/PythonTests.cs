using Hazumu.Testing;

namespace Hazumu.Gateway.Tests.Clients;

/// <summary>Clients for Python as they are, through a gateway with keys and two instances. Their wire is replayed by <see cref="RecordedTests"/>.</summary>
public sealed class PythonTests(KeyedGateway gateway) : IClassFixture<KeyedGateway>
{
    [Fact]
    public Task Python_openai_works_with_its_key_only()
    {
        Skip.If(ClientPrograms.FindMissingPython("openai"));
        return WorksAsync("openai");
    }

    [Fact]
    public Task Python_anthropic_works_with_its_key_only()
    {
        Skip.If(ClientPrograms.FindMissingPython("anthropic"));
        return WorksAsync("anthropic");
    }

    [Fact]
    public Task Python_ollama_works_with_its_key_only()
    {
        Skip.If(ClientPrograms.FindMissingPython("ollama"));
        return WorksAsync("ollama");
    }

    [Fact]
    public Task Python_langchain_ollama_works_with_its_key_only()
    {
        Skip.If(ClientPrograms.FindMissingPython("langchain_ollama"));
        return WorksAsync("langchain_ollama");
    }

    [Fact]
    public Task Python_litellm_works_with_its_key_only()
    {
        Skip.If(ClientPrograms.FindMissingPython("litellm"));
        return WorksAsync("litellm");
    }

    private async Task WorksAsync(string client)
    {
        var got = await ClientPrograms.RunPythonAsync(client, gateway);

        Assert.Equal(KeyedGateway.Answer, got.GetProperty("chat").GetString());
        Assert.Equal(KeyedGateway.Answer, got.GetProperty("streamed").GetString());
        Assert.Equal(401, got.GetProperty("refused").GetInt32());
        gateway.KeyStaysHere();
    }
}
