using System.Globalization;

namespace Hazumu.Gateway.Keys;

/// <summary>Finds the key of a request: in <c>Authorization</c>, <c>x-api-key</c> or <c>api-key</c>.</summary>
/// <remarks>
/// Clients may send a credential of another service beside the gateway's key: Claude Code sends its OAuth token in <c>Authorization</c> and
/// the key in <c>x-api-key</c>. The valid key counts, and the other credential is not forwarded either. If no key is required, a request
/// without a valid key is anonymous, and its foreign credentials are forwarded: OpenAI's clients always send some text.
/// </remarks>
internal sealed class Authenticator(KeyStore store, TimeProvider time)
{
    /// <summary>Finds the caller of a request. Allocates nothing, except for <c>Basic</c>, signatures and unsupported schemes.</summary>
    public Authentication Authenticate(HttpRequest request)
    {
        var search = new Search(store.Current, request, time.GetUtcNow());
        foreach (var value in KeyHeaders.Authorization.Read(request.Headers))
        {
            search.Add(Credential.ReadAuthorization(value), KeyHeaders.Authorization);
        }

        foreach (var value in KeyHeaders.ApiKey.Read(request.Headers))
        {
            search.Add(Credential.ReadKey(value), KeyHeaders.ApiKey);
        }

        foreach (var value in KeyHeaders.AzureApiKey.Read(request.Headers))
        {
            search.Add(Credential.ReadKey(value), KeyHeaders.AzureApiKey);
        }

        return search.End();
    }

    /// <summary>The result of reading the credentials of a request so far.</summary>
    private struct Search(KeySet keys, HttpRequest request, DateTimeOffset now)
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
            var found = Find(credential, out var refusal, out var detail);
            if (found is not null || KeyText.IsOurs(credential.Text))
            {
                _ours |= header;
            }

            if (refusal != Refusal.None)
            {
                Fail(refusal, detail);
            }
            else if (found!.Key!.Expires <= now)
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

        private readonly Caller? Find(Credential credential, out Refusal refusal, out string? detail)
        {
            (refusal, detail) = (Refusal.None, null);
            if (credential.Scheme is { } scheme)
            {
                (refusal, detail) = (Refusal.Scheme, scheme);
                return null;
            }

            var found = credential.IsSignature ? keys.FindPublicKey(OllamaSignature.PublicKeyOf(credential.Text)) : keys.Find(credential.Text);
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
