using System.Text;
using Hazumu.Gateway.Tests.Streams;
using Hazumu.Gateway.Upstreams;

namespace Hazumu.Gateway.Tests.Serving;

/// <summary>Headers that are unusual: they pass as they came, and no instance is to blame for them.</summary>
public sealed class HeaderTests
{
    private const string Body = """{"model":"mock","messages":[],"stream":false}""";
    private const string Answer = """{"model":"mock","message":{"role":"assistant","content":"hi"},"done":true}""";

    [Theory]
    [InlineData("X-Title", "B\u00C3\u00BCro")]
    [InlineData("X-Title", "B\u00FCro")]
    [InlineData("Cookie", "name=\u00E6\u0097\u00A5\u00E6\u009C\u00AC")]
    [InlineData("User-Agent", "caf\u00E9/1.0")]
    [InlineData("Content-Language", "\u00E9")]
    [InlineData("X-Control", "a\u0001b")]
    public async Task Request_header_outside_ASCII_passes_byte_for_byte(string name, string value)
    {
        await using var engine = Start("Content-Type: application/json");
        await using var gateway = await TestGateway.StartAsync(engine.Address, "--Gateway:Fleet:ProbeInterval=1m");
        for (var request = 0; request < 4; request++)
        {
            using var connection = await RawConnection.OpenAsync(gateway.Address);
            await connection.SendAsync("POST", "/api/chat", Body, $"{name}: {value}");
            Assert.Equal(200, (await connection.ReadAsync()).Status);
        }

        Assert.Equal(4, engine.Exchanges.Count);
        Assert.All(engine.Exchanges, exchange => Assert.Equal(value, exchange[name]));
        Assert.Equal(CircuitState.Closed, gateway.Fleet.Instances[0].Circuit.State);
    }

    [Theory]
    [InlineData("X-Odd: caf\u00E9", "caf\u00E9")]
    [InlineData("X-Odd: caf\u00C3\u00A9", "caf\u00C3\u00A9")]
    [InlineData("X-Odd: a\u0001b", null)]
    [InlineData("X-Odd:", "")]
    public async Task Answer_header_that_is_unusual_costs_neither_answer_nor_instance(string header, string? passed)
    {
        await using var engine = Start($"Content-Type: application/json\r\n{header}\r\nX-Next: 1");
        await using var gateway = await TestGateway.StartAsync(engine.Address, "--Gateway:Fleet:ProbeInterval=1m");
        for (var request = 0; request < 4; request++)
        {
            using var connection = await RawConnection.OpenAsync(gateway.Address);
            await connection.SendAsync("POST", "/api/chat", Body);
            var answer = await connection.ReadAsync();
            Assert.Equal((200, Answer, passed, "1"), (answer.Status, answer.Text, answer["X-Odd"], answer["X-Next"]));
        }

        Assert.Equal(4, engine.Exchanges.Count);
        Assert.Equal(CircuitState.Closed, gateway.Fleet.Instances[0].Circuit.State);
        await gateway.MeasuresAsync(0, "hazumu.gateway.errors");
        await gateway.MeasuresAsync(0, "hazumu.gateway.retries");
    }

    [Theory]
    [InlineData("HTTP/1.1 200 Said\r\nno header\r\n\r\n")]
    [InlineData("HTTP/1.1 two hundred\r\n\r\n")]
    [InlineData("HTTP/1.1 101 Said\r\nUpgrade: other\r\n\r\n")]
    [InlineData("HTTP/1.1 200 Said\r\nTransfer-Encoding: chunked\r\n\r\n1000000000000004a\r\n{}\r\n0\r\n\r\n")]
    public async Task Answer_that_is_no_HTTP_returns_502_and_opens_no_circuit(string said)
    {
        await using var engine = RawEngine.Start(async exchange =>
        {
            await exchange.ReadBodyAsync();
            await exchange.SendAsync(said);
            exchange.Close();
        });
        await using var gateway = await TestGateway.StartAsync(engine.Address, "--Gateway:Fleet:ProbeInterval=1m");
        for (var request = 0; request < 4; request++)
        {
            var answer = await gateway.Http.ChatAsync(body: Body);
            answer.IsRefusal(Ask.Native, System.Net.HttpStatusCode.BadGateway, "", "is not valid HTTP");
        }

        Assert.Equal(4, engine.Exchanges.Count);
        Assert.Equal(CircuitState.Closed, gateway.Fleet.Instances[0].Circuit.State);
    }

    [Theory]
    [InlineData(204)]
    [InlineData(205)]
    public async Task Answer_without_a_body_by_its_status_may_announce_one(int status)
    {
        await using var engine = RawEngine.Start(async exchange =>
        {
            await exchange.ReadBodyAsync();
            await exchange.AnswerAsync(status, "X-Next: 1", "body");
            exchange.Close();
        });
        await using var gateway = await TestGateway.StartAsync(engine.Address);
        using var connection = await RawConnection.OpenAsync(gateway.Address);

        await connection.SendAsync($"POST /api/chat HTTP/1.1\r\nHost: gateway\r\nContent-Length: {Body.Length}\r\nConnection: close\r\n\r\n{Body}");
        var (first, headers) = (await connection.Reader.ReadHeadAsync())!.Value;

        Assert.StartsWith($"HTTP/1.1 {status} ", first, StringComparison.Ordinal);
        Assert.Contains(headers, header => header is { Name: "X-Next", Value: "1" });
        Assert.Null(await connection.Reader.ReadLineAsync());
        await gateway.Measured.RequestsAsync(1);
    }

    [Fact]
    public async Task Instance_name_outside_ASCII_is_a_header_in_UTF8()
    {
        await using var engine = Start("Content-Type: application/json");
        await using var gateway = await TestGateway.StartAsync([("büro-日本", engine.Address)]);
        var inUtf8 = Encoding.Latin1.GetString(Encoding.UTF8.GetBytes("büro-日本"));
        using var connection = await RawConnection.OpenAsync(gateway.Address);

        await connection.SendAsync("POST", "/api/chat", Body);
        var answer = await connection.ReadAsync();
        Assert.Equal((200, inUtf8), (answer.Status, answer["Hazumu-Instance"]));

        await connection.SendAsync("POST", "/api/show", """{"model":"mock"}""", $"Hazumu-Instance: {inUtf8}");
        Assert.Equal(200, (await connection.ReadAsync()).Status);
        await connection.SendAsync("POST", "/api/show", """{"model":"mock"}""", $"Hazumu-Instance: {inUtf8}x");
        answer = await connection.ReadAsync();
        Assert.Equal(400, answer.Status);
        Assert.Contains("büro-日本x", answer.Text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Chunk_size_over_64_bits_in_a_request_returns_400()
    {
        await using var engine = Start("Content-Type: application/json");
        await using var gateway = await TestGateway.StartAsync(engine.Address);
        foreach (var path in (string[])["/api/chat", "/api/blobs/sha256:x"])
        {
            using var connection = await RawConnection.OpenAsync(gateway.Address);
            await connection.SendAsync($"POST {path} HTTP/1.1\r\nHost: gateway\r\nTransfer-Encoding: chunked\r\n\r\n1000000000000004a\r\n{Body}\r\n0\r\n\r\n");
            Assert.Equal((path, 400), (path, (await connection.ReadAsync()).Status));
        }

        await gateway.Measured.RequestsAsync(2);
        Assert.Equal(2, gateway.Measured.Sum("hazumu.gateway.requests", ("outcome", "bad_request")));
        Assert.Equal(CircuitState.Closed, gateway.Fleet.Instances[0].Circuit.State);
    }

    [Fact]
    public async Task Body_that_looks_like_a_head_is_sent_after_100_Continue()
    {
        const string Form = "--B\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\nmock\r\n--B\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.wav\"\r\nContent-Length: 12\r\n\r\nGET / HTTP/1.\r\n--B--\r\n\r\n";
        await using var engine = RawEngine.Start(async exchange =>
        {
            await exchange.SendAsync("HTTP/1.1 100 Continue\r\n\r\n");
            await exchange.ReadBodyAsync();
            await exchange.AnswerAsync(200, "Content-Type: application/json", """{"text":"hi"}""");
        });
        await using var gateway = await TestGateway.StartAsync(engine.Address);
        using var connection = await RawConnection.OpenAsync(gateway.Address);
        for (var request = 0; request < 3; request++)
        {
            await connection.SendAsync($"POST /v1/audio/transcriptions HTTP/1.1\r\nHost: gateway\r\nContent-Type: multipart/form-data; boundary=B\r\nExpect: 100-continue\r\nContent-Length: {Form.Length}\r\n\r\n{Form}");
            Assert.Equal(200, (await connection.ReadAsync().WaitAsync(TimeSpan.FromSeconds(10))).Status);
        }

        Assert.All(engine.Exchanges, exchange => Assert.Equal(Form, Encoding.Latin1.GetString(exchange.Body)));
    }

    private static RawEngine Start(string headers) => RawEngine.Start(async exchange =>
    {
        await exchange.ReadBodyAsync();
        await exchange.AnswerAsync(200, headers, Answer);
    });
}
