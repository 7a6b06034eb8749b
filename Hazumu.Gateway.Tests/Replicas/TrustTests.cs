using System.Net;
using System.Net.WebSockets;
using System.Security.Cryptography.X509Certificates;
using Hazumu.Gateway.Admission;
using Hazumu.Gateway.Replicas;
using Hazumu.Gateway.Tests.Keys;
using Hazumu.Gateway.Tests.Serving;
using Hazumu.Gateway.Tests.Streams;
using Hazumu.Mocks;
using Hazumu.Testing;

namespace Hazumu.Gateway.Tests.Replicas;

/// <summary>Who is a peer, and who is not.</summary>
public sealed class TrustTests
{
    [Theory]
    [InlineData(null)]
    [InlineData("Bearer wrong")]
    [InlineData("Bearer " + PeerGroup.Key + "x")]
    [InlineData("bearer " + PeerGroup.Key)]
    [InlineData(PeerGroup.Key)]
    public async Task Who_has_not_the_secret_is_refused(string? authorization)
    {
        await using var engine = await MockEngine.StartAsync();
        await using var group = await PeerGroup.StartAsync(2, [engine.Address]);
        using var socket = new ClientWebSocket();
        socket.Options.CollectHttpResponseDetails = true;
        if (authorization is not null)
        {
            socket.Options.SetRequestHeader("Authorization", authorization);
        }

        await Assert.ThrowsAsync<WebSocketException>(() => socket.ConnectAsync(new UriBuilder(group[0].Address) { Scheme = "ws", Path = Peers.Path }.Uri, CancellationToken.None));

        Assert.Equal(HttpStatusCode.Unauthorized, socket.HttpStatusCode);
        Assert.DoesNotContain(engine.Requests, request => request.Path == Peers.Path);
        Assert.DoesNotContain(group[0].Logged, line => line.Contains(PeerGroup.Key, StringComparison.Ordinal));
    }

    [Fact]
    public async Task Calls_without_the_secret_are_logged_once_a_minute()
    {
        await using var engine = await MockEngine.StartAsync();
        await using var group = await PeerGroup.StartAsync(2, [engine.Address]);

        for (var call = 0; call < 50; call++)
        {
            Assert.Equal(401, (await group[0].Http.AnswerAsync(HttpMethod.Get, Peers.Path)).Status);
        }

        Assert.Equal(
            ["Warning: Calls as a peer without the key of 'Gateway:Peers' were refused: 1 since the last such line, the latest from 127.0.0.1."],
            group[0].Logged.Where(line => line.Contains("Calls as a peer", StringComparison.Ordinal)));
    }

    [Fact]
    public async Task One_with_another_secret_is_alone_and_is_told_so_once()
    {
        await using var engine = await MockEngine.StartAsync();
        int[] ports = [PeerGroup.FreePort(), PeerGroup.FreePort()];
        await using var one = await GatewayProcess.StartAsync([("e", engine.Address)], [$"--Kestrel:Endpoints:test:Url=http://127.0.0.1:{ports[0]}", .. PeerGroup.Arguments(ports)]);
        await using var other = await GatewayProcess.StartAsync(
            [("e", engine.Address)], [$"--Kestrel:Endpoints:test:Url=http://127.0.0.1:{ports[1]}", .. PeerGroup.Arguments(ports, "another-secret-of-somebody")]);

        Assert.Equal((200, 200), ((await one.Http.ChatAsync()).Status, (await other.Http.ChatAsync()).Status));
        await Task.Delay(2_500);
        Assert.Single(other.Printed, line => line.Contains($"127.0.0.1:{ports[0]} has another key", StringComparison.Ordinal));
        Assert.DoesNotContain(other.Printed.Concat(one.Printed), line => line.Contains("secret", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Over_TLS_they_know_each_other_where_they_trust_the_authority(bool isTrusted)
    {
        using var folder = new TemporaryFolder();
        var (authority, certificate) = OwnCertificates.Make();
        var (stranger, strangers) = OwnCertificates.Make();
        await File.WriteAllBytesAsync(folder.File("tls.pfx"), certificate.Export(X509ContentType.Pkcs12));
        await File.WriteAllTextAsync(folder.File("ca.pem"), (isTrusted ? authority : stranger).ExportCertificatePem());
        await using var engine = await MockEngine.StartAsync();
        int[] ports = [PeerGroup.FreePort(), PeerGroup.FreePort()];
        string[] arguments =
        [
            $"--Kestrel:Certificates:Default:Path={folder.File("tls.pfx")}",
            $"--Gateway:Peers:Addresses={string.Join(',', ports.Select(port => $"https://localhost:{port}"))}",
            $"--Gateway:Peers:Key={PeerGroup.Key}",
            $"--Gateway:Peers:CaFile={folder.File("ca.pem")}",
        ];
        await using var old = await TestGateway.StartAsync([("e", engine.Address)], [$"--Kestrel:Endpoints:test:Url=https://localhost:{ports[0]}", .. arguments]);
        await Wait.UntilAsync(() => Assert.Equal(AdmissionMode.Open, old.Service<Scheduler>().Mode));
        await using var young = await TestGateway.StartAsync([("e", engine.Address)], [$"--Kestrel:Endpoints:test:Url=https://localhost:{ports[1]}", .. arguments]);

        await Wait.UntilAsync(() => Assert.Equal((!isTrusted, isTrusted ? AdmissionMode.Elsewhere : AdmissionMode.Open), (young.Service<IAdmission>().IsAdmitting, young.Service<Scheduler>().Mode)));
        foreach (var one in (X509Certificate2[])[authority, certificate, stranger, strangers])
        {
            one.Dispose();
        }
    }

    [Fact]
    public async Task A_single_gateway_uses_no_cluster_code_and_forwards_its_path()
    {
        await using var engine = await MockEngine.StartAsync();
        await using var gateway = await TestGateway.StartAsync(engine.Address);

        Assert.Equal(404, (await gateway.Http.AnswerAsync(HttpMethod.Get, Peers.Path)).Status);
        Assert.Contains(engine.Requests, request => request.Path == Peers.Path);
        Assert.Equal((true, AdmissionMode.Open), (gateway.Service<IAdmission>().IsAdmitting, gateway.Service<Scheduler>().Mode));
        Assert.Null(gateway.Service<IServiceProvider>().GetService(typeof(Peers)));
    }

    [Theory]
    [InlineData("--Gateway:Peers:Addresses=http://gateway:8080", "needs one of 'Key' and 'KeyFile', and neither is set")]
    [InlineData("--Gateway:Peers:Addresses=gateway:8080,http://b --Gateway:Peers:Key=the-secret-of-all-gateways", "'Gateway:Peers:Addresses' is 'gateway:8080,http://b'; allowed: http or https URLs")]
    [InlineData("--Gateway:Peers:Addresses=http://a --Gateway:Peers:Key=short", "must have 20 to 512 visible ASCII characters")]
    [InlineData("--Gateway:Peers:Addresses=http://a --Gateway:Peers:Key=the-secret-of-all-gateways --Gateway:Peers:KeyFile=/x", "and both are set")]
    [InlineData("--Gateway:Peers:Addresses=http://a --Gateway:Peers:KeyFile=/nonexistent/key", "The file of 'Gateway:Peers:KeyFile' cannot be read")]
    public async Task A_wrong_setting_is_told_in_a_sentence(string arguments, string sentence)
    {
        var (exitCode, _, error) = await GatewayProcess.RunAsync([.. arguments.Split(' '), "--urls=http://127.0.0.1:0"]);

        Assert.Equal(1, exitCode);
        Assert.Contains(sentence, error, StringComparison.Ordinal);
        Assert.DoesNotContain("   at ", error, StringComparison.Ordinal);
        Assert.DoesNotContain("the-secret", error, StringComparison.Ordinal);
        Assert.DoesNotContain("short", error, StringComparison.Ordinal);
    }
}
