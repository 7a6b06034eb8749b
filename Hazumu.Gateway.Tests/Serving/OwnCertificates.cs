using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace Hazumu.Gateway.Tests.Serving;

/// <summary>An authority of one's own, and a certificate of it for <c>localhost</c>.</summary>
internal static class OwnCertificates
{
    public static (X509Certificate2 Authority, X509Certificate2 Certificate) Make()
    {
        var now = DateTimeOffset.UtcNow;
        using var authorityKey = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var authority = new CertificateRequest("CN=own authority", authorityKey, HashAlgorithmName.SHA256);
        authority.CertificateExtensions.Add(new X509BasicConstraintsExtension(certificateAuthority: true, false, 0, true));
        var issuer = authority.CreateSelfSigned(now.AddDays(-1), now.AddDays(2));

        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest("CN=gpu-1", key, HashAlgorithmName.SHA256);
        var names = new SubjectAlternativeNameBuilder();
        names.AddDnsName("localhost");
        request.CertificateExtensions.Add(names.Build());
        using var signed = request.Create(issuer, now.AddDays(-1), now.AddDays(1), [1, 2, 3]);
        using var withKey = signed.CopyWithPrivateKey(key);
        return (issuer, X509CertificateLoader.LoadPkcs12(withKey.Export(X509ContentType.Pkcs12), null, X509KeyStorageFlags.Exportable));
    }
}
