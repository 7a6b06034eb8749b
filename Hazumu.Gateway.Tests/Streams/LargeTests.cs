using System.Net;
using System.Security.Cryptography;
using Hazumu.Mocks;
using Hazumu.Testing;

namespace Hazumu.Gateway.Tests.Streams;

/// <summary>Bodies of a gigabyte, through a gateway whose memory hardly grows.</summary>
[Collection(Alone.Name)]
public sealed class LargeTests
{
    private const long Megabyte = 1024 * 1024;

    // A gigabyte leaves 17 to 23 MB in the peak, in release and debug builds alike, as smaps shows: 2 MB are compiled code, the rest is
    // generation 0 between two collections. Its budget follows the processor's cache: 32 MB there, and 48 MB stay where it is set to 64.
    private const long Allowed = 64 * Megabyte;

    private static readonly byte[] s_block = RandomNumberGenerator.GetBytes((int)Megabyte);

    [Theory]
    [InlineData(1024, true)]
    [InlineData(256, false)]
    public async Task A_blob_is_uploaded_whole_in_little_memory(int megabytes, bool tellsLength)
    {
        await using var engine = await MockEngine.StartAsync(new MockEngineOptions { Models = [new MockModel("mock")], RememberedBodyBytes = 0 });
        await using var gateway = await TestGatewayProcess.StartAsync(engine.Address);
        await UploadAsync(gateway, 8, tellsLength);

        // The engine compares the digest: nothing is lost or out of place.
        var before = gateway.PeakMemory;
        await UploadAsync(gateway, megabytes, tellsLength);
        Assert.InRange(gateway.PeakMemory - before, 0, Allowed);
        Assert.Equal((megabytes + 8) * Megabyte, engine.Requests.Where(request => request.Path.StartsWith("/api/blobs/", StringComparison.Ordinal)).Sum(request => request.BodyBytes));
    }

    [Theory]
    [InlineData("")]
    [InlineData("--Gateway:Body:DiskLimit=0")]
    public async Task Bodies_of_many_connections_take_bounded_memory(string setting)
    {
        const int Connections = 100;
        await using var engine = await MockEngine.StartAsync(new MockEngineOptions { Models = [new MockModel("mock")], RememberedBodyBytes = 0 });
        await using var gateway = await TestGatewayProcess.StartAsync(engine.Address, ["--Gateway:Body:MemoryLimit=33554432", "--Gateway:Connections:PerAddress=1000", .. setting.Length > 0 ? (string[])[setting] : []]);
        using var chat = new StringContent("""{"model":"mock","messages":[],"stream":false}""");
        (await gateway.Http.PostAsync(new Uri("/api/chat", UriKind.Relative), chat)).Dispose();
        var before = gateway.PeakMemory;

        // Without limits: 16 MB for each by its length, 4 MB by what it has sent.
        var connections = await Task.WhenAll(Enumerable.Range(0, Connections).Select(async _ =>
        {
            var connection = await RawConnection.OpenAsync(gateway.Address);
            try
            {
                await connection.SendAsync("POST /api/chat HTTP/1.1\r\nHost: gateway\r\nContent-Length: 16000000\r\n\r\n{\"model\":\"mock\",\"x\":\"" + new string('x', 4_000_000));
            }
            catch (System.Net.Sockets.SocketException)
            {
                // It was refused, and closed.
            }

            return connection;
        })).WaitAsync(TimeSpan.FromSeconds(60));

        Assert.InRange(gateway.PeakMemory - before, 0, 2 * Allowed);
        using var small = new StringContent("""{"model":"mock","messages":[],"stream":false}""");
        using var answer = await gateway.Http.PostAsync(new Uri("/api/chat", UriKind.Relative), small);
        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        Array.ForEach(connections, connection => connection.Dispose());
    }

    [Theory]
    [InlineData("HTTP/1.1")]
    [InlineData("HTTP/2")]
    public async Task A_client_that_reads_slowly_holds_the_engine_back_and_not_the_gateways_memory(string wire)
    {
        const int Blocks = 256;
        await using var engine = RawEngine.Start(async exchange =>
        {
            await exchange.ReadBodyAsync();
            await exchange.BeginAsync("application/octet-stream");
            for (var i = 0; i < Blocks; i++)
            {
                await exchange.SendChunkAsync(s_block);
            }

            await exchange.EndChunksAsync();
        });
        await using var gateway = await TestGatewayProcess.StartAsync(engine.Address, "--Kestrel:Endpoints:test:Url=http://127.0.0.1:0", "--Kestrel:Endpoints:test:Protocols=Http1", "--Kestrel:Endpoints:two:Url=http://127.0.0.1:0", "--Kestrel:Endpoints:two:Protocols=Http2");
        const string Listening = "Now listening on: ";
        var addresses = gateway.Printed.Where(line => line.Contains(Listening, StringComparison.Ordinal)).Select(line => new Uri(line.Split(Listening)[1])).ToList();
        using var client = TestGateway.Client(addresses[wire == "HTTP/2" ? 1 : 0], wire == "HTTP/2" ? HttpVersion.Version20 : HttpVersion.Version11);
        var before = gateway.PeakMemory;
        using var answer = await client.GetAsync(new Uri("/large", UriKind.Relative), HttpCompletionOption.ResponseHeadersRead);
        var exchange = await engine.WaitForAsync();

        var sent = await Wait.UntilStillAsync(() => exchange.Sent, TimeSpan.FromMilliseconds(200));
        Assert.InRange(sent, 1, 48 * Megabyte);

        // And then all of it, as it was sent.
        await using var stream = await answer.Content.ReadAsStreamAsync();
        var block = new byte[Megabyte];
        for (var i = 0; i < Blocks; i++)
        {
            await stream.ReadExactlyAsync(block);
            Assert.True(block.AsSpan().SequenceEqual(s_block));
        }

        Assert.Equal(0, await stream.ReadAsync(block));
        Assert.InRange(gateway.PeakMemory - before, 0, Allowed);
    }

    private static async Task UploadAsync(TestGatewayProcess gateway, int megabytes, bool tellsLength)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        for (var i = 0; i < megabytes; i++)
        {
            hash.AppendData(s_block);
        }

        using var blob = new Blob(megabytes, tellsLength);
        using var answer = await gateway.Http.PostAsync(new Uri($"/api/blobs/sha256:{Convert.ToHexStringLower(hash.GetHashAndReset())}", UriKind.Relative), blob);
        Assert.Equal(HttpStatusCode.Created, answer.StatusCode);
    }

    private sealed class Blob(int megabytes, bool tellsLength) : HttpContent
    {
        protected override async Task SerializeToStreamAsync(Stream stream, TransportContext? context)
        {
            for (var i = 0; i < megabytes; i++)
            {
                await stream.WriteAsync(s_block);
            }
        }

        protected override bool TryComputeLength(out long length)
        {
            length = megabytes * Megabyte;
            return tellsLength;
        }
    }
}
