using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography.X509Certificates;
using Grpc.Core;
using Grpc.Net.Client;
using Hazumu.Gateway.Admission;
using Hazumu.Gateway.Cluster;
using Hazumu.Gateway.Tests.Keys;
using Hazumu.Gateway.Tests.Serving;
using Hazumu.Gateway.Tests.Streams;
using Hazumu.Mocks;
using Hazumu.Testing;

namespace Hazumu.Gateway.Tests.Cluster;

/// <summary>Which connections a gateway accepts as those of other gateways.</summary>
public sealed class TrustTests
{
    [Theory]
    [InlineData(null)]
    [InlineData("wrong")]
    public async Task A_connection_without_the_leaders_token_is_refused(string? token)
    {
        await using var engine = await MockEngine.StartAsync();
        await using var group = await ClusterGroup.StartAsync(2, [engine.Address]);
        var own = group[0].Service<ClusterAdmission>().Own;
        using var channel = GrpcChannel.ForAddress(own.Address.Replace("0.0.0.0", "127.0.0.1", StringComparison.Ordinal));
        var metadata = token is null ? new Metadata() : new Metadata { { LeaderLink.TokenHeader, token } };

        for (var attempt = 0; attempt < 20; attempt++)
        {
            using var call = channel.CreateCallInvoker().AsyncDuplexStreamingCall(ClusterContract.Join, null, new CallOptions(metadata));
            Assert.Equal(StatusCode.PermissionDenied, (await Assert.ThrowsAsync<RpcException>(() => call.ResponseStream.MoveNext(default))).StatusCode);
        }

        Assert.Single(group[0].Logged, line => line.StartsWith("Warning: A connection of", StringComparison.Ordinal));
        Assert.Equal(1, group[0].Service<ClusterAdmission>().Peers);
        Assert.DoesNotContain(group[0].Logged, line => line.Contains(own.Token, StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_gateway_with_another_password_serves_alone_and_logs_why_once()
    {
        await using var engine = await MockEngine.StartAsync();
        await using var store = await ValkeyServer.StartAsync();
        await using var gateway = await TestGateway.StartAsync(
            [("e", engine.Address)], $"--Gateway:Cluster:Store=127.0.0.1:{store.Port}", "--Gateway:Cluster:Password=another-password-of-somebody", "--Gateway:Cluster:Port=0");

        Assert.Equal(200, (await gateway.Http.ChatAsync()).Status);
        await Wait.UntilAsync(() => Assert.True(gateway.Service<IAdmission>().IsAdmitting));
        await Wait.UntilAsync(() => Assert.Single(gateway.Logged, line => line.Contains("'Gateway:Cluster:Store' cannot be reached", StringComparison.Ordinal)));
        Assert.DoesNotContain(gateway.Logged, line => line.Contains("another-password", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Over_TLS_gateways_connect_where_they_trust_the_authority(bool isTrusted)
    {
        using var folder = new TemporaryFolder();
        var (authority, certificate) = OwnCertificates.Make();
        var (stranger, strangers) = OwnCertificates.Make();
        await File.WriteAllBytesAsync(folder.File("tls.pfx"), certificate.Export(X509ContentType.Pkcs12));
        await File.WriteAllTextAsync(folder.File("ca.pem"), (isTrusted ? authority : stranger).ExportCertificatePem());
        await using var engine = await MockEngine.StartAsync();
        await using var store = await ValkeyServer.StartAsync();
        string[] Arguments()
        {
            var port = ClusterGroup.FreePort();
            return [.. store.Arguments, $"--Kestrel:Certificates:Default:Path={folder.File("tls.pfx")}", $"--Gateway:Cluster:CaFile={folder.File("ca.pem")}",
                $"--Gateway:Cluster:Port={port}", $"--Gateway:Cluster:Address=https://localhost:{port}"];
        }

        await using var leader = await TestGateway.StartAsync([("e", engine.Address)], Arguments());
        await ClusterGroup.FindLeaderAsync(leader);
        await using var member = await TestGateway.StartAsync([("e", engine.Address)], Arguments());

        await Wait.UntilAsync(() => Assert.Equal((!isTrusted, isTrusted ? 1 : 0), (member.Service<IAdmission>().IsAdmitting, member.Service<ClusterAdmission>().Peers)));
        Assert.Equal(!isTrusted, member.Logged.Any(line => line.Contains("No leading gateway", StringComparison.Ordinal) && line.Contains("certificate", StringComparison.Ordinal)));
        foreach (var one in (X509Certificate2[])[authority, certificate, stranger, strangers])
        {
            one.Dispose();
        }
    }
}

/// <summary>What a gateway refuses to start with.</summary>
public sealed class ClusterSettingsTests
{
    [Fact]
    public async Task A_single_gateway_does_not_load_the_clusters_libraries()
    {
        await using var engine = await MockEngine.StartAsync();
        await using var gateway = await TestGatewayProcess.StartAsync(engine.Address);
        Assert.Equal(200, (await gateway.Http.ChatAsync()).Status);

        Assert.DoesNotContain(gateway.Libraries.Select(Path.GetFileName), library => library!.Contains("Redis", StringComparison.Ordinal) || library.Contains("Grpc", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("--Gateway:Cluster:Store=valkey:6379", "needs one of 'Password' and 'PasswordFile', and neither is set")]
    [InlineData("--Gateway:Cluster:Store=a:1,b:2 --Gateway:Cluster:Password=the-secret-of-all-gateways", "'Gateway:Cluster:Store' begins with 'a:1'; it must be the address of one Valkey or Redis")]
    [InlineData("--Gateway:Cluster:Store=valkey --Gateway:Cluster:Password=short", "must have 20 characters or more")]
    [InlineData("--Gateway:Cluster:Store=valkey --Gateway:Cluster:Password=the-secret-of-all-gateways --Gateway:Cluster:PasswordFile=/x", "and both are set")]
    [InlineData("--Gateway:Cluster:Store=valkey --Gateway:Cluster:PasswordFile=/nonexistent/key", "The file of 'Gateway:Cluster:PasswordFile' cannot be read")]
    [InlineData("--Gateway:Cluster:Store=valkey,Password=the-secret-of-all-gateways", "needs one of 'Password' and 'PasswordFile'")]
    [InlineData("--Gateway:Cluster:Store=valkey,Password=the-secret-x --Gateway:Cluster:Password=the-secret-of-all-gateways", "set 'Gateway:Cluster:PasswordFile' to a file")]
    [InlineData("--Gateway:Cluster:Store=a:1,b:2,user=the-secret --Gateway:Cluster:Password=the-secret-of-all-gateways", "it must be the address of one Valkey")]
    [InlineData("--Gateway:Cluster:Store=valkey --Gateway:Cluster:Password=the-secret-of-all-gate'ways", "and no white space, quote or backslash")]
    [InlineData("--Gateway:Cluster:Store=valkey --Gateway:Cluster:Password=the-secret-of-all-gate\\ways", "and no white space, quote or backslash")]
    [InlineData("--Gateway:Cluster:Address=gateway-1", "'Gateway:Cluster:Address' is 'gateway-1'; allowed: an http or https URL", 2)]
    public async Task A_wrong_setting_is_reported_in_a_sentence(string arguments, string sentence, int expectedExitCode = 1)
    {
        var (exitCode, _, error) = await TestGatewayProcess.RunAsync([.. arguments.Split(' '), "--urls=http://127.0.0.1:0"]);

        Assert.Equal(expectedExitCode, exitCode);
        Assert.Contains(sentence, error, StringComparison.Ordinal);
        Assert.DoesNotContain("   at ", error, StringComparison.Ordinal);
        Assert.DoesNotContain("the-secret", error, StringComparison.Ordinal);
        Assert.DoesNotContain("short", error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("", "The gateway cannot listen")]
    [InlineData("--Gateway:Cluster:Address=https://localhost", "names no certificate")]
    public async Task A_cluster_port_that_cannot_be_opened_ends_the_start(string argument, string sentence)
    {
        using var taken = new TcpListener(IPAddress.IPv6Any, 0);
        taken.Start();
        var port = argument.Length > 0 ? 0 : ((IPEndPoint)taken.LocalEndpoint).Port;

        var (exitCode, _, error) = await TestGatewayProcess.RunAsync(
            ["--Gateway:Cluster:Store=127.0.0.1:1", "--Gateway:Cluster:Password=the-secret-of-all-gateways", $"--Gateway:Cluster:Port={port}", "--urls=http://127.0.0.1:0", .. argument.Split(' ', StringSplitOptions.RemoveEmptyEntries)]);

        Assert.Equal(1, exitCode);
        Assert.Contains(sentence, error, StringComparison.Ordinal);
        Assert.DoesNotContain("   at ", error, StringComparison.Ordinal);
    }
}
