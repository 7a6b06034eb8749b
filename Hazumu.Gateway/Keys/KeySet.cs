using System.Collections.Frozen;
using System.Security.Cryptography;

namespace Hazumu.Gateway.Keys;

/// <summary>The keys that hold at one time; a reload makes another.</summary>
internal sealed class KeySet
{
    // Compared against where an id is unknown, so that this takes the time of a wrong secret.
    private static readonly byte[] s_noHash = new byte[KeyText.HashSize];

    private readonly FrozenDictionary<string, Caller>.AlternateLookup<ReadOnlySpan<char>> _byId;

    /// <summary>Those whose text has no id: any text, given by configuration.</summary>
    private readonly Caller[] _withoutId;

    /// <summary>Makes the set.</summary>
    /// <param name="isRequired">Whether a request needs a key.</param>
    /// <param name="keys">The keys; no two of one name or id.</param>
    public KeySet(bool isRequired, IReadOnlyList<ApiKey> keys)
    {
        IsRequired = isRequired;
        Keys = keys;
        _byId = keys
            .Where(key => KeyText.IsId(key.Id))
            .ToFrozenDictionary(key => key.Id, key => new Caller(key.Name, key), StringComparer.Ordinal)
            .GetAlternateLookup<ReadOnlySpan<char>>();
        _withoutId = [.. keys.Where(key => !KeyText.IsId(key.Id)).Select(key => new Caller(key.Name, key))];
    }

    /// <summary>Whether a request needs a key.</summary>
    public bool IsRequired { get; }

    /// <summary>What is stored of them.</summary>
    public IReadOnlyList<ApiKey> Keys { get; }

    /// <summary>Says, as a part of a sentence, what two keys have in common that they may not; null where there is nothing.</summary>
    public static string? FindDuplicate(IEnumerable<ApiKey> keys)
    {
        var names = new HashSet<string>(StringComparer.OrdinalIgnoreCase);
        var ids = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var key in keys)
        {
            if (!names.Add(key.Name))
            {
                return $"two keys have the name '{key.Name}'";
            }

            if (!ids.TryAdd(key.Id, key.Name))
            {
                return $"the keys '{ids[key.Id]}' and '{key.Name}' have the same id";
            }
        }

        return null;
    }

    /// <summary>The caller whose key a text is, expired or not; null where it is none. Allocates nothing.</summary>
    public Caller? Find(ReadOnlySpan<char> text)
    {
        Span<byte> hash = stackalloc byte[KeyText.HashSize];
        if (KeyText.TryParse(text, out var id, out var secret))
        {
            KeyText.Hash(secret, hash);
            _ = _byId.TryGetValue(id, out var known);
            return CryptographicOperations.FixedTimeEquals(hash, known?.Key!.Hash ?? s_noHash) ? known : null;
        }

        if (_withoutId.Length == 0 || !KeyText.IsToken(text))
        {
            return null;
        }

        KeyText.Hash(text, hash);
        Caller? found = null;
        foreach (var caller in _withoutId)
        {
            if (CryptographicOperations.FixedTimeEquals(hash, caller.Key!.Hash))
            {
                found = caller;
            }
        }

        return found;
    }
}
