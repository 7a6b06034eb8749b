namespace Hazumu.Gateway.Tests.Clients;

/// <summary>Clients for Python as they are, through a gateway with keys and two instances. Their wire is replayed by <see cref="RecordedTests"/>.</summary>
public sealed class PythonTests(KeyedGateway gateway) : IClassFixture<KeyedGateway>
{
    [PythonFact("openai")]
    public Task Python_openai_works_with_its_key_only() => WorksAsync("openai");

    [PythonFact("anthropic")]
    public Task Python_anthropic_works_with_its_key_only() => WorksAsync("anthropic");

    [PythonFact("ollama")]
    public Task Python_ollama_works_with_its_key_only() => WorksAsync("ollama");

    [PythonFact("langchain_ollama")]
    public Task Python_langchain_ollama_works_with_its_key_only() => WorksAsync("langchain_ollama");

    [PythonFact("litellm")]
    public Task Python_litellm_works_with_its_key_only() => WorksAsync("litellm");

    private async Task WorksAsync(string client)
    {
        var got = await ClientPrograms.RunPythonAsync(client, gateway);

        Assert.Equal(KeyedGateway.Answer, got.GetProperty("chat").GetString());
        Assert.Equal(KeyedGateway.Answer, got.GetProperty("streamed").GetString());
        Assert.Equal(401, got.GetProperty("refused").GetInt32());
        gateway.KeyStaysHere();
    }
}
