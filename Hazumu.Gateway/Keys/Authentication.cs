namespace Hazumu.Gateway.Keys;

/// <summary>Who makes a request, or why it is refused.</summary>
/// <param name="Caller">Who makes it; <see cref="Caller.Refused"/> if it is refused, which may still do what needs no scope.</param>
/// <param name="Refusal">Why it is refused, unless its operation needs no scope.</param>
/// <param name="Headers">The headers to remove before the request is forwarded.</param>
/// <param name="Scheme">The authentication scheme that <see cref="Refusal.Scheme"/> names.</param>
internal readonly record struct Authentication(Caller Caller, Refusal Refusal, KeyHeaders Headers, string? Scheme = null)
{
    // A header can be 32 KB long; a sentence that repeats a name of that length helps nobody.
    private const int MaxSchemeLength = 32;

    /// <summary>The error message of the refusal.</summary>
    public string ToSentence() => Refusal switch
    {
        Refusal.Missing => $"This gateway needs an API key: {HowToSend}.",
        Refusal.Scheme when Scheme!.Length <= MaxSchemeLength => $"The scheme '{Scheme}' of the Authorization header is not supported: {HowToSend}.",
        Refusal.Scheme => $"The scheme of the Authorization header is not supported: {HowToSend}.",
        Refusal.Unknown => "The API key is not valid.",
        Refusal.Expired => "The API key has expired.",
        Refusal.Ambiguous => "The headers Authorization, x-api-key and api-key hold keys of different names: send one of them.",
        _ => throw new InvalidOperationException($"'{Refusal}' is no refusal."),
    };

    private const string HowToSend = "send the key as 'Authorization: Bearer <key>', 'x-api-key: <key>' or 'api-key: <key>'";
}

/// <summary>
/// Why a request is refused with 401. If several credentials fail, the refusal that comes later here is the one that is reported.
/// </summary>
internal enum Refusal
{
    /// <summary>It is not refused.</summary>
    None,

    /// <summary>It holds no credential.</summary>
    Missing,

    /// <summary>Its <c>Authorization</c> header has a scheme in which no key is accepted, or <c>Basic</c> that cannot be decoded.</summary>
    Scheme,

    /// <summary>Its credential is not a key, or the key does not exist or is revoked.</summary>
    Unknown,

    /// <summary>Its key has expired.</summary>
    Expired,

    /// <summary>It holds two valid keys.</summary>
    Ambiguous,
}
