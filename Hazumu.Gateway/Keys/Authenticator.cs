using Microsoft.Extensions.Primitives;

namespace Hazumu.Gateway.Keys;

/// <summary>Tells from a request's headers who makes it: <c>Authorization: Bearer</c> or, as Anthropic's clients send it, <c>x-api-key</c>.</summary>
/// <remarks>
/// Where no key is required, a valid key is attributed to its name, and anything else is nobody's: clients made for OpenAI always send
/// some text.
/// </remarks>
internal sealed class Authenticator(KeyStore store, TimeProvider time)
{
    private const string Bearer = "Bearer";

    /// <summary>Tells who makes a request. Allocates nothing.</summary>
    public Authentication Authenticate(IHeaderDictionary headers)
    {
        var keys = store.Current;
        var bearer = ReadBearer(headers.Authorization);
        var apiKey = ReadApiKey(headers[KeyHeaderNames.ApiKey]);
        if (!bearer.IsPresent && !apiKey.IsPresent)
        {
            return keys.IsRequired ? Refuse(Refusal.Missing, KeyHeaders.None) : new(Caller.Anonymous, Refusal.None, KeyHeaders.None);
        }

        var areTwo = bearer.IsPresent && apiKey.IsPresent && !bearer.Text.SequenceEqual(apiKey.Text);
        var caller = bearer.IsPresent ? keys.Find(bearer.Text) : keys.Find(apiKey.Text);
        var other = areTwo ? keys.Find(apiKey.Text) : null;

        var ours = KeyHeaders.None;
        if (bearer.IsPresent && (caller is not null || KeyText.IsOurs(bearer.Text)))
        {
            ours |= KeyHeaders.Authorization;
        }

        if (apiKey.IsPresent && ((areTwo ? other : caller) is not null || KeyText.IsOurs(apiKey.Text)))
        {
            ours |= KeyHeaders.ApiKey;
        }

        if (areTwo && (keys.IsRequired || ours != KeyHeaders.None))
        {
            return Refuse(Refusal.Ambiguous, ours);
        }

        if (caller is null)
        {
            return keys.IsRequired ? Refuse(Refusal.Unknown, ours) : new(Caller.Anonymous, Refusal.None, ours);
        }

        if (caller.Key!.Expires is { } expires && expires <= time.GetUtcNow())
        {
            return keys.IsRequired ? Refuse(Refusal.Expired, ours) : new(Caller.Anonymous, Refusal.None, ours);
        }

        return new(caller, Refusal.None, ours);
    }

    private static Authentication Refuse(Refusal refusal, KeyHeaders ours) => new(Caller.Refused, refusal, ours);

    private static Credential ReadBearer(StringValues header)
    {
        if (header.Count > 1)
        {
            return Credential.Unreadable;
        }

        var value = header.ToString().AsSpan().Trim();
        if (!value.StartsWith(Bearer, StringComparison.OrdinalIgnoreCase) || (value.Length > Bearer.Length && value[Bearer.Length] != ' '))
        {
            return value.IsEmpty ? default : Credential.Unreadable;
        }

        return new(value[Bearer.Length..].TrimStart());
    }

    private static Credential ReadApiKey(StringValues header) => header.Count > 1 ? Credential.Unreadable : new(header.ToString().AsSpan().Trim());

    /// <summary>What one header holds.</summary>
    private readonly ref struct Credential
    {
        public Credential(ReadOnlySpan<char> text)
        {
            Text = text;
            IsPresent = !text.IsEmpty;
        }

        /// <summary>Something that no key can be: another scheme, several headers.</summary>
        public static Credential Unreadable => new(" ");

        public ReadOnlySpan<char> Text { get; }

        public bool IsPresent { get; }
    }
}
