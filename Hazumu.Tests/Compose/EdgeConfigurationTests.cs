using System.Globalization;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Hazumu.Testing;

namespace Hazumu.Tests.Compose;

/// <summary>Whether Caddy takes the edge's configuration, whatever is set; and what is said where it cannot.</summary>
public sealed class EdgeConfigurationTests
{
    public static TheoryData<string, string, string> Combinations()
    {
        var data = new TheoryData<string, string, string>();
        foreach (var tls in new[] { "internal", "acme", "files" })
        {
            foreach (var grafana in new[] { "", "grafana.example" })
            {
                data.Add(tls, grafana, "0.0.0.0/0,::/0");
                data.Add(tls, grafana, "10.0.0.0/8, 192.0.2.7,fd00::/8,2001:db8::1");
            }
        }

        return data;
    }

    public EdgeConfigurationTests() => Skip.IfMissing(Component.Edge);

    [Theory]
    [MemberData(nameof(Combinations))]
    public async Task Caddy_takes_every_combination(string tls, string grafana, string allowed)
    {
        var check = await CheckAsync(
            withCertificate: true,
            $"EDGE_TLS={tls}", $"EDGE_GRAFANA_HOST={grafana}", $"EDGE_ALLOW_GATEWAY={allowed}", $"EDGE_ALLOW_GRAFANA={allowed}", "EDGE_HOST=llm.example", "EDGE_ACME_EMAIL=ops@llm.example", "EDGE_MAX_BODY=2GB", "EDGE_PORT=8443");

        Assert.True(check.Succeeded, check.Output);
        Assert.Contains("Valid configuration", check.Output, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("EDGE_TLS=letsencrypt", "Hazumu:Edge:Tls is 'letsencrypt'; allowed: internal, acme, files.")]
    [InlineData("EDGE_TLS=acme", "Hazumu:Edge:Tls is 'acme', but Hazumu:Edge:AcmeEmail, the address that the authority writes to, is not set.")]
    [InlineData("EDGE_TLS=files", "Hazumu:Edge:Tls is 'files', but Hazumu:Edge:CertificateFile names no file, or an empty one.")]
    [InlineData("EDGE_HOST=a b {", "Hazumu:Edge:Name is 'a b {'; allowed: one host name or IPv4 address, such as 'llm.example', without scheme, port and path.")]
    [InlineData("EDGE_HOST=http://llm.example", "Hazumu:Edge:Name is 'http://llm.example'; allowed: one host name or IPv4 address, such as 'llm.example', without scheme, port and path.")]
    [InlineData("EDGE_HOST=llm.example:9443", "Hazumu:Edge:Name is 'llm.example:9443'; allowed: one host name or IPv4 address, such as 'llm.example', without scheme, port and path.")]
    [InlineData("EDGE_HOST=llm.example/", "Hazumu:Edge:Name is 'llm.example/'; allowed: one host name or IPv4 address, such as 'llm.example', without scheme, port and path.")]
    [InlineData("EDGE_HOST=a.example,b.example", "Hazumu:Edge:Name is 'a.example,b.example'; allowed: one host name or IPv4 address, such as 'llm.example', without scheme, port and path.")]
    [InlineData("EDGE_HOST=10.8.1", "Hazumu:Edge:Name is '10.8.1'; allowed: one host name or IPv4 address, such as 'llm.example', without scheme, port and path.")]
    [InlineData("EDGE_GRAFANA_HOST=grafana.example:443", "Hazumu:Edge:GrafanaName is 'grafana.example:443'; allowed: one host name or IPv4 address, such as 'llm.example', without scheme, port and path.")]
    [InlineData("EDGE_PORT=abc", "Hazumu:Edge:Port is 'abc'; allowed: a port from 1 to 65535.")]
    [InlineData("EDGE_PORT=65536", "Hazumu:Edge:Port is '65536'; allowed: a port from 1 to 65535.")]
    [InlineData("EDGE_GRAFANA_HOST=localhost", "Hazumu:Edge:GrafanaName is the name that Hazumu:Edge:Name has; leave it out, and Grafana is under /grafana/.")]
    [InlineData("EDGE_MAX_BODY=lots", "Hazumu:Edge:MaxBody is 'lots'; allowed: a size such as '512KB', '100MB' or '4GB'.")]
    [InlineData("EDGE_ALLOW_GRAFANA=10.0.0.0/8;", "Hazumu:Edge:AllowGrafana is '10.0.0.0/8;'; allowed: addresses and ranges such as '10.0.0.0/8,192.0.2.7', separated by commas.")]
    [InlineData("EDGE_ALLOW_GATEWAY=10.0.0.0/99", "Hazumu:Edge:AllowGateway is '10.0.0.0/99'; allowed: addresses and ranges such as '10.0.0.0/8,192.0.2.7', separated by commas.")]
    [InlineData("EDGE_ALLOW_GATEWAY=192.0.2.7,10.0.0.256", "Hazumu:Edge:AllowGateway is '192.0.2.7,10.0.0.256'; allowed: addresses and ranges such as '10.0.0.0/8,192.0.2.7', separated by commas.")]
    [InlineData("EDGE_ALLOW_GATEWAY=::1::2", "Hazumu:Edge:AllowGateway is '::1::2'; allowed: addresses and ranges such as '10.0.0.0/8,192.0.2.7', separated by commas.")]
    [InlineData("EDGE_ALLOW_GATEWAY=fd00::/129", "Hazumu:Edge:AllowGateway is 'fd00::/129'; allowed: addresses and ranges such as '10.0.0.0/8,192.0.2.7', separated by commas.")]
    public async Task Contradictory_settings_are_reported_in_a_sentence(string variable, string sentence)
    {
        var check = await CheckAsync(withCertificate: false, variable);

        Assert.False(check.Succeeded);
        Assert.Equal($"The edge is not started: {sentence}", check.Output.Trim());
    }

    // As Compose runs it: another user, nothing to write to, no capability that the program does not demand.
    private static async Task<CliResult> CheckAsync(bool withCertificate, params string[] variables)
    {
        var folder = Directory.CreateTempSubdirectory("hazumu-edge-");
        try
        {
            var (certificate, key) = withCertificate ? MakeCertificate() : ("", "");
            await File.WriteAllTextAsync(Path.Combine(folder.FullName, "edge_certificate"), certificate);
            await File.WriteAllTextAsync(Path.Combine(folder.FullName, "edge_key"), key);
            if (!OperatingSystem.IsWindows())
            {
                File.SetUnixFileMode(folder.FullName, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute | UnixFileMode.OtherRead | UnixFileMode.OtherExecute);
            }

            return await ContainerCli.RunAsync(
            [
                "run", "--rm", "--network", "none", "--user", "65532:65532", "--read-only", "--tmpfs", "/data:uid=65532", "--cap-drop", "ALL", "--cap-add", "NET_BIND_SERVICE", "--security-opt", "no-new-privileges",
                "--volume", $"{RepositoryRoot.Combine("caddy")}:/etc/caddy:ro", "--volume", $"{folder.FullName}:/run/secrets:ro",
                .. variables.SelectMany(variable => new[] { "--env", variable }),
                "--entrypoint", "/bin/sh", Component.Edge.Image, "/etc/caddy/start.sh", "--check",
            ]);
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    private static (string Certificate, string Key) MakeCertificate()
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest("CN=llm.example", key, HashAlgorithmName.SHA256);
        var names = new SubjectAlternativeNameBuilder();
        names.AddDnsName("llm.example");
        request.CertificateExtensions.Add(names.Build());
        using var certificate = request.CreateSelfSigned(DateTimeOffset.Parse("2026-01-01", CultureInfo.InvariantCulture), DateTimeOffset.Parse("2036-01-01", CultureInfo.InvariantCulture));
        return (certificate.ExportCertificatePem(), key.ExportPkcs8PrivateKeyPem());
    }
}
