namespace Hazumu.Gateway.Upstreams;

/// <summary>A model in an instance's memory, from <c>/api/ps</c>.</summary>
/// <param name="Name">The normalised name.</param>
/// <param name="Size">Bytes in all.</param>
/// <param name="SizeVram">Bytes in the GPU's memory; less than <paramref name="Size"/> means that it runs partly on the CPU.</param>
/// <param name="ExpiresAt">When Ollama drops it unless it is used again.</param>
internal sealed record ResidentModel(string Name, long Size, long SizeVram, DateTimeOffset ExpiresAt);

/// <summary>A model on an instance's disk, from <c>/api/tags</c>.</summary>
/// <param name="Name">The normalised name.</param>
/// <param name="Size">Bytes on disk.</param>
/// <param name="Digest">The SHA-256 of its manifest, in hexadecimal; <see langword="null"/> where the engine has none.</param>
/// <param name="ModifiedAt">When it was last changed there.</param>
/// <param name="IsRemote">Whether its prompts go to another host (<c>remote_host</c>), Ollama's cloud or any other.</param>
/// <param name="Family">Its family, such as <c>llama</c>; <see langword="null"/> where the engine has none.</param>
/// <param name="Completes">Whether it generates text (the capability <c>completion</c>); <see langword="null"/> where the engine does not say.</param>
/// <param name="IsShown">Whether the engine has answered <c>/api/show</c> for it.</param>
internal sealed record StoredModel(
    string Name, long Size, string? Digest = null, DateTimeOffset ModifiedAt = default, bool IsRemote = false, string? Family = null, bool? Completes = null, bool IsShown = false)
{
    /// <summary>Whether Ollama runs it with one slot.</summary>
    public bool IsSerial => SerialModels.Contains(Family, Completes);
}
