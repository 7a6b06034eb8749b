using System.Collections.Frozen;
using System.Security.Cryptography;

namespace Hazumu.Gateway.Keys;

/// <summary>The keys that hold at one time; a reload makes another.</summary>
internal sealed class KeySet
{
    // Compared against where an id is unknown, so that this takes the time of a wrong secret.
    private static readonly byte[] s_noHash = new byte[KeyText.HashSize];

    private readonly FrozenDictionary<string, Caller>.AlternateLookup<ReadOnlySpan<char>> _byId;

    private readonly FrozenDictionary<string, Caller>.AlternateLookup<ReadOnlySpan<char>> _byPublicKey;

    /// <summary>Those whose text has no id: any text, given by configuration.</summary>
    private readonly Caller[] _withoutId;

    /// <summary>Makes the set.</summary>
    /// <param name="isRequired">Whether a request needs a key.</param>
    /// <param name="keys">The keys; no two of one name or id.</param>
    /// <param name="previous">The set before: a key that is in both stays the same key for its running requests.</param>
    public KeySet(bool isRequired, IReadOnlyList<ApiKey> keys, KeySet? previous = null)
    {
        IsRequired = isRequired;
        Keys = keys;
        Callers = [.. keys.Select(key => previous?.FindSame(key) is { Revocation.Token.IsCancellationRequested: false } caller ? caller with { Name = key.Name, Key = key } : new Caller(key.Name, key))];
        _byId = Callers
            .Where(caller => KeyText.IsId(caller.Key!.Id))
            .ToFrozenDictionary(caller => caller.Key!.Id, StringComparer.Ordinal)
            .GetAlternateLookup<ReadOnlySpan<char>>();
        _byPublicKey = Callers
            .Where(caller => caller.Key!.OllamaPublicKey is not null)
            .ToFrozenDictionary(caller => caller.Key!.OllamaPublicKey!, StringComparer.Ordinal)
            .GetAlternateLookup<ReadOnlySpan<char>>();
        _withoutId = [.. Callers.Where(caller => !KeyText.IsId(caller.Key!.Id))];
    }

    /// <summary>Whether a request needs a key.</summary>
    public bool IsRequired { get; }

    /// <summary>The stored data of the keys.</summary>
    public IReadOnlyList<ApiKey> Keys { get; }

    /// <summary>The callers that the keys stand for, in the same order.</summary>
    public IReadOnlyList<Caller> Callers { get; }

    /// <summary>Says, as a part of a sentence, what two keys have in common that they may not; null where there is nothing.</summary>
    public static string? FindDuplicate(IEnumerable<ApiKey> keys)
    {
        var names = new HashSet<string>(StringComparer.OrdinalIgnoreCase);
        var ids = new Dictionary<string, string>(StringComparer.Ordinal);
        var publicKeys = new Dictionary<string, string>(StringComparer.Ordinal);
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

            if (key.OllamaPublicKey is { } publicKey && !publicKeys.TryAdd(publicKey, key.Name))
            {
                return $"the keys '{publicKeys[publicKey]}' and '{key.Name}' have the same public key of Ollama";
            }
        }

        return null;
    }

    /// <summary>The caller with a public key of Ollama's client, expired or not; null if it is not registered.</summary>
    public Caller? FindPublicKey(ReadOnlySpan<char> publicKey) => _byPublicKey.TryGetValue(publicKey, out var found) ? found : null;

    /// <summary>The caller that has this very key; a key that was created again under its name is another.</summary>
    public Caller? FindSame(ApiKey key) => HashesOf(key).Select(hash => FindSame(key.Id, hash)).FirstOrDefault(caller => caller is not null);

    /// <summary>The caller that has the key with this id and hash, which may be that of a former secret.</summary>
    public Caller? FindSame(string id, ReadOnlySpan<byte> hash)
    {
        var found = _byId.TryGetValue(id, out var known) ? known : _withoutId.FirstOrDefault(caller => caller.Key!.Id == id);
        if (found?.Key is { } same)
        {
            foreach (var other in HashesOf(same))
            {
                if (hash.SequenceEqual(other))
                {
                    return found;
                }
            }
        }

        return null;
    }

    /// <summary>The caller whose key a text is, expired or not; null where it is none. Allocates nothing.</summary>
    public Caller? Find(ReadOnlySpan<char> text) => Find(text, out _);

    /// <summary>The caller whose key a text is, or was before the key was rotated.</summary>
    /// <param name="text">The text.</param>
    /// <param name="end">The time from which on a former secret is refused; <see langword="null"/> for the present one.</param>
    public Caller? Find(ReadOnlySpan<char> text, out DateTimeOffset? end)
    {
        end = null;
        Span<byte> hash = stackalloc byte[KeyText.HashSize];
        if (KeyText.TryParse(text, out var id, out var secret))
        {
            KeyText.Hash(secret, hash);
            _ = _byId.TryGetValue(id, out var known);
            if (CryptographicOperations.FixedTimeEquals(hash, known?.Key!.Hash ?? s_noHash))
            {
                return known;
            }

            foreach (var former in known?.Key!.Former ?? [])
            {
                if (CryptographicOperations.FixedTimeEquals(hash, former.Hash))
                {
                    end = former.Expires;
                    return known;
                }
            }

            return null;
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

    private static IEnumerable<byte[]> HashesOf(ApiKey key) => [key.Hash, .. key.Former.Select(former => former.Hash)];
}
