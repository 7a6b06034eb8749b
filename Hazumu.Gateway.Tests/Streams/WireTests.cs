using System.Text;
using Hazumu.Testing;

namespace Hazumu.Gateway.Tests.Streams;

/// <summary>What goes over the wires on both sides, byte by byte.</summary>
public sealed class WireTests
{
    private const string Chat = """{"model":"mock","messages":[{"role":"user","content":"hi"}]}""";

    [Theory]
    [InlineData("/v1/models/hf.co%2Fsomebody%2fsomething:Q4_K_M", "/v1/models/hf.co/somebody/something:Q4_K_M")]
    [InlineData("/v1/models/a%252Fb")]
    [InlineData("/api/blobs/sha256:00")]
    [InlineData("/api/blobs/sha256%3A00", "/api/blobs/sha256:00")]
    [InlineData("/a%20b/%E5%BC%BE%E3%82%80?q=%E5%BC%BE&x=%2f+%20&y")]
    [InlineData("//double//slash")]
    [InlineData("/semi;colon=1/at@/dollar$/plus+/comma,")]
    [InlineData("/percent%25sign")]
    [InlineData("/api/experimental/../tags/./x", "/api/tags/x")]
    [InlineData("/?only=query")]
    public async Task A_target_keeps_its_meaning(string target, string? arrives = null)
    {
        await using var engine = RawEngine.Start(exchange => exchange.AnswerAsync(200, "X-A: 1", "ok"));
        await using var gateway = await TestGateway.StartAsync(engine.Address);
        using var connection = await RawConnection.OpenAsync(gateway.Address);

        await connection.SendAsync("GET", target, "");
        Assert.Equal(200, (await connection.ReadAsync()).Status);
        if (!target.StartsWith("/?", StringComparison.Ordinal))
        {
            Assert.Equal(arrives ?? target, Assert.Single(engine.Exchanges).Target);
        }
    }

    [Fact]
    public async Task Hop_by_hop_headers_stay_on_their_hop_and_all_others_pass()
    {
        await using var engine = RawEngine.Start(exchange => exchange.AnswerAsync(200, "Content-Type: text/plain\r\nConnection: keep-alive, X-Hop\r\nKeep-Alive: timeout=5\r\nServer: engine\r\nDate: Thu, 01 Jan 2026 00:00:00 GMT\r\nX-Empty:\r\nX-Twice: 1\r\nX-Twice: 2\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\nVia: 1.1 inner", "ok"));
        await using var gateway = await TestGateway.StartAsync(engine.Address);
        using var connection = await RawConnection.OpenAsync(gateway.Address);

        await connection.SendAsync("GET", "/anything", "", "Connection: keep-alive", "Keep-Alive: timeout=9", "TE: trailers", "Proxy-Authorization: Basic eA==", "Upgrade-Insecure-Requests: 1", "X-Forwarded-For: 192.0.2.1", "X-Empty:", "X-Twice: 1", "X-Twice: 2", "Hazumu-Instance: engine", "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
        var answer = await connection.ReadAsync();
        var arrived = Assert.Single(engine.Exchanges);

        Assert.Null(arrived["Keep-Alive"]);
        Assert.Null(arrived["Proxy-Authorization"]);
        Assert.Null(arrived["Hazumu-Instance"]);
        Assert.Equal("192.0.2.1", arrived["X-Forwarded-For"]);
        Assert.Equal("", arrived["X-Empty"]);
        Assert.Equal("1, 2", string.Join(", ", arrived.Headers.Where(header => header.Name == "X-Twice").Select(header => header.Value)));
        Assert.StartsWith("00-0af7651916cd43dd8448eb211c80319c-", arrived["traceparent"], StringComparison.Ordinal);

        Assert.Null(answer["Keep-Alive"]);
        Assert.Null(answer["Connection"]);
        Assert.Equal("engine", answer["Server"]);
        Assert.Equal("Thu, 01 Jan 2026 00:00:00 GMT", answer["Date"]);
        Assert.Equal("", answer["X-Empty"]);
        Assert.Equal("1.1 inner", answer["Via"]);
        Assert.Equal(["1", "2"], answer.Headers.Where(header => header.Name == "X-Twice").SelectMany(header => header.Value.Split(", ")));
        Assert.Equal(["a=1", "b=2"], answer.Headers.Where(header => header.Name == "Set-Cookie").Select(header => header.Value));
    }

    [Fact]
    public async Task An_answer_that_ends_with_its_connection_passes_whole()
    {
        await using var engine = RawEngine.Start(async exchange =>
        {
            await exchange.ReadBodyAsync();
            await exchange.SendAsync("HTTP/1.0 200 OK\r\nContent-Type: application/x-ndjson\r\n\r\n{\"done\":true}\n");
            exchange.Close();
        });
        await using var gateway = await TestGateway.StartAsync(engine.Address);
        using var connection = await RawConnection.OpenAsync(gateway.Address);

        await connection.SendAsync("POST", "/api/chat", Chat);
        Assert.Equal("{\"done\":true}\n", (await connection.ReadAsync()).Text);
    }

    [Fact]
    public async Task Trailers_and_extensions_of_chunks_do_no_harm()
    {
        await using var engine = RawEngine.Start(async exchange =>
        {
            await exchange.ReadBodyAsync();
            await exchange.SendAsync("HTTP/1.1 200 OK\r\nContent-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\nTrailer: X-After\r\n\r\nE;ext=\"1\"\r\n{\"done\":true}\n\r\n0\r\nX-After: 1\r\n\r\n");
        });
        await using var gateway = await TestGateway.StartAsync(engine.Address);
        using var connection = await RawConnection.OpenAsync(gateway.Address);

        // The connection is in order afterwards, on both sides.
        for (var i = 0; i < 3; i++)
        {
            await connection.SendAsync("POST", "/api/chat", Chat, "TE: trailers");
            Assert.Equal("{\"done\":true}\n", (await connection.ReadAsync()).Text);
        }
    }

    [Fact]
    public async Task An_interim_answer_is_not_the_answer()
    {
        await using var engine = RawEngine.Start(async exchange =>
        {
            await exchange.ReadBodyAsync();
            await exchange.SendAsync("HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n");
            await exchange.AnswerAsync(200, "Content-Type: application/json", """{"done":true}""");
        });
        await using var gateway = await TestGateway.StartAsync(engine.Address);
        using var connection = await RawConnection.OpenAsync(gateway.Address);

        await connection.SendAsync("POST", "/api/chat", Chat);
        var answer = await connection.ReadAsync();
        Assert.Equal((200, """{"done":true}"""), (answer.Status, answer.Text));
    }

    [Theory]
    [InlineData(200, "")]
    [InlineData(400, """{"error":"invalid digest format"}""")]
    public async Task An_answer_before_the_end_of_the_upload_reaches_the_client(int status, string body)
    {
        // As Ollama does where it has the blob, or does not want it; who uploads need not have asked first.
        await using var engine = RawEngine.Start(async exchange =>
        {
            await exchange.AnswerAsync(status, "Content-Type: application/json\r\nConnection: close", body);
            exchange.Close();
        });
        await using var gateway = await TestGateway.StartAsync(engine.Address);

        using var upload = new ByteArrayContent(new byte[20_000_000]);
        using var answer = await gateway.Http.PostAsync(new Uri("/api/blobs/sha256:x", UriKind.Relative), upload);
        Assert.Equal((status, body), ((int)answer.StatusCode, await answer.Content.ReadAsStringAsync()));
    }

    [Fact]
    public async Task An_upload_that_looks_like_a_request_passes_as_an_upload()
    {
        await using var engine = RawEngine.Start(async exchange =>
        {
            await exchange.ReadBodyAsync();
            await exchange.AnswerAsync(201, "X-A: 1", "");
        });
        await using var gateway = await TestGateway.StartAsync(engine.Address);
        using var connection = await RawConnection.OpenAsync(gateway.Address);

        // In two pieces, so that the end goes out by itself.
        var body = new string('x', 10_000) + "POST /api/chat HTTP/1.1\r\nContent-Length: 5\r\n\r\n";
        await connection.SendAsync($"POST /api/blobs/sha256:x HTTP/1.1\r\nHost: gateway\r\nContent-Length: {body.Length}\r\n\r\n{body[..10_000]}");
        await engine.WaitForAsync();
        await connection.SendAsync(body[10_000..]);

        Assert.Equal(201, (await connection.ReadAsync()).Status);
        Assert.Equal(body, Encoding.Latin1.GetString(Assert.Single(engine.Exchanges).Body));
    }

    [Fact]
    public async Task Expect_100_continue_is_answered_before_the_upload()
    {
        await using var engine = RawEngine.Start(async exchange =>
        {
            await exchange.AnswerAsync(400, "Content-Type: application/json\r\nConnection: close", """{"error":"invalid digest format"}""");
            exchange.Close();
        });
        await using var gateway = await TestGateway.StartAsync(engine.Address);
        using var connection = await RawConnection.OpenAsync(gateway.Address);

        await connection.SendAsync("POST /api/blobs/sha256:x HTTP/1.1\r\nHost: gateway\r\nContent-Length: 1000000\r\nExpect: 100-continue\r\n\r\n");
        var answer = await connection.ReadAsync();
        Assert.Equal((400, """{"error":"invalid digest format"}"""), (answer.Status, answer.Text));
    }

    [Theory]
    [InlineData("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello", "engine_error")]
    [InlineData("HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", "engine_error")]
    [InlineData("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "engine_error")]
    [InlineData("HTTP/1.1 99999 OK\r\n\r\n", "engine_error")]
    [InlineData("this is no HTTP at all\r\n\r\n", "engine_error")]
    [InlineData("", "engine_unreachable")]
    public async Task A_malformed_response_counts_as_a_failure_of_the_engine(string nonsense, string outcome)
    {
        await using var engine = RawEngine.Start(async exchange =>
        {
            await exchange.ReadBodyAsync();
            await exchange.SendAsync(nonsense);
            exchange.Close();
        });
        await using var gateway = await TestGateway.StartAsync(engine.Address, "--Gateway:Retries:Limit=0");
        using var connection = await RawConnection.OpenAsync(gateway.Address);

        await connection.SendAsync("POST", "/api/chat", Chat);
        var answer = await connection.ReadAsync();
        Assert.Equal(502, answer.Status);
        Assert.StartsWith("{\"error\":\"The model server", answer.Text, StringComparison.Ordinal);
        await gateway.Measured.RequestsAsync(1);
        Assert.Equal(1, gateway.Measured.Sum("hazumu.gateway.requests", ("outcome", outcome)));
    }

    [Fact]
    public async Task An_answer_that_is_cut_off_is_cut_off_at_the_client_too()
    {
        await using var engine = RawEngine.Start(async exchange =>
        {
            await exchange.ReadBodyAsync();
            if (exchange.Target.EndsWith("chunked", StringComparison.Ordinal))
            {
                await exchange.BeginAsync("application/x-ndjson");
                await exchange.SendChunkAsync("half"u8.ToArray());
            }
            else
            {
                await exchange.SendAsync("HTTP/1.1 200 OK\r\nContent-Type: application/x-ndjson\r\nContent-Length: 8\r\n\r\nhalf");
            }

            exchange.Close();
        });
        await using var gateway = await TestGatewayProcess.StartAsync(engine.Address);

        foreach (var target in (string[])["/api/chat?chunked", "/api/chat?length"])
        {
            using var connection = await RawConnection.OpenAsync(gateway.Address);
            await connection.SendAsync("POST", target, Chat);
            var (first, headers) = (await connection.Reader.ReadHeadAsync())!.Value;
            Assert.StartsWith("HTTP/1.1 200", first, StringComparison.Ordinal);

            // What has come is passed on, and then the end is none.
            var got = new StringBuilder();
            await Assert.ThrowsAnyAsync<IOException>(async () =>
            {
                if (headers.Any(header => header.Name == "Transfer-Encoding"))
                {
                    while (await connection.Reader.ReadChunkSizeAsync() is > 0 and var size)
                    {
                        got.Append(Encoding.UTF8.GetString(await connection.Reader.ReadAsync(size)));
                        await connection.Reader.ReadChunkEndAsync();
                    }
                }
                else
                {
                    got.Append(Encoding.UTF8.GetString(await connection.Reader.ReadAsync(4)));
                    await connection.Reader.ReadAsync(4);
                }
            });
            Assert.Equal("half", got.ToString());
        }

        await Wait.UntilAsync(() => Assert.Equal(["stream_truncated", "stream_truncated"], gateway.AccessLines().Where(line => line.GetProperty("path").GetString() == "/api/chat").Select(line => line.GetProperty("outcome").GetString())));
    }
}
