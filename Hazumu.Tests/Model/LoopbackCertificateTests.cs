using System.Security.Cryptography.X509Certificates;
using Hazumu.Hosting.Orchestration;
using Microsoft.Extensions.Logging.Abstractions;

namespace Hazumu.Tests.Model;

public sealed class LoopbackCertificateTests : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("hazumu-certificate-");

    private string FilePath => Path.Combine(_folder.FullName, "sub", "dcp.pfx");

    public void Dispose() => _folder.Delete(recursive: true);

    [Fact]
    public void A_certificate_for_loopback_is_created_once_and_kept()
    {
        var made = Assert.Single(Load());
        var kept = Assert.Single(Load());

        Assert.Equal(made.Thumbprint, kept.Thumbprint);
        Assert.True(kept.HasPrivateKey);
        var names = Assert.Single(kept.Extensions.OfType<X509SubjectAlternativeNameExtension>());
        Assert.Equal(["localhost"], names.EnumerateDnsNames());
        Assert.Equal(["127.0.0.1", "::1"], names.EnumerateIPAddresses().Select(address => address.ToString()));
    }

    [Fact]
    public void The_private_key_is_for_its_user_alone()
    {
        Load();
        if (!OperatingSystem.IsWindows())
        {
            Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(FilePath));
        }
    }

    [Fact]
    public void A_damaged_file_is_replaced()
    {
        Directory.CreateDirectory(Path.GetDirectoryName(FilePath)!);
        File.WriteAllText(FilePath, "damaged");

        Assert.Single(Load());
        Assert.Single(Load());
    }

    [Fact]
    public void Where_nothing_can_be_kept_DCP_is_left_to_itself()
    {
        File.WriteAllText(Path.Combine(_folder.FullName, "sub"), "a file where the folder should be");
        Assert.Empty(Load());
    }

    private System.Collections.Immutable.ImmutableList<X509Certificate2> Load() => LoopbackCertificateService.Load(FilePath, NullLogger.Instance);
}
