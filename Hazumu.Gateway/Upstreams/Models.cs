namespace Hazumu.Gateway.Upstreams;

/// <summary>A model in an instance's memory.</summary>
/// <param name="Name">The normalised name.</param>
/// <param name="Size">Bytes in all; <see langword="null"/> where the engine does not say.</param>
/// <param name="SizeVram">
/// Bytes in the GPU's memory; less than <paramref name="Size"/> means that it runs partly on the CPU. <see langword="null"/> where the engine
/// does not say.
/// </param>
/// <param name="ExpiresAt">When Ollama drops it unless it is used again; <see langword="null"/> of an engine that never does.</param>
/// <param name="ContextLength">Tokens that a prompt and its answer may have together; <see langword="null"/> where the engine does not say.</param>
internal sealed record ResidentModel(
    string Name, long? Size = null, long? SizeVram = null, DateTimeOffset? ExpiresAt = null, long? ContextLength = null);

/// <summary>A model that an instance has.</summary>
/// <param name="Name">The normalised name.</param>
/// <param name="Size">Bytes on disk.</param>
/// <param name="Digest">The SHA-256 of its manifest, in hexadecimal; <see langword="null"/> where the engine has none.</param>
/// <param name="ModifiedAt">When it was last changed there.</param>
/// <param name="IsRemote">Whether its prompts go to another host (<c>remote_host</c>), Ollama's cloud or any other.</param>
/// <param name="Family">Its family, such as <c>llama</c>; <see langword="null"/> where the engine has none.</param>
/// <param name="Capabilities">Its capabilities, in Ollama's terms; <see langword="null"/> if the engine does not report
/// them.</param>
/// <param name="IsShown">Whether the engine has answered <c>/api/show</c> for it.</param>
/// <param name="Id">How the engine spells the name; <see langword="null"/> of Ollama, which takes any spelling.</param>
internal sealed record StoredModel(
    string Name,
    long Size,
    string? Digest = null,
    DateTimeOffset ModifiedAt = default,
    bool IsRemote = false,
    string? Family = null,
    IReadOnlyList<string>? Capabilities = null,
    bool IsShown = false,
    string? Id = null)
{
    /// <summary>Whether it generates text; <see langword="null"/> where the engine does not say.</summary>
    public bool? Completes => Capabilities?.Contains("completion");

    /// <summary>Whether Ollama runs it with one slot.</summary>
    public bool IsSerial => SerialModels.Contains(Family, Completes);
}
