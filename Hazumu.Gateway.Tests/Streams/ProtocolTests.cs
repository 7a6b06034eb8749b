using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using Hazumu.Mocks;
using Hazumu.Testing;

namespace Hazumu.Gateway.Tests.Streams;

/// <summary>Clients of HTTP/1.1 and HTTP/2, with TLS and without.</summary>
public sealed class ProtocolTests(ProtocolTests.Certificate certificate) : IClassFixture<ProtocolTests.Certificate>
{
    private const string Chat = """{"model":"mock","messages":[{"role":"user","content":"hi"}]}""";

    public static TheoryData<string> Wires => ["HTTP/1.1", "HTTP/2", "HTTP/1.1, TLS", "HTTP/2, TLS"];

    [Theory]
    [MemberData(nameof(Wires))]
    public async Task Bytes_are_the_engines_over_every_protocol(string wire)
    {
        await using var engine = await MockEngine.StartAsync(new MockEngineOptions { Models = [new MockModel("mock")], Tokens = 9, TokenText = "日本é" });
        await using var gateway = await StartAsync(engine.Address, wire);
        using var client = Client(gateway, wire);

        foreach (var (method, path, body) in ((string, string, string?)[])
        [
            ("POST", "/api/chat", Chat),
            ("POST", "/api/chat", """{"model":"mock","messages":[],"stream":false}"""),
            ("POST", "/api/chat", """{"model":"nobody"}"""),
            ("POST", "/api/generate", """{"model":"mock","prompt":"hi"}"""),
            ("POST", "/api/embed", """{"model":"mock","input":"hi"}"""),
            ("POST", "/v1/chat/completions", """{"model":"mock","messages":[],"stream":true,"stream_options":{"include_usage":true}}"""),
            ("POST", "/v1/completions", """{"model":"mock","prompt":"hi"}"""),
            ("POST", "/v1/messages", """{"model":"mock","max_tokens":10,"messages":[],"stream":true}"""),
            ("POST", "/api/pull", """{"model":"mock"}"""),
            ("POST", "/api/blobs/sha256:2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881", "x"),
            ("GET", "/api/tags", null),
            ("HEAD", "/api/tags", null),
            ("GET", "/nobody?x=%2F", null),
        ])
        {
            var marker = Guid.NewGuid().ToString();
            using var request = new HttpRequestMessage(new HttpMethod(method), path) { Version = client.DefaultRequestVersion, VersionPolicy = client.DefaultVersionPolicy, Content = body is null ? null : new StringContent(body, Encoding.UTF8, "application/json") };
            request.Headers.Add("X-Marker", marker);
            using var answer = await client.SendAsync(request);
            var passed = await engine.WaitForRequestAsync(one => one.Headers.GetValueOrDefault("X-Marker") == marker);
            await passed.Ended;

            Assert.Equal(client.DefaultRequestVersion, answer.Version);
            Assert.Equal(passed.Status, (int)answer.StatusCode);
            Assert.Equal(passed.Sent, await answer.Content.ReadAsByteArrayAsync());
            Assert.Equal(body ?? "", Encoding.UTF8.GetString(passed.Body));
            Assert.Equal("engine", Assert.Single(answer.Headers.GetValues("Hazumu-Instance")));
        }
    }

    [Theory]
    [MemberData(nameof(Wires))]
    public async Task Each_chunk_arrives_before_the_next_is_sent(string wire)
    {
        using var wanted = new SemaphoreSlim(0);
        await using var engine = RawEngine.Start(async exchange =>
        {
            await exchange.ReadBodyAsync();
            await exchange.BeginAsync("text/event-stream");
            for (var i = 0; i < 20; i++)
            {
                Assert.True(await wanted.WaitAsync(TimeSpan.FromSeconds(10)));
                await exchange.SendChunkAsync(Encoding.UTF8.GetBytes($"data: {{\"model\":\"mock\",\"choices\":[{i}]}}\n\n"));
            }

            Assert.True(await wanted.WaitAsync(TimeSpan.FromSeconds(10)));
            await exchange.SendChunkAsync("data: [DONE]\n\n"u8.ToArray());
            await exchange.EndChunksAsync();
        });
        await using var gateway = await StartAsync(engine.Address, wire);
        using var client = Client(gateway, wire);
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(20));

        // The one asks for usage itself, of the other the gateway reads every event first.
        foreach (var asking in (string[])[",\"stream_options\":{\"include_usage\":true}", ""])
        {
            wanted.Release();
            using var request = Post(client, "/v1/chat/completions", $$"""{"model":"mock","stream":true{{asking}}}""");
            using var answer = await client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, limit.Token);
            await using var stream = await answer.Content.ReadAsStreamAsync(limit.Token);
            for (var i = 0; i < 20; i++)
            {
                var piece = new byte[Encoding.UTF8.GetByteCount($"data: {{\"model\":\"mock\",\"choices\":[{i}]}}\n\n")];
                await stream.ReadExactlyAsync(piece, limit.Token);
                Assert.Contains($"[{i}]", Encoding.UTF8.GetString(piece), StringComparison.Ordinal);
                wanted.Release();
            }

            using var rest = new StreamReader(stream);
            Assert.Equal("data: [DONE]\n\n", await rest.ReadToEndAsync(limit.Token));
        }
    }

    /// <summary>Kestrel has trailers over HTTP/2 only; a proxy may leave them out (RFC 9110, section 6.5.1).</summary>
    [Theory]
    [InlineData("HTTP/2")]
    [InlineData("HTTP/2, TLS")]
    public async Task Trailers_of_the_engine_reach_the_client(string wire)
    {
        await using var engine = RawEngine.Start(async exchange =>
        {
            await exchange.ReadBodyAsync();
            await exchange.SendAsync("HTTP/1.1 200 OK\r\nContent-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\nTrailer: X-After\r\n\r\nE\r\n{\"done\":true}\n\r\n0\r\nX-After: 1\r\n\r\n");
        });
        await using var gateway = await StartAsync(engine.Address, wire);
        using var client = Client(gateway, wire);

        for (var i = 0; i < 2; i++)
        {
            using var request = Post(client, "/api/chat", Chat);
            request.Headers.TE.ParseAdd("trailers");
            using var answer = await client.SendAsync(request);
            Assert.Equal("{\"done\":true}\n", await answer.Content.ReadAsStringAsync());
            Assert.Equal("1", Assert.Single(answer.TrailingHeaders.GetValues("X-After")));
        }
    }

    [Theory]
    [InlineData("HTTP/2")]
    [InlineData("HTTP/2, TLS")]
    public async Task A_failing_stream_of_a_connection_leaves_the_others_alone(string wire)
    {
        var go = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var engine = RawEngine.Start(async exchange =>
        {
            await exchange.ReadBodyAsync();
            await exchange.BeginAsync("application/x-ndjson");
            await exchange.SendChunkAsync("{}\n"u8.ToArray());
            await Task.WhenAny(go.Task, exchange.Gone);
            if (exchange["X-Break"] is not null)
            {
                exchange.Reset();
                return;
            }

            await exchange.SendChunkAsync("{\"done\":true}\n"u8.ToArray());
            await exchange.EndChunksAsync();
        });
        await using var gateway = await StartAsync(engine.Address, wire);
        using var client = Client(gateway, wire);

        using var leaves = new CancellationTokenSource();
        var streams = new List<HttpResponseMessage>();
        for (var i = 0; i < 10; i++)
        {
            using var request = Post(client, "/api/chat", Chat);
            request.Headers.Add(i == 4 ? "X-Break" : "X-Fine", "1");
            var answer = await client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead);
            streams.Add(answer);
        }

        streams[7].Dispose();
        await (await engine.WaitForAsync(8)).Gone.WaitAsync(TimeSpan.FromSeconds(5));
        go.SetResult();

        var broken = await Assert.ThrowsAnyAsync<HttpRequestException>(() => streams[4].Content.ReadAsStringAsync());
        Assert.Equal(2, Assert.IsType<HttpProtocolException>(broken.InnerException).ErrorCode);
        foreach (var (answer, i) in streams.Select((answer, i) => (answer, i)).Where(one => one.i is not (4 or 7)))
        {
            Assert.Equal("{}\n{\"done\":true}\n", await answer.Content.ReadAsStringAsync());
            answer.Dispose();
        }

        streams[4].Dispose();
        await gateway.Measured.RequestsAsync(10);
        Assert.Equal(8, gateway.Measured.Sum("hazumu.gateway.requests", ("outcome", "success")));
        Assert.Equal(1, gateway.Measured.Sum("hazumu.gateway.requests", ("outcome", "client_disconnect")));
        Assert.Equal(1, gateway.Measured.Sum("hazumu.gateway.requests", ("outcome", "stream_truncated")));
        await Wait.UntilAsync(() => Assert.Equal(0, gateway.Measured.Now("hazumu.gateway.slots.used")));
    }

    [Theory]
    [MemberData(nameof(Wires))]
    public async Task An_engine_that_dies_in_mid_answer_breaks_the_clients_answer_off(string wire)
    {
        // A client of HTTP/2 forgets what it has not read when its stream is reset.
        var read = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var engine = RawEngine.Start(async exchange =>
        {
            await exchange.ReadBodyAsync();
            await exchange.BeginAsync("application/x-ndjson");
            await exchange.SendChunkAsync("{}\n"u8.ToArray());
            await read.Task;
            exchange.Reset();
        });
        await using var gateway = await StartAsync(engine.Address, wire);
        using var client = Client(gateway, wire);

        using var request = Post(client, "/api/chat", Chat);
        using var answer = await client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead);
        await using var stream = await answer.Content.ReadAsStreamAsync();
        await stream.ReadExactlyAsync(new byte[3]);
        read.SetResult();
        await Assert.ThrowsAnyAsync<IOException>(() => stream.ReadAsync(new byte[1]).AsTask().WaitAsync(TimeSpan.FromSeconds(5)));
        await gateway.Measured.RequestsAsync(1);
        Assert.Equal(1, gateway.Measured.Sum("hazumu.gateway.requests", ("outcome", "stream_truncated")));
    }

    [Fact]
    public async Task A_hundred_streams_share_a_connection()
    {
        await using var engine = await MockEngine.StartAsync(new MockEngineOptions { Models = [new MockModel("mock")], Tokens = 10, TokenTime = TimeSpan.FromMilliseconds(10), Parallel = 100 });
        await using var gateway = await StartAsync(engine.Address, "HTTP/2");
        using var client = Client(gateway, "HTTP/2");

        var answers = await Task.WhenAll(Enumerable.Range(0, 100).Select(async _ =>
        {
            using var request = Post(client, "/api/chat", Chat);
            using var answer = await client.SendAsync(request);
            return await answer.Content.ReadAsStringAsync();
        }));
        Assert.All(answers, answer => Assert.Contains("\"done\":true", answer, StringComparison.Ordinal));
        Assert.True(engine.Statistics.MaxInFlight > 50, $"{engine.Statistics.MaxInFlight} at once");
    }

    private static HttpRequestMessage Post(HttpClient client, string path, string body) => new(HttpMethod.Post, path)
    {
        Version = client.DefaultRequestVersion,
        VersionPolicy = client.DefaultVersionPolicy,
        Content = new StringContent(body, Encoding.UTF8, "application/json"),
    };

    private Task<TestGateway> StartAsync(Uri engine, string wire) => TestGateway.StartAsync(engine, wire.EndsWith("TLS", StringComparison.Ordinal)
        ? ["--Gateway:Slots=100", "--Kestrel:Endpoints:test:Url=https://127.0.0.1:0", $"--Kestrel:Endpoints:test:Certificate:Path={certificate.File}"]
        : ["--Gateway:Slots=100", "--Kestrel:Endpoints:test:Url=http://127.0.0.1:0", $"--Kestrel:Endpoints:test:Protocols={(wire == "HTTP/2" ? "Http2" : "Http1")}"]);

    private HttpClient Client(TestGateway gateway, string wire) =>
        TestGateway.Client(gateway.Address, wire.StartsWith("HTTP/2", StringComparison.Ordinal) ? HttpVersion.Version20 : HttpVersion.Version11, certificate.Shown);

    /// <summary>A certificate of its own making.</summary>
    public sealed class Certificate : IDisposable
    {
        private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("hazumu-tls-");

        public Certificate()
        {
            using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
            var request = new CertificateRequest("CN=gateway", key, HashAlgorithmName.SHA256);
            Shown = request.CreateSelfSigned(DateTimeOffset.UtcNow.AddDays(-1), DateTimeOffset.UtcNow.AddDays(1));
            File = Path.Combine(_folder.FullName, "gateway.pfx");
            System.IO.File.WriteAllBytes(File, Shown.Export(X509ContentType.Pfx));
        }

        internal X509Certificate2 Shown { get; }

        internal string File { get; }

        public void Dispose()
        {
            Shown.Dispose();
            _folder.Delete(recursive: true);
        }
    }
}
