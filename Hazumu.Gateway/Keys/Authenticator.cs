using System.Globalization;

namespace Hazumu.Gateway.Keys;

/// <summary>Finds the key of a request: in <c>Authorization</c>, <c>x-api-key</c> or <c>api-key</c>.</summary>
/// <remarks>
/// Clients may send a credential of another service beside the gateway's key: Claude Code sends its OAuth token in <c>Authorization</c> and
/// the key in <c>x-api-key</c>. The valid key counts, and the other credential is not forwarded either. If no key is required, a request
/// without a valid key is anonymous, and its foreign credentials are forwarded: OpenAI's clients always send some text.
/// </remarks>
internal sealed class Authenticator(KeyStore store, TimeProvider time, TokenIssuers? issuers = null)
{
    // Each is a signature to verify; a client has one.
    private const int MaxTokens = 3;

    private static readonly KeyHeaders[] s_headers = [KeyHeaders.Authorization, KeyHeaders.ApiKey, KeyHeaders.AzureApiKey];

    /// <summary>
    /// Finds the caller of a request. Allocates nothing, except for <c>Basic</c>, signatures, unsupported schemes and tokens, which are
    /// verified first: their issuer's keys may have to be fetched.
    /// </summary>
    /// <exception cref="OperationCanceledException">The client has disconnected.</exception>
    public ValueTask<Authentication> AuthenticateAsync(HttpRequest request, CancellationToken cancellationToken) =>
        issuers is { IsEmpty: false } && TokensOf(request) is { Count: > 0 } tokens
            ? VerifyAsync(issuers, request, tokens, cancellationToken)
            : new(Authenticate(request));

    /// <summary>Finds the caller of a request by what its tokens have shown, and by its keys.</summary>
    internal Authentication Authenticate(HttpRequest request, IReadOnlyDictionary<string, TokenResult>? tokens = null)
    {
        var search = new Search(store.Current, request, time.GetUtcNow(), tokens);
        foreach (var header in s_headers)
        {
            foreach (var value in header.Read(request.Headers))
            {
                search.Add(CredentialOf(header, value), header);
            }
        }

        return search.End();
    }

    private static Credential CredentialOf(KeyHeaders header, string? value) =>
        header == KeyHeaders.Authorization ? Credential.ReadAuthorization(value) : Credential.ReadKey(value);

    private static List<string> TokensOf(HttpRequest request)
    {
        var tokens = new List<string>();
        foreach (var header in s_headers)
        {
            foreach (var value in header.Read(request.Headers))
            {
                var credential = CredentialOf(header, value);
                if (tokens.Count < MaxTokens && credential.Scheme is null && TokenIssuers.IsToken(credential.Text))
                {
                    tokens.Add(credential.Text.ToString());
                }
            }
        }

        return tokens;
    }

    private async ValueTask<Authentication> VerifyAsync(TokenIssuers verifier, HttpRequest request, List<string> tokens, CancellationToken cancellationToken)
    {
        var results = new Dictionary<string, TokenResult>(StringComparer.Ordinal);
        foreach (var token in tokens)
        {
            results[token] = await verifier.ReadAsync(token, cancellationToken);
        }

        return Authenticate(request, results);
    }

    /// <summary>The result of reading the credentials of a request so far.</summary>
    private struct Search(KeySet keys, HttpRequest request, DateTimeOffset now, IReadOnlyDictionary<string, TokenResult>? tokens)
    {
        private Caller? _caller;
        private Refusal _refusal = Refusal.Missing;
        private string? _detail;
        private KeyHeaders _present;

        /// <summary>Headers that hold a key of this gateway, valid or not: they are not forwarded in any case.</summary>
        private KeyHeaders _ours;

        public void Add(Credential credential, KeyHeaders header)
        {
            if (!credential.IsPresent)
            {
                return;
            }

            _present |= header;
            var found = Find(credential, out var refusal, out var detail, out var end);
            if (found is not null || KeyText.IsOurs(credential.Text) || refusal >= Refusal.InvalidToken)
            {
                _ours |= header;
            }

            if (refusal != Refusal.None)
            {
                Fail(refusal, detail);
            }
            else if (found!.Key!.Expires <= now || end <= now)
            {
                Fail(Refusal.Expired);
            }
            else if (_caller is not null && !ReferenceEquals(_caller, found))
            {
                Fail(Refusal.Ambiguous);
            }
            else
            {
                _caller = found;
                found!.LastUse.Set(now);
            }
        }

        public readonly Authentication End()
        {
            if (_refusal == Refusal.Ambiguous)
            {
                return new(Caller.Refused, _refusal, _present);
            }

            if (_caller is not null)
            {
                return new(_caller, Refusal.None, _present);
            }

            return keys.IsRequired
                ? new(Caller.Refused, _refusal, _present, _detail)
                : new(Caller.Anonymous, Refusal.None, _ours);
        }

        private readonly Caller? Find(Credential credential, out Refusal refusal, out string? detail, out DateTimeOffset? end)
        {
            (refusal, detail, end) = (Refusal.None, null, null);
            if (credential.Scheme is { } scheme)
            {
                (refusal, detail) = (Refusal.Scheme, scheme);
                return null;
            }

            if (tokens is not null && tokens.TryGetValue(credential.Text.ToString(), out var token))
            {
                (refusal, detail) = (token.Refusal, token.Detail);
                return token.Caller;
            }

            var found = credential.IsSignature ? keys.FindPublicKey(OllamaSignature.PublicKeyOf(credential.Text)) : keys.Find(credential.Text, out end);
            if (found is null)
            {
                refusal = credential.IsSignature ? Refusal.PublicKey : Refusal.Unknown;
            }
            else if (credential.IsSignature)
            {
                refusal = OllamaSignature.Verify(credential.Text, request, now, out var difference);
                detail = refusal == Refusal.Clock ? difference.Duration().TotalSeconds.ToString(CultureInfo.InvariantCulture) : null;
            }

            return found;
        }

        private void Fail(Refusal refusal, string? detail = null)
        {
            if (refusal > _refusal)
            {
                (_refusal, _detail) = (refusal, detail);
            }
        }
    }
}
