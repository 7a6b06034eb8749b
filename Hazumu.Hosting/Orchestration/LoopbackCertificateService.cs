#pragma warning disable ASPIRECERTIFICATES001 // The only way to hand DCP a certificate.

using System.Collections.Immutable;
using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Logging;

namespace Hazumu.Hosting.Orchestration;

/// <summary>
/// Saves DCP from making a certificate at every start. Without a trusted development certificate, which no first run
/// has, DCP generates
/// one for its loopback API and the whole start waits for it: 1 to 4 of 8 seconds, measured here (microsoft/dcp#161).
/// DCP takes a
/// certificate from Aspire's certificate service; this adds one of ours, for loopback only, made once and kept. It is
/// trusted by nothing and used for nothing else. To be removed when DCP or Aspire keeps its own.
/// </summary>
internal sealed class LoopbackCertificateService : IDeveloperCertificateService
{
    // Marks a certificate as one of ASP.NET Core's for development: Aspire hands DCP no other
    // (X509Certificate2Extensions).
    private const string DevelopmentCertificateOid = "1.3.6.1.4.1.311.84.1.1";
    private const string ServerAuthenticationOid = "1.3.6.1.5.5.7.3.1";

    private readonly IDeveloperCertificateService _inner;
    private readonly Lazy<ImmutableList<X509Certificate2>> _certificates;

    private LoopbackCertificateService(IDeveloperCertificateService inner, string file, ILogger logger)
    {
        _inner = inner;
        _certificates = new(() => inner.Certificates.IsEmpty ? Load(file, logger) : inner.Certificates);
    }

    /// <inheritdoc/>
    public ImmutableList<X509Certificate2> Certificates => _certificates.Value;

    // Ours is for DCP alone: no container is to trust it, no page to be served with it.

    /// <inheritdoc/>
    public bool SupportsContainerTrust => _inner.SupportsContainerTrust;

    /// <inheritdoc/>
    public bool UseForHttps => _inner.UseForHttps;

    /// <inheritdoc/>
    public bool TrustCertificate => _inner.TrustCertificate && !_inner.Certificates.IsEmpty;

    /// <inheritdoc/>
    public bool LatestCertificateIsUntrusted => _inner.LatestCertificateIsUntrusted;

    /// <summary>
    /// Puts the service before Aspire's. Not on Windows: there DCP reads the user's certificate store, which is not
    /// ours to write to.
    /// </summary>
    public static void AddTo(IServiceCollection services)
    {
        if (OperatingSystem.IsWindows())
        {
            return;
        }

        var original = services.Last(service => service.ServiceType == typeof(IDeveloperCertificateService));
        var file = Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.LocalApplicationData, Environment.SpecialFolderOption.DoNotVerify), "hazumu", "dcp.pfx");
        services.Replace(ServiceDescriptor.Singleton<IDeveloperCertificateService>(provider => new LoopbackCertificateService(
            (IDeveloperCertificateService)ActivatorUtilities.CreateInstance(provider, original.ImplementationType!),
            file,
            provider.GetRequiredService<ILoggerFactory>().CreateLogger("Hazumu"))));
    }

    /// <summary>
    /// The kept certificate, or a new one where there is none or it ends within a day; none at all where the file
    /// cannot be kept.
    /// </summary>
    internal static ImmutableList<X509Certificate2> Load(string file, ILogger logger)
    {
        try
        {
            if (File.Exists(file) && Read(File.ReadAllBytes(file)) is { } kept && kept.NotAfter > DateTime.Now.AddDays(1))
            {
                return [kept];
            }

            var bytes = Make();
            Directory.CreateDirectory(Path.GetDirectoryName(file)!);
            var draft = $"{file}.{Environment.ProcessId}";
            var options = new FileStreamOptions { Mode = FileMode.Create, Access = FileAccess.Write };
            if (!OperatingSystem.IsWindows())
            {
                options.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
            }

            using (var stream = new FileStream(draft, options))
            {
                stream.Write(bytes);
            }

            File.Move(draft, file, overwrite: true);
            return Read(bytes) is { } made ? [made] : [];
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException or CryptographicException)
        {
            logger.LogInformation("DCP makes its own certificate, which takes some seconds, because {File} cannot be used: {Reason}", file, error.Message);
            return [];
        }
    }

    private static X509Certificate2? Read(byte[] bytes)
    {
        try
        {
            return X509CertificateLoader.LoadPkcs12(bytes, password: null, X509KeyStorageFlags.Exportable);
        }
        catch (CryptographicException)
        {
            // A damaged file is as good as none: a new one takes its place.
            return null;
        }
    }

    private static byte[] Make()
    {
        using var key = RSA.Create(2048);
        var request = new CertificateRequest("CN=localhost", key, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1);
        var names = new SubjectAlternativeNameBuilder();
        names.AddDnsName("localhost");
        names.AddIpAddress(IPAddress.Loopback);
        names.AddIpAddress(IPAddress.IPv6Loopback);
        request.CertificateExtensions.Add(names.Build(critical: true));
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(certificateAuthority: false, hasPathLengthConstraint: false, pathLengthConstraint: 0, critical: true));
        request.CertificateExtensions.Add(new X509KeyUsageExtension(X509KeyUsageFlags.KeyEncipherment | X509KeyUsageFlags.DigitalSignature, critical: true));
        request.CertificateExtensions.Add(new X509EnhancedKeyUsageExtension([new Oid(ServerAuthenticationOid)], critical: true));
        request.CertificateExtensions.Add(new X509SubjectKeyIdentifierExtension(request.PublicKey, critical: false));
        request.CertificateExtensions.Add(new X509Extension(DevelopmentCertificateOid, [1], critical: false));

        var now = DateTimeOffset.UtcNow;
        using var certificate = request.CreateSelfSigned(now.AddHours(-1), now.AddYears(1));
        return certificate.Export(X509ContentType.Pfx);
    }
}
