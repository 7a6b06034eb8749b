using System.Text.Json;
using System.Text.Json.Serialization;
using Hazumu.Gateway.Configuration;

namespace Hazumu.Gateway.Keys;

/// <summary>The file that keys are stored in: indented JSON, read strictly.</summary>
/// <remarks>
/// <code>
/// {
///   "version": 1,
///   "keys": [
///     {
///       "id": "…", "name": "open-webui", "sha256": "…", "former": [{ "sha256": "…", "expires": "…" }], "ollamaPublicKey": "AAAA…", "scopes": ["infer", "read"], "models": ["qwen*"],
///       "priority": "batch", "requestsPerMinute": 60, "tokensPerMinute": 100000, "concurrentRequests": 4,
///       "endUsers": ["X-OpenWebUI-User-Id", "body"], "endUserRequestsPerMinute": 20, "endUserTokensPerMinute": 20000,
///       "endUserConcurrentRequests": 2, "group": "sales", "note": "asked for by Bob",
///       "created": "2026-01-01T00:00:00Z", "expires": "2027-01-01T00:00:00Z"
///     }
///   ]
/// }
/// </code>
/// Only <c>id</c>, <c>name</c>, <c>sha256</c>, <c>scopes</c> and <c>created</c> must be present.
/// </remarks>
internal static class KeyFile
{
    private const int Version = 1;

    private static readonly KeyFileJson s_json = new(new JsonSerializerOptions
    {
        AllowDuplicateProperties = false,
        DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
        NewLine = "\n",
        PropertyNamingPolicy = JsonNamingPolicy.CamelCase,
        WriteIndented = true,
    });

    private static ReadOnlySpan<byte> ByteOrderMark => [0xEF, 0xBB, 0xBF];

    /// <summary>Reads the keys of a file; none where there is no such file.</summary>
    /// <exception cref="KeyFileException">It cannot be read, or is not as it must be.</exception>
    public static IReadOnlyList<ApiKey> Read(string path)
    {
        byte[] bytes;
        try
        {
            bytes = RegularFile.ReadAllBytes(path);
        }
        catch (Exception problem) when (problem is FileNotFoundException or DirectoryNotFoundException)
        {
            return [];
        }
        catch (Exception problem) when (problem is IOException or UnauthorizedAccessException)
        {
            throw new KeyFileException($"The key file '{path}' cannot be read: {problem.Message}", problem);
        }

        return Parse(bytes, path);
    }

    /// <summary>Reads the keys of a file's content.</summary>
    /// <param name="content">The content.</param>
    /// <param name="path">The file, for messages.</param>
    /// <exception cref="KeyFileException">It is not as it must be.</exception>
    public static IReadOnlyList<ApiKey> Parse(ReadOnlySpan<byte> content, string path)
    {
        var stored = Deserialize(content.StartsWith(ByteOrderMark) ? content[ByteOrderMark.Length..] : content, path);
        if (stored?.Version is { } version && version != Version)
        {
            throw Wrong(path, $"its 'version' is {version}, and this gateway reads version {Version}");
        }

        if (stored is not { Version: not null, Keys: not null })
        {
            throw Wrong(path, "it must be an object with 'version' and 'keys'");
        }

        ThrowIfUnknown(stored.Unknown, path, "the file", "version, keys");
        var keys = new List<ApiKey>(stored.Keys.Count);
        foreach (var key in stored.Keys)
        {
            keys.Add(Convert(key, path, $"key {keys.Count + 1}"));
        }

        if (KeySet.FindDuplicate(keys) is { } duplicate)
        {
            throw Wrong(path, duplicate);
        }

        return keys;
    }

    /// <summary>The content of a file that holds these keys.</summary>
    public static byte[] Format(IEnumerable<ApiKey> keys)
    {
        var stored = new StoredKeys
        {
            Version = Version,
            Keys = [.. keys.Select(key => new StoredKey
            {
                Id = key.Id,
                Name = key.Name,
                Sha256 = System.Convert.ToHexStringLower(key.Hash),
                Former = key.Former.Count == 0 ? null : [.. key.Former.Select(former => new StoredSecret { Sha256 = System.Convert.ToHexStringLower(former.Hash), Expires = KeyTime.Format(former.Expires) })],
                OllamaPublicKey = key.OllamaPublicKey,
                Scopes = [.. ScopeNames.Of(key.Scopes)],
                Models = key.Models.IsAll ? null : [.. key.Models.Patterns],
                Priority = key.Priority == Priority.Normal ? null : PriorityNames.Of(key.Priority),
                RequestsPerMinute = key.RequestsPerMinute,
                TokensPerMinute = key.TokensPerMinute,
                ConcurrentRequests = key.ConcurrentRequests,
                EndUsers = key.EndUsers is null ? null : [.. key.EndUsers.Names],
                EndUserRequestsPerMinute = key.EndUserLimits.RequestsPerMinute,
                EndUserTokensPerMinute = key.EndUserLimits.TokensPerMinute,
                EndUserConcurrentRequests = key.EndUserLimits.ConcurrentRequests,
                Group = key.Group,
                Note = key.Note,
                Created = KeyTime.Format(key.Created),
                Expires = key.Expires is { } expires ? KeyTime.Format(expires) : null,
            })],
        };

        return [.. JsonSerializer.SerializeToUtf8Bytes(stored, s_json.StoredKeys), (byte)'\n'];
    }

    private static StoredKeys? Deserialize(ReadOnlySpan<byte> content, string path)
    {
        try
        {
            return JsonSerializer.Deserialize(content, s_json.StoredKeys);
        }
        catch (JsonException problem)
        {
            var line = problem.LineNumber + 1;

            // The parser's own exceptions are wrapped, because they contain characters of the file, which must not be
            // in the message.
            throw problem.InnerException is JsonException
                ? new KeyFileException($"The key file '{path}' is not valid JSON at line {line}.")
                : Wrong(path, $"the value at {problem.Path}, line {line}, has the wrong type or is repeated");
        }
    }

    private static ApiKey Convert(StoredKey? key, string path, string what)
    {
        if (key is null)
        {
            throw Wrong(path, $"{what} is null");
        }

        if (!KeyName.IsValid(key.Name))
        {
            throw Wrong(path, $"the 'name' of {what} must be {KeyName.Allowed}");
        }

        what = $"{what} ('{key.Name}')";
        ThrowIfUnknown(
            key.Unknown, path, what, "id, name, sha256, former, ollamaPublicKey, scopes, models, priority, requestsPerMinute, tokensPerMinute, concurrentRequests, endUsers, endUserRequestsPerMinute, endUserTokensPerMinute, endUserConcurrentRequests, group, note, created, expires");

        if (!KeyText.IsId(key.Id))
        {
            throw Wrong(path, $"the 'id' of {what} must be 8 letters or digits");
        }

        if (!TryParseHash(key.Sha256, out var hash))
        {
            throw Wrong(path, $"the 'sha256' of {what} must be 64 hexadecimal digits");
        }

        var former = new List<FormerSecret>();
        foreach (var secret in key.Former ?? [])
        {
            if (secret is null || !TryParseHash(secret.Sha256, out var formerHash) || !KeyTime.TryParse(secret.Expires, out var end))
            {
                throw Wrong(path, $"each 'former' of {what} must have 'sha256' with 64 hexadecimal digits, and 'expires' with {KeyTime.Allowed}");
            }

            ThrowIfUnknown(secret.Unknown, path, $"a 'former' of {what}", "sha256, expires");
            former.Add(new(formerHash, end));
        }

        var publicKey = key.OllamaPublicKey is null ? null : OllamaSignature.ReadPublicKey(key.OllamaPublicKey);
        if (key.OllamaPublicKey is not null && publicKey is null)
        {
            throw Wrong(path, $"the 'ollamaPublicKey' of {what} must be a public key of the type ssh-ed25519");
        }

        if (!ScopeNames.TryParse(key.Scopes?.Select(scope => scope ?? "") ?? [], out var scopes))
        {
            throw Wrong(path, $"the 'scopes' of {what} must be at least one of {ScopeNames.Allowed}");
        }

        if (!ModelList.TryParse(key.Models?.Select(model => model ?? "") ?? [], out var models, out var wrong))
        {
            throw Wrong(path, $"the 'models' of {what} hold '{wrong}', which is neither the name of a model nor a pattern such as qwen*");
        }

        var priority = Priority.Normal;
        if (key.Priority is not null && !PriorityNames.TryParse(key.Priority, out priority))
        {
            throw Wrong(path, $"the 'priority' of {what} must be one of {PriorityNames.Allowed}");
        }

        if (!EndUserSources.TryParse(key.EndUsers?.Select(source => source ?? "") ?? [], out var endUsers, out wrong))
        {
            throw Wrong(path, $"the 'endUsers' of {what} hold '{wrong}'; allowed: {EndUserSources.Allowed}");
        }

        if (key.Group is not null && !KeyNote.IsGroup(key.Group))
        {
            throw Wrong(path, $"the 'group' of {what} must be {KeyNote.AllowedGroup}");
        }

        if (key.Note is not null && !KeyNote.IsNote(key.Note))
        {
            throw Wrong(path, $"the 'note' of {what} must be {KeyNote.AllowedNote}");
        }

        if (!KeyTime.TryParse(key.Created, out var created))
        {
            throw Wrong(path, $"'created' of {what} must be {KeyTime.Allowed}");
        }

        DateTimeOffset expires = default;
        if (key.Expires is not null && !KeyTime.TryParse(key.Expires, out expires))
        {
            throw Wrong(path, $"'expires' of {what} must be {KeyTime.Allowed}");
        }

        return new ApiKey
        {
            Id = key.Id!,
            Name = key.Name!,
            Hash = hash,
            Former = former,
            OllamaPublicKey = publicKey,
            Scopes = scopes,
            Models = models,
            Priority = priority,
            RequestsPerMinute = Limit(key.RequestsPerMinute, "requestsPerMinute"),
            TokensPerMinute = Limit(key.TokensPerMinute, "tokensPerMinute"),
            ConcurrentRequests = Limit(key.ConcurrentRequests, "concurrentRequests"),
            EndUsers = endUsers,
            EndUserLimits = new(
                Limit(key.EndUserRequestsPerMinute, "endUserRequestsPerMinute"),
                Limit(key.EndUserTokensPerMinute, "endUserTokensPerMinute"),
                Limit(key.EndUserConcurrentRequests, "endUserConcurrentRequests")),
            Group = key.Group,
            Note = key.Note,
            Created = created,
            Expires = key.Expires is null ? null : expires,
        };

        int? Limit(int? value, string name) => value is null or >= 1
            ? value
            : throw Wrong(path, $"'{name}' of {what} is {value}, and must be at least 1 or absent");
    }

    private static bool TryParseHash(string? text, out byte[] hash)
    {
        hash = new byte[KeyText.HashSize];
        return text?.Length == 2 * KeyText.HashSize
            && System.Convert.FromHexString(text, hash, out _, out var written) == System.Buffers.OperationStatus.Done
            && written == hash.Length;
    }

    private static void ThrowIfUnknown(Dictionary<string, JsonElement>? unknown, string path, string what, string known)
    {
        if (unknown is { Count: > 0 })
        {
            throw Wrong(path, $"{what} has the unknown member '{unknown.Keys.First()}'; known are {known}");
        }
    }

    private static KeyFileException Wrong(string path, string what) => new($"The key file '{path}' is not valid: {what}.");
}

/// <summary>The file as it is written. Unknown members are collected, to be named in a message.</summary>
internal sealed class StoredKeys
{
    public int? Version { get; set; }

    public List<StoredKey?>? Keys { get; set; }

    [JsonExtensionData]
    public Dictionary<string, JsonElement>? Unknown { get; set; }
}

/// <summary>A key as it is written.</summary>
internal sealed class StoredKey
{
    public string? Id { get; set; }

    public string? Name { get; set; }

    public string? Sha256 { get; set; }

    public List<StoredSecret?>? Former { get; set; }

    public string? OllamaPublicKey { get; set; }

    public List<string?>? Scopes { get; set; }

    public List<string?>? Models { get; set; }

    public string? Priority { get; set; }

    public int? RequestsPerMinute { get; set; }

    public int? TokensPerMinute { get; set; }

    public int? ConcurrentRequests { get; set; }

    public List<string?>? EndUsers { get; set; }

    public int? EndUserRequestsPerMinute { get; set; }

    public int? EndUserTokensPerMinute { get; set; }

    public int? EndUserConcurrentRequests { get; set; }

    public string? Group { get; set; }

    public string? Note { get; set; }

    public string? Created { get; set; }

    public string? Expires { get; set; }

    [JsonExtensionData]
    public Dictionary<string, JsonElement>? Unknown { get; set; }
}

/// <summary>A former secret as it is written.</summary>
internal sealed class StoredSecret
{
    public string? Sha256 { get; set; }

    public string? Expires { get; set; }

    [JsonExtensionData]
    public Dictionary<string, JsonElement>? Unknown { get; set; }
}

[JsonSerializable(typeof(StoredKeys))]
internal sealed partial class KeyFileJson : JsonSerializerContext;
