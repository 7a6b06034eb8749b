namespace Hazumu.Gateway.Keys;

/// <summary>The caller of a request: a key, or anonymous if keys are off.</summary>
/// <param name="Name">The key's name, for metrics and the access log; never the key.</param>
/// <param name="Key">The stored data of the key; null without a key.</param>
internal sealed record Caller(string Name, ApiKey? Key = null)
{
    private readonly string? _group;
    private bool _isRefused;

    /// <summary>A caller without a key while none is required.</summary>
    public static Caller Anonymous { get; } = new("anonymous");

    /// <summary>
    /// A caller without a valid key while one is required: may only use operations that need no scope.
    /// </summary>
    public static Caller Refused { get; } = new("anonymous") { _isRefused = true };

    /// <summary>The group that the key belongs to; <see langword="null"/> where it belongs to none.</summary>
    public string? Group
    {
        get => _group ?? Key?.Group;
        init => _group = value;
    }

    /// <summary>The subject of a token; <see langword="null"/> if it is not a token's.</summary>
    public string? EndUser { get; init; }

    /// <summary>The credential, for messages that begin with it.</summary>
    public string Credential => EndUser is null ? $"The key '{Name}'" : $"The token of the {Name.Replace(":", " '", StringComparison.Ordinal)}'";

    /// <summary>When the key was last used.</summary>
    public LastUse LastUse { get; init; } = new();

    /// <summary>Reports when the key is revoked or has expired; <see langword="null"/> without a key, and of a token.</summary>
    public KeyRevocation? Revocation { get; init; } = Key is null ? null : new();

    /// <summary>Whether it may do this: the key has exactly this scope. Admin alone neither infers nor reads.</summary>
    public bool May(Scope scope) => scope == Scope.None || Has(scope);

    /// <summary>Whether it has a scope; where no key is needed, everybody has all.</summary>
    public bool Has(Scope scope) => Key is null ? !_isRefused : (Key.Scopes & scope) == scope;

    /// <summary>Whether it may name this model, as <see cref="ModelList"/> compares them.</summary>
    public bool MayUse(ReadOnlySpan<char> model) => Key is null ? !_isRefused : Key.Models.Allows(model);
}
