namespace Hazumu.Gateway.Keys;

/// <summary>The caller of a request, or the reason for its refusal.</summary>
/// <param name="Caller">The caller; <see cref="Caller.Refused"/> if it is refused, which may still use operations that
/// need no scope.</param>
/// <param name="Refusal">The reason for the refusal, unless the operation needs no scope.</param>
/// <param name="Headers">The headers to remove before the request is forwarded.</param>
/// <param name="Detail">The value in the error message: an authentication scheme, or seconds.</param>
internal readonly record struct Authentication(Caller Caller, Refusal Refusal, KeyHeaders Headers, string? Detail = null)
{
    // A header can be 32 KB long; a message that repeats a name of that length is useless.
    private const int MaxSchemeLength = 32;

    /// <summary>The error message of the refusal.</summary>
    /// <param name="isOllama">Whether the client is Ollama's own, which can sign but send no key.</param>
    public string ToSentence(bool isOllama = false) => Refusal switch
    {
        Refusal.Missing when isOllama => $"This gateway needs a key: {HowToSign}.",
        Refusal.Missing => $"This gateway needs an API key: {HowToSend}.",
        Refusal.Scheme when Detail!.Length <= MaxSchemeLength => $"The scheme '{Detail}' of the Authorization header is not supported: {HowToSend}.",
        Refusal.Scheme => $"The scheme of the Authorization header is not supported: {HowToSend}.",
        Refusal.Unknown => "The API key is not valid.",
        Refusal.PublicKey => $"The public key of this Ollama client is not registered at this gateway: {HowToRegister}.",
        Refusal.Signature => "The signature of the request is not valid: it must be of the method, the path and the parameter 'ts' of this request.",
        Refusal.Clock => $"The request was signed {Detail} s away from the time of this gateway's clock, and {OllamaSignature.MaxDifference.TotalSeconds} s are allowed: set the clock of the client or of the gateway.",
        Refusal.Expired => "The API key has expired.",
        Refusal.UnknownIssuer => "The token was not issued by an issuer that this gateway accepts.",
        Refusal.InvalidToken => "The token is not valid: its signature, algorithm or issuer is not accepted.",
        Refusal.Audience => "The token was issued for another audience than this gateway.",
        Refusal.NoName => $"The token does not name its subject: it needs the claim '{Detail}'.",
        Refusal.EarlyToken => "The token is not valid yet.",
        Refusal.ExpiredToken => "The token has expired; get a new one.",
        Refusal.NoRule => $"The token is valid, but no rule of the issuer '{Detail}' allows it anything.",
        Refusal.IssuerUnreachable => $"The token cannot be verified: the keys of the issuer '{Detail}' cannot be fetched; try again later.",
        Refusal.Ambiguous => "The headers Authorization, x-api-key and api-key hold keys of different names: send one of them.",
        _ => throw new InvalidOperationException($"'{Refusal}' is no refusal."),
    };

    /// <summary>What <c>WWW-Authenticate</c> says of the refusal (RFC 6750).</summary>
    public string Challenge => Refusal is Refusal.UnknownIssuer or (>= Refusal.InvalidToken and <= Refusal.ExpiredToken)
        ? $"Bearer error=\"invalid_token\", error_description=\"{ToSentence()}\""
        : "Bearer";

    private const string HowToSend = "send the key as 'Authorization: Bearer <key>', 'x-api-key: <key>' or 'api-key: <key>'";
    private const string HowToRegister = "have the gateway's administrator run 'keys create NAME --ollama-public-key KEY' with the text of your ~/.ollama/id_ed25519.pub";
    private const string HowToSign = $"set OLLAMA_AUTH=1, and {HowToRegister}";
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

    /// <summary>Its token is of an issuer that is not known.</summary>
    UnknownIssuer,

    /// <summary>It is signed by a client of Ollama's whose public key is not registered.</summary>
    PublicKey,

    /// <summary>Its signature is not of this request, or cannot be read.</summary>
    Signature,

    /// <summary>It was signed too long ago, or in the future.</summary>
    Clock,

    /// <summary>Its key has expired.</summary>
    Expired,

    /// <summary>Its token has a signature, an algorithm or an issuer that is not accepted, or no end.</summary>
    InvalidToken,

    /// <summary>Its token is for another audience.</summary>
    Audience,

    /// <summary>Its token has no claim that names the subject.</summary>
    NoName,

    /// <summary>Its token is not valid yet.</summary>
    EarlyToken,

    /// <summary>Its token has expired.</summary>
    ExpiredToken,

    /// <summary>Its token is valid, and fits none of its issuer's rules.</summary>
    NoRule,

    /// <summary>Its token cannot be verified now.</summary>
    IssuerUnreachable,

    /// <summary>It holds two valid keys.</summary>
    Ambiguous,
}
