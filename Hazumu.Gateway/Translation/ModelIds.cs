using System.Collections.Frozen;
using Hazumu.Gateway.Keys;

namespace Hazumu.Gateway.Translation;

/// <summary>
/// How an engine itself spells the ids of its models, by their full names. Both that read its list write here: the probe, and the translation of a
/// request for a model that the last probe did not find.
/// </summary>
/// <remarks>Ollama takes any spelling, and has none here.</remarks>
internal sealed class ModelIds
{
    private volatile FrozenDictionary<string, string> _ids = FrozenDictionary<string, string>.Empty;

    /// <summary>The engine's id of a model; <see langword="null"/> where it takes any spelling, or is not known to have the model.</summary>
    /// <param name="fullName">The model's full name.</param>
    public string? Find(string fullName) => _ids.GetValueOrDefault(fullName);

    /// <summary>Takes in the engine's list, in the place of what was known.</summary>
    /// <param name="ids">The ids by full names.</param>
    public void Replace(IEnumerable<KeyValuePair<string, string>> ids) => _ids = ids.ToFrozenDictionary(StringComparer.Ordinal);

    /// <summary>The name in Ollama's lists: the id, with a tag.</summary>
    public static string NameOf(string id) =>
        ModelName.Normalise(id) is null || id.AsSpan(id.LastIndexOf('/') + 1).Contains(':') ? id : $"{id}:latest";
}
