using System.Net;
using System.Text;
using System.Text.Json.Nodes;

namespace Hazumu.Gateway.Tests.Translation;

/// <summary>Answers of llama-server, as clients of Ollama's API get them.</summary>
public sealed class NativeAnswerTests
{
    private const string Chat = """{"model":"tiny","messages":[{"role":"user","content":"Hello"}]}""";
    private const string WholeChat = """{"model":"tiny","messages":[{"role":"user","content":"Hello"}],"stream":false}""";

    [Theory]
    [InlineData(1)]
    [InlineData(7)]
    [InlineData(100_000)]
    public async Task Chat_is_streamed_line_by_line_wherever_it_is_cut(int pieceLength)
    {
        var lines = await new RecordedEngine { PieceLength = pieceLength }.Streams("/v1/chat/completions", "chat.txt").LinesAsync("/api/chat", Chat);

        Assert.Equal(4, lines.Length);
        Assert.All(lines, line => Assert.Equal("tiny", (string?)line["model"]));
        Assert.All(lines, line => Assert.Equal("assistant", (string?)line["message"]!["role"]));
        Assert.All(lines, line => Assert.True(DateTimeOffset.TryParse((string?)line["created_at"], out _)));
        Assert.All(lines[..3], line => Assert.False((bool)line["done"]!));
        Assert.All(lines[..3], line => Assert.NotEmpty((string)line["message"]!["content"]!));
        Assert.Equal("", (string?)lines[3]["message"]!["content"]);
        Assert.True((bool)lines[3]["done"]!);
        Assert.Equal("length", (string?)lines[3]["done_reason"]);
        Assert.Equal((20L, 7L, 3L), ((long)lines[3]["prompt_eval_count"]!, (long)lines[3]["prompt_eval_cached_count"]!, (long)lines[3]["eval_count"]!));
    }

    [Fact]
    public async Task Durations_are_the_engines_own()
    {
        var last = (await new RecordedEngine().Streams("/v1/chat/completions", "chat.txt").LinesAsync("/api/chat", Chat))[^1];
        var timings = JsonNode.Parse(Encoding.UTF8.GetString(RecordedEngine.Recorded("chat.txt")).Split("data: ").Single(part => part.Contains("timings", StringComparison.Ordinal)))!["timings"]!;

        Assert.Equal((double)timings["prompt_ms"]!, (long)last["prompt_eval_duration"]! / 1e6, 3);
        Assert.Equal((double)timings["predicted_ms"]!, (long)last["eval_duration"]! / 1e6, 3);
        Assert.True((long)last["total_duration"]! > 0);
    }

    [Fact]
    public async Task Chat_that_is_not_streamed_is_one_document()
    {
        var engine = new RecordedEngine().Streams("/v1/chat/completions", "chat.txt");
        var streamed = await engine.LinesAsync("/api/chat", Chat);
        var whole = await engine.DocumentAsync("POST", "/api/chat", WholeChat);

        Assert.Equal(string.Concat(streamed.Select(line => (string)line["message"]!["content"]!)), (string?)whole["message"]!["content"]);
        Assert.Equal(("length", 3L), ((string)whole["done_reason"]!, (long)whole["eval_count"]!));
        Assert.True((bool)whole["done"]!);
    }

    [Fact]
    public async Task Thinking_is_apart_from_the_text()
    {
        var engine = new RecordedEngine().Streams("/v1/chat/completions", "thinking.txt");
        var lines = await engine.LinesAsync("/api/chat", Chat);
        var whole = await engine.DocumentAsync("POST", "/api/generate", """{"model":"tiny","prompt":"Hello","stream":false}""");

        Assert.Equal([" te", " nane", " neni"], lines[..3].Select(line => (string?)line["message"]!["thinking"]));
        Assert.All(lines, line => Assert.Equal("", (string?)line["message"]!["content"]));
        Assert.Equal((" te nane neni", ""), ((string)whole["thinking"]!, (string)whole["response"]!));
    }

    [Fact]
    public async Task Tool_call_in_pieces_is_one_object()
    {
        var engine = new RecordedEngine { PieceLength = 3 }.Streams("/v1/chat/completions", "tool.txt");
        var lines = await engine.LinesAsync("/api/chat", Chat);
        var whole = await engine.DocumentAsync("POST", "/api/chat", WholeChat);

        Assert.Equal(2, lines.Length);
        foreach (var message in new[] { lines[0]["message"]!, whole["message"]! })
        {
            var call = Assert.Single(message["tool_calls"]!.AsArray())!;
            Assert.NotEmpty((string)call["id"]!);
            Assert.Equal(("get_weather", 0), ((string)call["function"]!["name"]!, (int)call["function"]!["index"]!));
            Assert.Equal("""{"city":"Kyoto","days":2}""", call["function"]!["arguments"]!.ToJsonString());
        }

        // As Ollama ends an answer that is a call.
        Assert.Equal(("stop", 91L), ((string)lines[1]["done_reason"]!, (long)lines[1]["eval_count"]!));
    }

    [Theory]
    [InlineData("\"index\":0,")]
    [InlineData("")]
    public async Task Tool_calls_of_one_index_are_apart_by_their_ids(string index)
    {
        var first = $$"""{ {{index}}"id":"a","function":{"name":"f","arguments":"{}"} }""";
        var second = $$"""{ {{index}}"id":"b","function":{"name":"g","arguments":"{}"} }""";
        var chunk = $$"""{"choices":[{"delta":{"tool_calls":[{{first}},{{second}}]},"finish_reason":"tool_calls"}]}""";
        var engine = new RecordedEngine().Answers("/v1/chat/completions", Encoding.UTF8.GetBytes($"data: {chunk}\n\ndata: [DONE]\n\n"), mediaType: "text/event-stream");
        var whole = await engine.DocumentAsync("POST", "/api/chat", WholeChat);

        Assert.Equal(["a f", "b g"], whole["message"]!["tool_calls"]!.AsArray().Select(call => $"{call!["id"]} {call["function"]!["name"]}"));
    }

    [Fact]
    public async Task Tool_call_that_the_limit_has_cut_off_is_left_out()
    {
        var line = Assert.Single(await new RecordedEngine().Streams("/v1/chat/completions", "tool-cut-off.txt").LinesAsync("/api/chat", Chat));

        Assert.Null(line["message"]!["tool_calls"]);
        Assert.Equal("length", (string?)line["done_reason"]);
    }

    [Fact]
    public async Task Error_in_the_stream_is_a_line_and_otherwise_a_status()
    {
        const string message = "The model produced output that does not match the expected peg-native format";
        var engine = new RecordedEngine().Streams("/v1/chat/completions", "error.txt");

        Assert.Equal($$"""{"error":"{{message}}"}""", (await engine.LinesAsync("/api/chat", Chat))[^1].ToJsonString());
        Assert.Equal((500, "application/json; charset=utf-8", $$"""{"error":"{{message}}"}"""), await engine.AskAsync("POST", "/api/chat", WholeChat));
    }

    [Fact]
    public async Task Stream_that_breaks_off_has_no_last_line()
    {
        var half = Encoding.UTF8.GetString(RecordedEngine.Recorded("chat.txt")).Split("\n\n")[..3];
        var engine = new RecordedEngine().Answers("/v1/chat/completions", Encoding.UTF8.GetBytes(string.Join("\n\n", half) + "\n\n"), mediaType: "text/event-stream");

        Assert.All(await engine.LinesAsync("/api/chat", Chat), line => Assert.False((bool)line["done"]!));
        await Assert.ThrowsAsync<HttpIOException>(() => engine.AskAsync("POST", "/api/chat", WholeChat));
    }

    [Fact]
    public async Task Raw_completion_is_streamed()
    {
        var engine = new RecordedEngine().Streams("/v1/completions", "completion.txt");
        var lines = await engine.LinesAsync("/api/generate", """{"model":"tiny","prompt":"Hello","raw":true}""");

        Assert.Equal(4, lines.Length);
        Assert.All(lines[..3], line => Assert.NotEmpty((string)line["response"]!));
        Assert.Equal(("length", 3L), ((string)lines[3]["done_reason"]!, (long)lines[3]["eval_count"]!));
    }

    [Theory]
    [InlineData("""{"error":{"code":503,"message":"Loading model","type":"unavailable_error"}}""", HttpStatusCode.ServiceUnavailable, "Loading model")]
    [InlineData("""{"object":"error","message":"too long","type":"BadRequestError","code":400}""", HttpStatusCode.BadRequest, "too long")]
    [InlineData("""{"detail":"Not Found"}""", HttpStatusCode.NotFound, "Not Found")]
    [InlineData("<html>", HttpStatusCode.BadGateway, "The model server answered with the status 502.")]
    public async Task Refusal_of_the_engine_keeps_its_status_and_message(string body, HttpStatusCode status, string message)
    {
        var answer = await new RecordedEngine().Answers("/v1/chat/completions", body, status).AskAsync("POST", "/api/chat", Chat);

        Assert.Equal(((int)status, "application/json; charset=utf-8", $$"""{"error":"{{message}}"}"""), answer);
    }

    [Fact]
    public async Task Embeddings_have_the_length_one_and_come_in_order()
    {
        var engine = new RecordedEngine().Answers("/v1/embeddings", """{"data":[{"index":1,"embedding":[0.0,2.0]},{"index":0,"embedding":[3.0,4.0]}],"usage":{"prompt_tokens":6}}""");
        var answer = await engine.DocumentAsync("POST", "/api/embed", """{"model":"tiny","input":["a","b"]}""");
        var cut = await engine.DocumentAsync("POST", "/api/embed", """{"model":"tiny","input":["a","b"],"dimensions":1}""");
        var old = await engine.DocumentAsync("POST", "/api/embeddings", """{"model":"tiny","prompt":"a"}""");

        Assert.Equal(["0.6", "0.8", "0", "1"], answer["embeddings"]!.AsArray().SelectMany(vector => vector!.AsArray()).Select(number => number!.ToJsonString()));
        Assert.Equal("[[1],[0]]", cut["embeddings"]!.ToJsonString());
        Assert.DoesNotContain(engine.Requests, request => request.Body?["dimensions"] is not null);
        Assert.Equal(("tiny", 6L), ((string)answer["model"]!, (long)answer["prompt_eval_count"]!));
        Assert.Equal("""{"embedding":[3.0,4.0]}""", old.ToJsonString());
    }
}
