using System.Globalization;
using Hazumu.Gateway.Configuration;
using Hazumu.Gateway.Keys;

namespace Hazumu.Gateway.Console;

/// <summary>Creates and revokes keys of the gateway's own key file, which holds at once.</summary>
internal sealed class KeyEditor(GatewaySettings settings, KeyStore store, TimeProvider time)
{
    /// <summary>The keys.</summary>
    public IReadOnlyList<ApiKey> All => store.Current.Keys;

    /// <summary>Whether a key is one of the settings, which only they can change.</summary>
    public bool IsConfigured(ApiKey key) => settings.Current.Keys.Configured.ContainsKey(key.Name);

    /// <summary>Whether a key is refused by now.</summary>
    public bool HasExpired(ApiKey key) => key.Expires <= time.GetUtcNow();

    /// <summary>Whether the key file can be changed: a Secret of Kubernetes cannot.</summary>
    public bool CanWrite
    {
        get
        {
            try
            {
                // As an edit does: a file takes the place of the old one.
                var path = File;
                return path is not null && (!System.IO.File.Exists(path) || IsWritable(Path.GetDirectoryName(path)!));
            }
            catch (Exception error) when (error is IOException or UnauthorizedAccessException)
            {
                return false;
            }
        }
    }

    private string? File => string.IsNullOrWhiteSpace(settings.Current.Keys.File) ? KeyOptions.DefaultFile : Path.GetFullPath(settings.Current.Keys.File);

    /// <summary>Creates a key.</summary>
    /// <returns>Its text, to be shown once.</returns>
    /// <exception cref="KeyFileException">The name is taken, a value is not allowed, or the file cannot be written.</exception>
    public async Task<string> CreateAsync(NewKey wanted, CancellationToken cancellationToken)
    {
        var name = wanted.Name.Trim();
        if (!KeyName.IsValid(name))
        {
            throw new KeyFileException($"'{name}' is not a valid name of a key; a name must be {KeyName.Allowed}.");
        }

        if (store.Current.Keys.Any(key => key.Name.Equals(name, StringComparison.OrdinalIgnoreCase)))
        {
            throw new KeyFileException($"The key '{name}' exists already; revoke it first, or choose another name.");
        }

        var scopes = (wanted.Infer ? Scope.Infer : 0) | (wanted.Read ? Scope.Read : 0) | (wanted.Admin ? Scope.Admin : 0);
        if (scopes == Scope.None)
        {
            throw new KeyFileException($"The key has no scope; choose one or more of {ScopeNames.Allowed}.");
        }

        if (!ModelList.TryParse(wanted.Models.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries), out var models, out var wrong))
        {
            throw new KeyFileException($"The models hold '{wrong}', which is neither the name of a model nor a pattern such as qwen*.");
        }

        var now = time.GetUtcNow();
        var (text, id, hash) = KeyText.Create();
        await KeyFileEditor.AddAsync(
            File ?? throw new KeyFileException($"There is no key file; set '{KeyOptions.SectionName}:File'."),
            [new ApiKey
            {
                Id = id,
                Name = name,
                Hash = hash,
                Scopes = scopes,
                Models = models,
                Priority = wanted.Priority,
                RequestsPerMinute = Positive(wanted.RequestsPerMinute),
                TokensPerMinute = Positive(wanted.TokensPerMinute),
                ConcurrentRequests = Positive(wanted.ConcurrentRequests),
                Created = now,
                Expires = wanted.Days > 0 ? now.AddDays(wanted.Days) : null,
            }],
            cancellationToken);
        store.Refresh();
        return text;
    }

    /// <summary>Revokes a key.</summary>
    /// <exception cref="KeyFileException">It is gone already, or the file cannot be written.</exception>
    public async Task RevokeAsync(ApiKey key, CancellationToken cancellationToken)
    {
        await KeyFileEditor.RemoveAsync(File ?? "", key.Name, cancellationToken);
        store.Refresh();
    }

    private static int? Positive(int? limit) => limit is null or > 0
        ? limit
        : throw new KeyFileException(string.Create(CultureInfo.InvariantCulture, $"A limit is {limit}; allowed: a number from 1 to {int.MaxValue}, or nothing."));

    private static bool IsWritable(string folder)
    {
        var probe = Path.Combine(folder, $".hazumu-{Guid.NewGuid():N}.tmp");
        using (new FileStream(probe, FileMode.CreateNew, FileAccess.Write, FileShare.None, 1, FileOptions.DeleteOnClose))
        {
            return true;
        }
    }
}

/// <summary>A key that is to be created, as the form has it.</summary>
internal sealed class NewKey
{
    /// <summary>Its name.</summary>
    public string Name { get; set; } = "";

    /// <summary>Whether it may run models.</summary>
    public bool Infer { get; set; } = true;

    /// <summary>Whether it may look at models and instances.</summary>
    public bool Read { get; set; } = true;

    /// <summary>Whether it may change what is stored, and use the console.</summary>
    public bool Admin { get; set; }

    /// <summary>The models that it may name, separated by commas; all unless one is given.</summary>
    public string Models { get; set; } = "";

    /// <summary>The priority of its requests.</summary>
    public Priority Priority { get; set; } = Priority.Normal;

    /// <summary>Requests within a minute.</summary>
    public int? RequestsPerMinute { get; set; }

    /// <summary>Tokens within a minute.</summary>
    public int? TokensPerMinute { get; set; }

    /// <summary>Requests at the same time.</summary>
    public int? ConcurrentRequests { get; set; }

    /// <summary>Days until it expires; zero for never.</summary>
    public int Days { get; set; }
}
