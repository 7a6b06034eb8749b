using System.Text.Json;
using Hazumu.Gateway.Tests.Clients;

namespace Hazumu.Gateway.Tests.Engines;

/// <summary>A gateway that requires a key, in front of a real llama-server, whose model is <c>mock</c>.</summary>
public class LlamaServerGateway : KeyedGateway
{
    internal const string Image = "ghcr.io/ggml-org/llama.cpp:server";

    /// <summary>Why there is none on this machine; <see langword="null"/> where there is.</summary>
    internal static readonly string? Missing = EngineContainer.WhyMissing(Image);

    // Tokens of an answer that does not say how many it wants.
    private const int Tokens = 8;

    private EngineContainer? _engine;

    /// <summary>What the engine calls its model.</summary>
    internal virtual string Model => "mock";

    /// <summary>The models that clients are told of.</summary>
    internal virtual IEnumerable<string> Listed => ["mock:latest"];

    /// <summary>Its address.</summary>
    internal Uri Engine => _engine!.Address;

    /// <summary>What it answers to "hi", requested of it directly.</summary>
    internal string Text { get; private set; } = "";

    /// <summary>The tokens of that prompt and answer.</summary>
    internal int[] Usage { get; private set; } = [];

    /// <inheritdoc/>
    public override async ValueTask InitializeAsync()
    {
        if (Missing is null)
        {
            await base.InitializeAsync();
        }
    }

    /// <inheritdoc/>
    public override async ValueTask DisposeAsync()
    {
        if (Missing is null)
        {
            await base.DisposeAsync();
        }

        if (_engine is not null)
        {
            await _engine.DisposeAsync();
        }
    }

    private protected override async Task<IReadOnlyList<(string Name, Uri Address)>> StartEnginesAsync()
    {
        _engine = await EngineContainer.StartAsync(
            Image, 8080, "/health", "/tmp/tiny.gguf", "--model", "/tmp/tiny.gguf", "--alias", Model, "--threads", "1", "--parallel", "2", "--ctx-size", "4096",
            "--metrics", "--embeddings", "--pooling", "mean", "--temp", "0", "--predict", $"{Tokens}");

        using var http = TestGateway.Client(Engine);
        using var question = new StringContent($$"""{"model":"{{Model}}","messages":[{"role":"user","content":"hi"}]}""");
        using var answer = await http.PostAsync(new Uri("/v1/chat/completions", UriKind.Relative), question);
        using var document = JsonDocument.Parse(await answer.Content.ReadAsStringAsync());
        Text = document.RootElement.GetProperty("choices")[0].GetProperty("message").GetProperty("content").GetString()!;
        var usage = document.RootElement.GetProperty("usage");
        Usage = [usage.GetProperty("prompt_tokens").GetInt32(), usage.GetProperty("completion_tokens").GetInt32()];
        return [("llama-server", Engine)];
    }
}

/// <summary>The same, but <c>mock</c> is a name of <c>Gateway:ModelNames</c>: the engine spells its model otherwise, and does not know that name.</summary>
public sealed class NamedLlamaServerGateway : LlamaServerGateway
{
    /// <inheritdoc/>
    internal override string Model => "Served-Model";

    /// <inheritdoc/>
    internal override IEnumerable<string> Listed => ["Served-Model:latest", "mock"];

    /// <inheritdoc/>
    private protected override IEnumerable<string> Settings =>
        ["--Gateway:ModelNames:0:Name=mock", $"--Gateway:ModelNames:0:Models={Model}", "--Gateway:ModelNames:0:List=true"];
}
