using Hazumu.Gateway.Configuration;

namespace Hazumu.Gateway.Keys;

/// <summary>The stored data of a key: never the key itself.</summary>
internal sealed record ApiKey
{
    /// <summary>The id for looking up the key and its limits: the second part of its text.</summary>
    public required string Id { get; init; }

    /// <summary>The name for people, metrics and the access log; unique without regard to case.</summary>
    public required string Name { get; init; }

    /// <summary>SHA-256 of the secret part; see <see cref="KeyText"/>.</summary>
    public required byte[] Hash { get; init; }

    /// <summary>Secrets that it had before it was rotated, and that are accepted for a while.</summary>
    public IReadOnlyList<FormerSecret> Former { get; init; } = [];

    /// <summary>
    /// The public key of its owner's Ollama, in Base64, by which a request can be signed instead; null where there is none. See
    /// <see cref="OllamaSignature"/>.
    /// </summary>
    public string? OllamaPublicKey { get; init; }

    /// <summary>All that the key may do; no scope holds another.</summary>
    public required Scope Scopes { get; init; }

    /// <summary>The models that it may name.</summary>
    public ModelList Models { get; init; } = ModelList.All;

    /// <summary>The priority of its requests, which a request may lower.</summary>
    public Priority Priority { get; init; } = Priority.Normal;

    /// <summary>Requests within a minute; null where there is no limit.</summary>
    public int? RequestsPerMinute { get; init; }

    /// <summary>Tokens within a minute, of prompts and of answers; null where there is no limit.</summary>
    public int? TokensPerMinute { get; init; }

    /// <summary>Requests at the same time; null where there is no limit.</summary>
    public int? ConcurrentRequests { get; init; }

    /// <summary>Limits of all its requests together.</summary>
    public Limits Limits => new(RequestsPerMinute, TokensPerMinute, ConcurrentRequests);

    /// <summary>Limits of each end user that it names.</summary>
    public Limits EndUserLimits { get; init; }

    /// <summary>How its requests name the people behind it; <see langword="null"/> where it is not trusted to name any.</summary>
    public EndUserSources? EndUsers { get; init; }

    /// <summary>The group that it belongs to; <see langword="null"/> where it belongs to none.</summary>
    public string? Group { get; init; }

    /// <summary>The owner's note about it; <see langword="null"/> without one.</summary>
    public string? Note { get; init; }

    /// <summary>When it was made.</summary>
    public required DateTimeOffset Created { get; init; }

    /// <summary>The time from which on it is refused; null where it does not end.</summary>
    public DateTimeOffset? Expires { get; init; }

    /// <summary>Only the name: a message or a log that contains a key reveals nothing else.</summary>
    public override string ToString() => Name;
}

/// <summary>A secret that a key had before.</summary>
/// <param name="Hash">Its SHA-256.</param>
/// <param name="Expires">The time from which on it is refused.</param>
internal sealed record FormerSecret(byte[] Hash, DateTimeOffset Expires);
