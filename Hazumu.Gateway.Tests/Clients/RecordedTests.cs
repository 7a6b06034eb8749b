using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;
using Hazumu.Testing;
using Hazumu.Gateway.Tests.Streams;

namespace Hazumu.Gateway.Tests.Clients;

/// <summary>
/// What real clients send, replayed byte by byte: sixteen clients for Python, and Open WebUI from its start to its first answer. Recorded between
/// them and an engine with a key set.
/// </summary>
public sealed partial class RecordedTests(KeyedGateway gateway) : IClassFixture<KeyedGateway>
{
    private const string RecordedKey = "hzm_KEY";

    // Of this hop alone, or for the gateway.
    private static readonly string[] s_changed = ["Host", "Connection", "Content-Length", "Authorization", "X-Request-Id", "traceparent"];

    public static TheoryData<string, int> Requests
    {
        get
        {
            var data = new TheoryData<string, int>();
            foreach (var file in (string[])["python", "open-webui"])
            {
                for (var line = 0; line < Read(file).Length; line++)
                {
                    data.Add(file, line);
                }
            }

            return data;
        }
    }

    [Theory]
    [MemberData(nameof(Requests))]
    public async Task A_recorded_request_is_answered_as_by_the_engine(string file, int line)
    {
        var recorded = JsonSerializer.Deserialize<JsonElement>(Read(file)[line]);
        var (method, target) = (recorded.GetProperty("method").GetString()!, recorded.GetProperty("target").GetString()!);
        var headers = recorded.GetProperty("headers").EnumerateArray().Select(header => (Name: header[0].GetString()!, Value: header[1].GetString()!)).ToList();
        var body = recorded.GetProperty("body") is { ValueKind: JsonValueKind.Object } json ? Encoding.UTF8.GetBytes(json.GetRawText()) : [];
        var hasKey = headers.Any(header => header.Value.Contains(RecordedKey, StringComparison.Ordinal));
        var seen = gateway.Requests.ToHashSet();

        var answer = await SendAsync(gateway.Gateway.Address, method, target, headers, body);

        // LiteLLM's ollama/ provider asks for /api/show without its key, which an engine without keys answers.
        Assert.Equal(hasKey ? recorded.GetProperty("status").GetInt32() : 401, answer.Status);
        Assert.Equal(hasKey || target != "/api/show", hasKey);
        if (!hasKey)
        {
            Assert.DoesNotContain(gateway.Requests, request => request.Path == target && !seen.Contains(request));
            return;
        }

        var direct = await SendAsync(gateway.Engines[0].Address, method, target, headers, body);
        if (method == "GET")
        {
            // A list of two engines, which hold the same: names, and not their times.
            Assert.Equal(Names(direct), Names(answer));
            return;
        }

        Assert.Equal(Steady(direct), Steady(answer));
        Assert.Equal(direct["Content-Type"], answer["Content-Type"]);

        // The gateway's is the first of the two; the direct one followed.
        var arrived = gateway.Requests.Where(request => request.Path == target && !seen.Contains(request)).OrderByDescending(request => request.Headers.ContainsKey("X-Request-Id")).First();
        Assert.Equal(method, arrived.Method);
        Assert.Equal("", arrived.Query);
        Assert.Equal(Sent(headers), Sent(arrived.Headers.Select(header => (header.Key, header.Value))));
        Assert.Equal(Expected(target, body), Encoding.UTF8.GetString(arrived.Body));
    }

    [Fact]
    public void Recordings_hold_no_secrets()
    {
        Assert.NotEmpty(Requests);
        foreach (var file in (string[])["python", "open-webui"])
        {
            Assert.DoesNotMatch(Secret(), string.Join('\n', Read(file)));
        }
    }

    private static string[] Read(string file) => File.ReadAllLines(RepositoryRoot.Combine("Hazumu.Gateway.Tests", "Clients", "Recorded", $"{file}.jsonl"));

    private async Task<RawAnswer> SendAsync(Uri address, string method, string target, IEnumerable<(string Name, string Value)> headers, byte[] body)
    {
        using var connection = await RawConnection.OpenAsync(address);
        var head = new StringBuilder($"{method} {target} HTTP/1.1\r\n");
        foreach (var (name, value) in headers)
        {
            head.Append($"{name}: {(name == "Host" ? address.Authority : value.Replace(RecordedKey, gateway.Key, StringComparison.Ordinal))}\r\n");
        }

        head.Append(body.Length > 0 ? $"Content-Length: {body.Length}\r\n\r\n" : "\r\n");
        await connection.SendAsync((byte[])[.. Encoding.Latin1.GetBytes(head.ToString()), .. body]);
        return await connection.ReadAsync();
    }

    private static IEnumerable<string> Sent(IEnumerable<(string Name, string Value)> headers) => headers
        .Where(header => !s_changed.Contains(header.Name, StringComparer.OrdinalIgnoreCase))
        .Select(header => $"{header.Name.ToLowerInvariant()}: {header.Value}")
        .Order(StringComparer.Ordinal);

    /// <summary>The body at the engine: as sent, but a stream of OpenAI's dialect also asks for its usage.</summary>
    private static string Expected(string target, byte[] body)
    {
        var text = Encoding.UTF8.GetString(body);
        var json = JsonSerializer.Deserialize<JsonElement>(body);
        var streams = target == "/v1/chat/completions" && json.TryGetProperty("stream", out var stream) && stream.ValueKind == JsonValueKind.True;
        return streams && !json.TryGetProperty("stream_options", out _) ? $"{text[..^1]},\"stream_options\":{{\"include_usage\":true}}}}" : text;
    }

    private static IEnumerable<string?> Names(RawAnswer answer)
    {
        var json = JsonSerializer.Deserialize<JsonElement>(answer.Text);
        var list = json.TryGetProperty("models", out var models) ? models : json.TryGetProperty("data", out var data) ? data : default;
        return list.ValueKind == JsonValueKind.Array
            ? list.EnumerateArray().Select(model => (model.TryGetProperty("name", out var name) ? name : model.GetProperty("id")).GetString()).Order(StringComparer.Ordinal)
            : [answer.Text];
    }

    private static string Steady(RawAnswer answer) => Varying().Replace(answer.Text, "$1*");

    [GeneratedRegex("""("(?:id|created|created_at|modified_at|expires_at|[a-z_]*duration)":\s*)("[^"]*"|[-0-9.e+]+)""")]
    private static partial Regex Varying();

    [GeneratedRegex("hzm_(?!KEY)|sk-[A-Za-z0-9]|eyJ|password|secret", RegexOptions.IgnoreCase)]
    private static partial Regex Secret();
}
