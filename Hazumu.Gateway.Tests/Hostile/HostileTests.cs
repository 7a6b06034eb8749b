using System.Text;
using Hazumu.Gateway.Tests.Streams;
using Hazumu.Mocks;
using Hazumu.Testing;

namespace Hazumu.Gateway.Tests.Hostile;

/// <summary>
/// What no well-behaved client sends. It gets a clean refusal, or what the engine says, at once; the connection stays in step, or is closed;
/// and the engine sees as many requests as it has answered.
/// </summary>
public sealed class HostileTests(HostileTests.Fixture fixture) : IClassFixture<HostileTests.Fixture>
{
    private const string Next = "GET /api/version HTTP/1.1\r\nHost: gateway\r\nX-Test: 1\r\nConnection: close\r\n\r\n";
    private const string Good = """{"model":"mock","messages":[{"role":"user","content":"hi"}],"prompt":"hi","input":"hi","stream":false}""";

    private static readonly TimeSpan s_limit = TimeSpan.FromSeconds(5);
    private static readonly string[] s_jsonPaths = ["/api/chat", "/api/generate", "/api/embed", "/api/show", "/api/pull", "/v1/chat/completions", "/v1/completions", "/v1/embeddings", "/v1/responses", "/v1/messages"];

    // Refused by the gateway itself: nothing of it may reach an engine.
    private static readonly Dictionary<string, string> s_refusedBodies = new()
    {
        ["empty"] = "",
        ["white space"] = " \r\n\t ",
        ["null"] = "null",
        ["an array"] = """[{"model":"mock"}]""",
        ["a string"] = "\"mock\"",
        ["a number"] = "5",
        ["an empty object"] = "{}",
        ["no model"] = """{"messages":[]}""",
        ["cut off in an object"] = """{"model":"mock","messages":[{"ro""",
        ["cut off in a string"] = """{"model":"moc""",
        ["cut off in an escape"] = """{"model":"mock","prompt":"\u00""",
        ["cut off behind the model"] = """{"model":"mock" """,
        ["the model twice"] = """{"model":"mock","model":"other"}""",
        ["the model twice, the same"] = """{"model":"mock","prompt":"hi","model":"mock"}""",
        ["the model twice, once escaped"] = """{"model":"mock","mod\u0065l":"other"}""",
        ["the model twice, once in capitals"] = """{"model":"mock","MODEL":"other"}""",
        ["the model twice, once with a letter that folds"] = """{"name":"mock","model":"mock","Model":"other"}""",
        ["a model that is a number"] = """{"model":5}""",
        ["a model that is null"] = """{"model":null}""",
        ["a model that is an array"] = """{"model":["mock"]}""",
        ["a model that is an object"] = """{"model":{"name":"mock"}}""",
        ["an empty model"] = """{"model":""}""",
        ["a model with NUL"] = """{"model":"mo\u0000ck"}""",
        ["a model with a raw NUL"] = "{\"model\":\"mo\0ck\"}",
        ["a model with a raw line feed"] = "{\"model\":\"mo\nck\"}",
        ["a model that is no UTF-8"] = "{\"model\":\"mo\xff\xfeck\"}",
        ["a model with half a surrogate"] = """{"model":"mo\ud800ck"}""",
        ["a model of a megabyte"] = $$"""{"model":"{{new string('m', 1_000_000)}}"}""",
        ["a byte order mark"] = "\xef\xbb\xbf{\"model\":\"mock\"}",
        ["UTF-16"] = Encoding.Latin1.GetString(Encoding.Unicode.GetBytes("""{"model":"mock"}""")),
        ["NUL before it"] = "\0{\"model\":\"mock\"}",
        ["single quotes"] = "{'model':'mock'}",
        ["a comment"] = """{/* hi */"model":"mock"}""",
        ["a trailing comma"] = """{"model":"mock",}""",
        ["a bare word"] = """{"model":mock}""",
        ["a form"] = "model=mock",
        ["XML"] = "<model>mock</model>",
        ["a wrong escape"] = """{"model":"mo\xck"}""",
        ["ever deeper before the model"] = $$"""{"messages":{{new string('[', 100_000)}}{{new string(']', 100_000)}},"model":"mock"}""",
        ["ever deeper, never closed"] = $$"""{"messages":{{new string('[', 1_000_000)}}""",
        ["ever deeper objects"] = string.Concat(Enumerable.Repeat("{\"a\":", 100_000)),
    };

    // Nothing that a gateway must know; the engine says what it thinks of it.
    private static readonly Dictionary<string, string> s_passedBodies = new()
    {
        ["a number with a giant exponent"] = """{"model":"mock","prompt":"hi","stream":false,"options":{"seed":1e999999999}}""",
        ["a number of 10,000 digits"] = "{\"model\":\"mock\",\"prompt\":\"hi\",\"stream\":false,\"options\":{\"seed\":" + new string('9', 10_000) + "}}",
        ["a prompt that is no UTF-8"] = "{\"model\":\"mock\",\"stream\":false,\"prompt\":\"\xff\xfe\"}",
        ["something behind it"] = """{"model":"mock","prompt":"hi","stream":false} garbage""",
        ["a second object behind it"] = """{"model":"mock","prompt":"hi","stream":false}{"model":"other"}""",
        ["NUL behind it"] = "{\"model\":\"mock\",\"prompt\":\"hi\",\"stream\":false}\0",
        ["a name of ideographs"] = Encoding.Latin1.GetString(Encoding.UTF8.GetBytes("""{"model":"模型🏀","prompt":"hi"}""")),
        ["a name of right-to-left marks"] = """{"model":"\u202emock","prompt":"hi"}""",
        ["a name that is a path"] = """{"model":"../../etc/passwd","prompt":"hi"}""",
        ["a name that is an address"] = """{"model":"http://127.0.0.1:1/x","prompt":"hi"}""",
        ["a name of a template"] = """{"model":"{{.Env}}${jndi:ldap://x}%s%n","prompt":"hi"}""",
        ["a name of slashes"] = """{"model":"////:::","prompt":"hi"}""",
        ["other members twice"] = """{"model":"mock","prompt":"hi","prompt":"ho","stream":true,"stream":false}""",
        ["a stream that is a string"] = """{"model":"mock","prompt":"hi","stream":"yes"}""",
        ["100,000 members"] = $$"""{"model":"mock","stream":false,{{string.Join(',', Enumerable.Range(0, 100_000).Select(i => $"\"k{i}\":{i}"))}}}""",
    };

    // Requests as bytes; a body where a message needs one is Good's.
    private static readonly Dictionary<string, string> s_messages = new()
    {
        ["both a length and chunks"] = Post("Content-Length: 6\r\nTransfer-Encoding: chunked", "0\r\n\r\nX"),
        ["chunks and a length that covers another request"] = Post("Transfer-Encoding: chunked\r\nContent-Length: 60", "0\r\n\r\n" + Next),
        ["two lengths that differ"] = Post("Content-Length: 5\r\nContent-Length: 6", "hello!"),
        ["two lengths that are the same"] = Post($"Content-Length: {Good.Length}\r\nContent-Length: {Good.Length}", Good),
        ["two lengths in one"] = Post($"Content-Length: {Good.Length}, {Good.Length}", Good),
        ["a negative length"] = Post("Content-Length: -1", Good),
        ["a length with a sign"] = Post($"Content-Length: +{Good.Length}", Good),
        ["a length in hexadecimal"] = Post("Content-Length: 0x10", Good),
        ["a length with a word"] = Post($"Content-Length: {Good.Length}abc", Good),
        ["an empty length"] = Post("Content-Length: ", Good),
        ["a length beyond all numbers"] = Post("Content-Length: 99999999999999999999999", Good),
        ["no length and no chunks"] = Post("X-Nothing: 1", ""),
        ["a space before the colon"] = Post($"Content-Length : {Good.Length}", Good),
        ["a folded header"] = Post($"X-Folded: a\r\n b\r\nContent-Length: {Good.Length}", Good),
        ["a folded length"] = Post($"Content-Length:\r\n {Good.Length}", Good),
        ["a header without a colon"] = Post("nonsense", Good),
        ["a header without a name"] = Post(": value", Good),
        ["a header with a strange name"] = Post("X(y): 1", Good),
        ["a header with NUL"] = Post("X-Y: a\0b", Good),
        ["a header with a bare CR"] = Post($"X-Y: a\rContent-Length: 0\r\nContent-Length: {Good.Length}", Good),
        ["a header of 100 KB"] = Post($"X-Large: {new string('x', 100_000)}", Good),
        ["5,000 headers"] = Post(string.Join("\r\n", Enumerable.Range(0, 5_000).Select(i => $"X-{i}: 1")), Good),
        ["an unknown coding"] = Post("Transfer-Encoding: xchunked", "0\r\n\r\n"),
        ["chunks that are not last"] = Post("Transfer-Encoding: chunked, identity", "0\r\n\r\n"),
        ["chunks and another coding"] = Post("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity", "0\r\n\r\n"),
        ["chunks behind a tab"] = Post("Transfer-Encoding:\tchunked", $"{Good.Length:x}\r\n{Good}\r\n0\r\n\r\n"),
        ["chunks over HTTP/1.0"] = "POST /api/chat HTTP/1.0\r\nHost: gateway\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        ["a chunk size of nothing"] = Post("Transfer-Encoding: chunked", "\r\n\r\n"),
        ["a chunk size of letters"] = Post("Transfer-Encoding: chunked", "zz\r\nhello\r\n0\r\n\r\n"),
        ["a negative chunk size"] = Post("Transfer-Encoding: chunked", "-5\r\nhello\r\n0\r\n\r\n"),
        ["a chunk size with a prefix"] = Post("Transfer-Encoding: chunked", "0x5\r\nhello\r\n0\r\n\r\n"),
        ["a chunk size beyond all numbers"] = Post("Transfer-Encoding: chunked", "FFFFFFFFFFFFFFFFF\r\nhello\r\n0\r\n\r\n"),
        ["a chunk longer than told"] = Post("Transfer-Encoding: chunked", "3\r\nhello\r\n0\r\n\r\n"),
        ["a chunk with an endless extension"] = Post("Transfer-Encoding: chunked", $"5;{new string('x', 100_000)}"),
        ["a compressed body"] = Post($"Content-Encoding: gzip\r\nContent-Length: {Good.Length}", Good),
        ["a body compressed twice"] = Post($"Content-Encoding: identity, gzip\r\nContent-Length: {Good.Length}", Good),
        ["a form of parts where JSON belongs"] = Post("Content-Type: multipart/form-data; boundary=b\r\nContent-Length: 5", "--b--"),
        ["a form without a boundary"] = "POST /v1/audio/transcriptions HTTP/1.1\r\nHost: gateway\r\nContent-Type: multipart/form-data\r\nContent-Length: 5\r\n\r\n--b--",
        ["an expectation of nobody's"] = Post($"Expect: miracle\r\nContent-Length: {Good.Length}", Good),
        ["no host"] = "GET /api/tags HTTP/1.1\r\n\r\n",
        ["two hosts"] = "GET /api/tags HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        ["a host with a space"] = "GET /api/tags HTTP/1.1\r\nHost: a b\r\n\r\n",
        ["a raw NUL in the target"] = Get("/api/\0tags"),
        ["a NUL in the target"] = Get("/api/%00tags"),
        ["a wrong escape in the target"] = Get("/api/%zz"),
        ["an overlong escape in the target"] = Get("/api/%c0%ae%c0%ae/tags"),
        ["line ends in the target"] = Get("/api/%0d%0aX-Evil:%201"),
        ["a bare CR in the target"] = Get("/api/\rtags"),
        ["raw bytes in the target"] = Get("/\xe6\xa8\xa1"),
        ["dots beside encoded slashes"] = Get("/api/..%2f..%2fetc%2fpasswd"),
        ["encoded dots"] = Get("/%2e%2e/%2e%2e/etc/passwd"),
        ["dots beyond the root"] = Get("/../../etc/passwd"),
        ["backslashes"] = Get("/..\\..\\etc\\passwd"),
        ["an absolute target"] = Get("http://evil.example/api/tags"),
        ["an absolute target of another scheme"] = Get("ftp://evil.example/x"),
        ["a target that is an authority"] = Get("evil.example:443"),
        ["CONNECT"] = "CONNECT evil.example:443 HTTP/1.1\r\nHost: evil.example:443\r\n\r\n",
        ["CONNECT with a path"] = "CONNECT /api/chat HTTP/1.1\r\nHost: gateway\r\n\r\n",
        ["an asterisk"] = "OPTIONS * HTTP/1.1\r\nHost: gateway\r\n\r\n",
        ["an asterisk to GET"] = Get("*"),
        ["TRACE"] = "TRACE /api/tags HTTP/1.1\r\nHost: gateway\r\n\r\n",
        ["a target without a slash"] = Get("api/tags"),
        ["an empty target"] = "GET  HTTP/1.1\r\nHost: gateway\r\n\r\n",
        ["a target of 100 KB"] = Get("/" + new string('x', 100_000)),
        ["a query of 6 KB"] = Get("/api/tags?" + new string('x', 6_000)),
        ["a method with a bracket"] = "G(T / HTTP/1.1\r\nHost: gateway\r\n\r\n",
        ["a method of 10 KB"] = $"{new string('G', 10_000)} / HTTP/1.1\r\nHost: gateway\r\n\r\n",
        ["a method in small letters"] = "post /api/chat HTTP/1.1\r\nHost: gateway\r\nContent-Length: 0\r\n\r\n",
        ["HTTP/0.9"] = "GET /api/tags\r\n\r\n",
        ["HTTP/0.9 by name"] = "GET /api/tags HTTP/0.9\r\n\r\n",
        ["HTTP/1.2"] = "GET /api/tags HTTP/1.2\r\nHost: gateway\r\n\r\n",
        ["HTTP/9"] = "GET /api/tags HTTP/9.9\r\nHost: gateway\r\n\r\n",
        ["the preface of HTTP/2"] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        ["TLS"] = "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + new string('\x01', 600) + "\r\n\r\n",
        ["SSH"] = "SSH-2.0-OpenSSH_9.6\r\n\r\n",
        ["a request to change to web sockets"] = "GET /api/chat HTTP/1.1\r\nHost: gateway\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n",
        ["a request to change to HTTP/2"] = "GET /api/tags HTTP/1.1\r\nHost: gateway\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n",
        ["a connection header that names what matters"] = Post($"Connection: close, Host, Content-Length, Content-Type\r\nContent-Length: {Good.Length}", Good),
        ["an instance that is not there"] = "GET /api/status HTTP/1.1\r\nHost: gateway\r\nHazumu-Instance: ../x\r\n\r\n",
    };

    public static TheoryData<string> RefusedBodies => [.. s_refusedBodies.Keys];

    public static TheoryData<string> PassedBodies => [.. s_passedBodies.Keys];

    public static TheoryData<string> Messages => [.. s_messages.Keys];

    [Theory]
    [MemberData(nameof(RefusedBodies))]
    public async Task A_body_that_names_no_model_is_refused_in_the_clients_dialect(string name)
    {
        var before = Seen;
        foreach (var path in s_jsonPaths)
        {
            using var connection = await RawConnection.OpenAsync(fixture.Gateway.Address);
            await SendBodyAsync(connection, path, s_refusedBodies[name]);
            var answer = await connection.ReadAsync().WaitAsync(s_limit);
            Assert.True(answer.Status == 400, $"{path}: {answer}");
            Assert.StartsWith(path == "/v1/messages" ? """{"type":"error","error":{"type":"invalid_request_error","message":""" : path.StartsWith("/v1/", StringComparison.Ordinal) ? """{"error":{"message":""" : """{"error":""", answer.Text, StringComparison.Ordinal);

            var next = await connection.ReadAsync().WaitAsync(s_limit);
            Assert.True(next.Status == 200 && next.Text.Contains("version", StringComparison.Ordinal), $"{path}: {next}");
        }

        Assert.Equal(before + s_jsonPaths.Length, Seen);
    }

    [Theory]
    [MemberData(nameof(PassedBodies))]
    public async Task A_body_that_is_odd_elsewhere_gets_what_the_engine_says(string name)
    {
        foreach (var path in s_jsonPaths)
        {
            using var connection = await RawConnection.OpenAsync(fixture.Gateway.Address);
            await SendBodyAsync(connection, path, s_passedBodies[name]);
            var answer = await connection.ReadAsync().WaitAsync(s_limit);
            Assert.True(answer.Status < 500, $"{path}: {answer}");

            var next = await connection.ReadAsync().WaitAsync(s_limit);
            Assert.True(next.Status == 200 && next.Text.Contains("version", StringComparison.Ordinal), $"{path}: {next}");
        }
    }

    [Theory]
    [MemberData(nameof(Messages))]
    public async Task A_message_that_is_odd_is_refused_or_passed_and_the_connection_stays_in_step(string name)
    {
        var before = Seen;
        using var connection = await RawConnection.OpenAsync(fixture.Gateway.Address);
        try
        {
            await connection.SendAsync(s_messages[name].Replace("Host: gateway\r\n", "Host: gateway\r\nX-Test: 1\r\n", StringComparison.Ordinal));
            await connection.SendAsync(Next);
        }
        catch (System.Net.Sockets.SocketException)
        {
            // It has hung up already.
        }

        var answers = new List<RawAnswer>();
        try
        {
            while (answers.Count < 5)
            {
                var answer = connection.ReadAsync();
                if (await Task.WhenAny(answer, Task.Delay(500)) != answer)
                {
                    // It waits for more, as it should; there is none.
                    connection.FinishSending();
                }

                answers.Add(await answer.WaitAsync(s_limit));
            }
        }
        catch (Exception error) when (error is IOException or System.Net.Sockets.SocketException)
        {
            // It has hung up, which is right where it cannot know what comes next.
        }

        var told = string.Join("\n\n", answers);
        Assert.True(answers.Count is >= 1 and <= 3 || name == "the preface of HTTP/2", $"{answers.Count} answers");
        Assert.All(answers, answer => Assert.True(answer.Status is < 500 or 505, told));
        Assert.All(answers, answer => Assert.True(answer["X-Evil"] is null, told));
        Assert.All(answers.Skip(1), answer => Assert.True(answer.Status is >= 400 || answer.Text.Contains("version", StringComparison.Ordinal), told));
        await Wait.UntilAsync(() => Assert.Equal(before + answers.Count(answer => answer["Hazumu-Instance"] is not null), Seen), TimeSpan.FromSeconds(2));
    }

    [Fact]
    public async Task Noise_is_refused()
    {
        var random = new Random(20260826);
        for (var i = 0; i < 200; i++)
        {
            var bytes = Encoding.Latin1.GetBytes(Post($"Content-Length: {Good.Length}", Good));
            for (var damage = random.Next(1, 6); damage > 0; damage--)
            {
                bytes[random.Next(bytes.Length - Good.Length)] = (byte)random.Next(256);
            }

            using var connection = await RawConnection.OpenAsync(fixture.Gateway.Address);
            await connection.SendAsync(bytes);
            connection.FinishSending();
            try
            {
                var answer = await connection.ReadAsync().WaitAsync(s_limit);
                Assert.True(answer.Status is < 500 or 505, $"{Encoding.Latin1.GetString(bytes)}\n{answer}");
            }
            catch (Exception error) when (error is IOException or System.Net.Sockets.SocketException)
            {
                // Cut off in the middle.
            }
        }
    }

    // Requests of clients that the engine has seen. The gateway's own questions have no header of a client's.
    private int Seen => fixture.Engine.Requests.Count(request => request.Headers.ContainsKey("X-Test"));

    private static Task SendBodyAsync(RawConnection connection, string path, string body) => connection.SendAsync(
        $"POST {path} HTTP/1.1\r\nHost: gateway\r\nContent-Type: application/json\r\nContent-Length: {body.Length}\r\n\r\n{body}{Next}");

    private static string Post(string headers, string body) => $"POST /api/chat HTTP/1.1\r\nHost: gateway\r\n{headers}\r\n\r\n{body}";

    private static string Get(string target) => $"GET {target} HTTP/1.1\r\nHost: gateway\r\n\r\n";

    /// <summary>A gateway for all tests; at its end its log must hold no error.</summary>
    public sealed class Fixture : IAsyncLifetime
    {
        internal MockEngine Engine { get; private set; } = null!;

        internal TestGateway Gateway { get; private set; } = null!;

        public async ValueTask InitializeAsync()
        {
            Engine = await MockEngine.StartAsync(new MockEngineOptions { Models = [new MockModel("mock")], Tokens = 2, Parallel = 8 });
            Engine.Script("/v1/responses", new MockScript([Encoding.UTF8.GetBytes("{}")]) { Headers = [new("Content-Type", "application/json")] });
            Gateway = await TestGateway.StartAsync(Engine.Address, "--Gateway:Slots=8", "--Gateway:Fleet:ProbeInterval=1m");
        }

        public async ValueTask DisposeAsync()
        {
            await Gateway.DisposeAsync();
            await Engine.DisposeAsync();
        }
    }
}
