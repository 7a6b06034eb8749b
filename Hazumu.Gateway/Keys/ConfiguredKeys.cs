using Hazumu.Gateway.Configuration;

namespace Hazumu.Gateway.Keys;

/// <summary>The keys of <c>Gateway:Keys:Configured</c>: checked once, and of a key that is given in plain text only its hash kept.</summary>
internal sealed class ConfiguredKeys
{
    private const int MinLength = 20;
    private const char Separator = ',';

    private readonly (ApiKey Key, string? File)[] _entries;

    /// <summary>Reads the options.</summary>
    /// <exception cref="KeyFileException">A value is not allowed.</exception>
    public ConfiguredKeys(IReadOnlyDictionary<string, ConfiguredKey> configured, DateTimeOffset now) =>
        _entries = [.. configured.Select(entry => Read(entry.Key, entry.Value, now))];

    /// <summary>The files that hold keys.</summary>
    public IEnumerable<string> Files => _entries.Select(entry => entry.File).OfType<string>();

    /// <summary>The keys, those in files as the files are now.</summary>
    /// <exception cref="KeyFileException">A file cannot be read or holds no key.</exception>
    public IEnumerable<ApiKey> Load()
    {
        foreach (var (key, file) in _entries)
        {
            yield return file is null ? key : WithText(key, ReadText(key.Name, file), Path(key.Name, nameof(ConfiguredKey.KeyFile)));
        }
    }

    private static (ApiKey Key, string? File) Read(string name, ConfiguredKey configured, DateTimeOffset now)
    {
        if (!KeyName.IsValid(name))
        {
            throw new KeyFileException($"'{KeyOptions.SectionName}:Configured' holds a key with the name '{name}'; a name must be {KeyName.Allowed}.");
        }

        if (!ScopeNames.TryParse(Split(configured.Scopes), out var scopes))
        {
            throw Wrong(name, nameof(ConfiguredKey.Scopes), configured.Scopes, $"one or more of {ScopeNames.Allowed}, separated by commas");
        }

        if (!ModelList.TryParse(Split(configured.Models), out var models, out var wrong))
        {
            throw Wrong(name, nameof(ConfiguredKey.Models), wrong, "names of models and patterns such as qwen*, separated by commas");
        }

        if (!EndUserSources.TryParse(Split(configured.EndUsers), out var endUsers, out wrong))
        {
            throw Wrong(name, nameof(ConfiguredKey.EndUsers), wrong, EndUserSources.Allowed);
        }

        if (configured.Group is not null && !KeyNote.IsGroup(configured.Group))
        {
            throw Wrong(name, nameof(ConfiguredKey.Group), configured.Group, KeyNote.AllowedGroup);
        }

        DateTimeOffset expires = default;
        var doesExpire = !string.IsNullOrWhiteSpace(configured.Expires);
        if (doesExpire && !KeyTime.TryParse(configured.Expires, out expires))
        {
            throw Wrong(name, nameof(ConfiguredKey.Expires), configured.Expires, KeyTime.Allowed);
        }

        var hasFile = !string.IsNullOrWhiteSpace(configured.KeyFile);
        if (string.IsNullOrEmpty(configured.Key) != hasFile)
        {
            throw new KeyFileException(
                $"'{Path(name, nameof(ConfiguredKey.Key))}' and '{Path(name, nameof(ConfiguredKey.KeyFile))}' are {(hasFile ? "both" : "not")} set; set one of them.");
        }

        var key = new ApiKey
        {
            Id = "",
            Name = name,
            Hash = [],
            Scopes = scopes,
            Models = models,
            Priority = configured.Priority,
            RequestsPerMinute = Limit(nameof(ConfiguredKey.RequestsPerMinute), configured.RequestsPerMinute),
            TokensPerMinute = Limit(nameof(ConfiguredKey.TokensPerMinute), configured.TokensPerMinute),
            ConcurrentRequests = Limit(nameof(ConfiguredKey.ConcurrentRequests), configured.ConcurrentRequests),
            EndUsers = endUsers,
            EndUserLimits = new(
                Limit(nameof(ConfiguredKey.EndUserRequestsPerMinute), configured.EndUserRequestsPerMinute),
                Limit(nameof(ConfiguredKey.EndUserTokensPerMinute), configured.EndUserTokensPerMinute),
                Limit(nameof(ConfiguredKey.EndUserConcurrentRequests), configured.EndUserConcurrentRequests)),
            Group = configured.Group,
            Created = now,
            Expires = doesExpire ? expires : null,
        };

        return hasFile
            ? (key, System.IO.Path.GetFullPath(configured.KeyFile!))
            : (WithText(key, configured.Key, Path(name, nameof(ConfiguredKey.Key))), null);

        int? Limit(string setting, int? value) => value is null or >= 1 ? value : throw Wrong(name, setting, $"{value}", "1 and more, or nothing");
    }

    private static ApiKey WithText(ApiKey key, ReadOnlySpan<char> text, string setting)
    {
        var hash = new byte[KeyText.HashSize];
        if (KeyText.TryParse(text, out var id, out var secret))
        {
            KeyText.Hash(secret, hash);
            return key with { Id = new(id), Hash = hash };
        }

        // The text itself stays out of the message.
        if (KeyText.IsOurs(text))
        {
            throw new KeyFileException($"'{setting}' begins with {KeyText.Prefix}, but is not a whole key of this gateway's.");
        }

        if (text.Length < MinLength || !KeyText.IsToken(text))
        {
            throw new KeyFileException($"'{setting}' must hold {MinLength} to {KeyText.MaxLength} visible ASCII characters without a space.");
        }

        // No id of a key in a file has a colon.
        KeyText.Hash(text, hash);
        return key with { Id = $"configured:{key.Name}", Hash = hash };
    }

    private static string ReadText(string name, string file)
    {
        try
        {
            return RegularFile.ReadAllText(file).Trim();
        }
        catch (Exception problem) when (problem is IOException or UnauthorizedAccessException)
        {
            throw new KeyFileException($"The file of '{Path(name, nameof(ConfiguredKey.KeyFile))}' cannot be read: {problem.Message}", problem);
        }
    }

    private static string[] Split(string? list) =>
        list?.Split(Separator, StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries) ?? [];

    private static string Path(string name, string setting) => $"{KeyOptions.SectionName}:Configured:{name}:{setting}";

    private static KeyFileException Wrong(string name, string setting, string? value, string allowed) =>
        new($"'{Path(name, setting)}' is '{value}'; allowed: {allowed}.");
}
