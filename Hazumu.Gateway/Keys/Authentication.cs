namespace Hazumu.Gateway.Keys;

/// <summary>Who makes a request, or why it is refused.</summary>
/// <param name="Caller">Who makes it; <see cref="Caller.Refused"/> where it is refused, which may still do what needs no scope.</param>
/// <param name="Refusal">Why it is refused, unless its operation needs no scope.</param>
/// <param name="Headers">The headers that hold a key of this gateway's, valid or not: not to be passed on.</param>
internal readonly record struct Authentication(Caller Caller, Refusal Refusal, KeyHeaders Headers);

/// <summary>Why a request is refused with 401.</summary>
internal enum Refusal
{
    /// <summary>It is not.</summary>
    None,

    /// <summary>It has no key.</summary>
    Missing,

    /// <summary>What it has is no key, none that is known, or one that is revoked.</summary>
    Unknown,

    /// <summary>Its key has expired.</summary>
    Expired,

    /// <summary>Its two headers hold different things.</summary>
    Ambiguous,
}

/// <summary>What a refused client is told.</summary>
internal static class RefusalExtensions
{
    /// <summary>The sentence for the body of the answer.</summary>
    public static string ToSentence(this Refusal refusal) => refusal switch
    {
        Refusal.Missing => "This gateway needs an API key: send it as 'Authorization: Bearer <key>' or as 'x-api-key: <key>'.",
        Refusal.Unknown => "The API key is not valid.",
        Refusal.Expired => "The API key has expired.",
        Refusal.Ambiguous => "'Authorization' and 'x-api-key' hold different keys: send one.",
        _ => throw new ArgumentOutOfRangeException(nameof(refusal), refusal, "It is not refused."),
    };
}
