using System.Net.Security;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace Hazumu.Gateway.Configuration;

/// <summary>Certificates of authorities of one's own, in place of the system's.</summary>
internal static class OwnAuthorities
{
    /// <summary>Checks them.</summary>
    /// <param name="setting">The setting that names their file.</param>
    /// <param name="pem">The content of the file.</param>
    /// <exception cref="StartupProblemException">It contains no certificate.</exception>
    public static void Check(string setting, string pem)
    {
        var certificates = new X509Certificate2Collection();
        try
        {
            certificates.ImportFromPem(pem);
        }
        catch (CryptographicException problem)
        {
            throw new StartupProblemException($"The file of '{setting}' contains no certificates in PEM: {problem.Message}");
        }

        if (certificates.Count == 0)
        {
            throw new StartupProblemException($"The file of '{setting}' contains no certificate; it must contain those of the authorities, in PEM.");
        }
    }

    /// <summary>How a server's certificate is looked at.</summary>
    /// <param name="pem">The authorities; <see langword="null"/> for the system's.</param>
    public static SslClientAuthenticationOptions Tls(string? pem)
    {
        var options = new SslClientAuthenticationOptions();
        if (pem is not null)
        {
            // An authority of one's own has no list of what it has revoked, as a rule.
            options.CertificateChainPolicy = new X509ChainPolicy { TrustMode = X509ChainTrustMode.CustomRootTrust, RevocationMode = X509RevocationMode.NoCheck };
            options.CertificateChainPolicy.CustomTrustStore.ImportFromPem(pem);
        }

        return options;
    }
}
