using System.Text.Json;
using System.Text.Json.Serialization;
using Hazumu.Gateway.Configuration;

namespace Hazumu.Gateway.Keys;

/// <summary>The file beside the key file that says when each key was last used, by id: it outlasts the gateway, and several may share it.</summary>
internal static class LastUseFile
{
    /// <summary>The file that belongs to a key file.</summary>
    public static string Of(string keyFile) => keyFile + ".used";

    /// <summary>Reads it; nothing where there is no such file, or where it cannot be read: no key depends on it.</summary>
    public static IReadOnlyDictionary<string, DateTimeOffset> Read(string keyFile)
    {
        try
        {
            return JsonSerializer.Deserialize(RegularFile.ReadAllBytes(Of(keyFile)), LastUseJson.Default.DictionaryStringDateTimeOffset) ?? [];
        }
        catch (Exception problem) when (problem is IOException or UnauthorizedAccessException or JsonException)
        {
            return new Dictionary<string, DateTimeOffset>();
        }
    }

    /// <summary>Adds what this process has seen. Of each key, the latest use counts; keys that are gone are left out.</summary>
    /// <param name="keyFile">The key file.</param>
    /// <param name="uses">The uses by the ids of keys.</param>
    /// <param name="known">The ids of all keys.</param>
    /// <param name="cancellation">Gives up waiting for another writer.</param>
    /// <exception cref="KeyFileException">It cannot be written.</exception>
    public static Task AddAsync(string keyFile, IReadOnlyDictionary<string, DateTimeOffset> uses, IReadOnlySet<string> known, CancellationToken cancellation) =>
        KeyFileEditor.RewriteAsync(
            Of(keyFile),
            _ => JsonSerializer.SerializeToUtf8Bytes(
                Read(keyFile).Concat(uses).Where(use => known.Contains(use.Key)).GroupBy(use => use.Key, StringComparer.Ordinal)
                    .ToDictionary(use => use.Key, use => use.Max(time => time.Value), StringComparer.Ordinal),
                LastUseJson.Default.DictionaryStringDateTimeOffset),
            cancellation);
}

[JsonSerializable(typeof(Dictionary<string, DateTimeOffset>))]
internal sealed partial class LastUseJson : JsonSerializerContext;
