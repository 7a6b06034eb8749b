using System.Net.Http.Headers;
using System.Net.Security;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Hazumu.Gateway.Configuration;

namespace Hazumu.Gateway.Instances;

/// <summary>What an instance needs besides its address: a key, and whom its certificate may be of.</summary>
internal sealed class EngineAccess
{
    private const int MaxKeyLength = 4096;

    private volatile AuthenticationHeaderValue? _authorization;

    private EngineAccess(AuthenticationHeaderValue? authorization, X509Certificate2Collection? authorities, string fingerprint)
    {
        _authorization = authorization;
        Authorities = authorities;
        Fingerprint = fingerprint;
    }

    /// <summary>The authorities; <see langword="null"/> for the system's.</summary>
    public X509Certificate2Collection? Authorities { get; }

    /// <summary>Tells one access from another; the key, which may change, is not in it.</summary>
    public string Fingerprint { get; }

    /// <summary>The header that has the key; <see langword="null"/> without one.</summary>
    public AuthenticationHeaderValue? Authorization => _authorization;

    /// <summary>Reads what the settings say.</summary>
    /// <param name="name">The instance's name.</param>
    /// <param name="access">What they say.</param>
    /// <exception cref="StartupProblemException">A file cannot be read, or holds no key or no certificate.</exception>
    public static EngineAccess Read(string name, InstanceAccess access)
    {
        var setting = $"Gateway:InstanceAccess:{name}";
        X509Certificate2Collection? authorities = null;
        var fingerprint = access.KeyFile ?? "";
        if (access.CaFile is { } file)
        {
            var text = SecretFile.Read($"{setting}:CaFile", file);
            authorities = [];
            try
            {
                authorities.ImportFromPem(text);
            }
            catch (CryptographicException problem)
            {
                throw new StartupProblemException($"The file of '{setting}:CaFile' holds no certificates in PEM: {problem.Message}");
            }

            if (authorities.Count == 0)
            {
                throw new StartupProblemException($"The file of '{setting}:CaFile' holds no certificate; it needs those of the authorities, in PEM.");
            }

            fingerprint += $" {string.Join(' ', authorities.Select(authority => authority.Thumbprint))}";
        }

        return new EngineAccess(access.KeyFile is { } keyFile ? ReadKey($"{setting}:KeyFile", keyFile) : null, authorities, fingerprint);
    }

    /// <summary>Takes another's key, which was read later.</summary>
    public void TakeKeyOf(EngineAccess later) => _authorization = later._authorization;

    private static AuthenticationHeaderValue ReadKey(string setting, string file)
    {
        var key = SecretFile.Read(setting, file);
        return key.Length is > 0 and <= MaxKeyLength && key.All(character => character is > ' ' and <= '~')
            ? new AuthenticationHeaderValue("Bearer", key)
            : throw new StartupProblemException($"The file of '{setting}' must hold a key of 1 to {MaxKeyLength} visible ASCII characters without a space.");
    }

    /// <summary>How its certificate is looked at.</summary>
    public SslClientAuthenticationOptions Tls()
    {
        var options = new SslClientAuthenticationOptions();
        if (Authorities is not null)
        {
            // An authority of one's own has no list of what it has revoked, as a rule.
            options.CertificateChainPolicy = new X509ChainPolicy { TrustMode = X509ChainTrustMode.CustomRootTrust, RevocationMode = X509RevocationMode.NoCheck };
            options.CertificateChainPolicy.CustomTrustStore.AddRange(Authorities);
        }

        return options;
    }
}

/// <summary>Gives each request its instance's key, in place of whatever the client has sent.</summary>
internal sealed class KeyHandler(EngineAccess access, HttpMessageHandler inner) : DelegatingHandler(inner)
{
    /// <inheritdoc/>
    protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        request.Headers.Authorization = access.Authorization;
        return base.SendAsync(request, cancellationToken);
    }
}
