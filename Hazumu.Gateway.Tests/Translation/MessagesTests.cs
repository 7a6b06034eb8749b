using System.Net;
using System.Text.Json.Nodes;
using Hazumu.Gateway.Translation;

namespace Hazumu.Gateway.Tests.Translation;

/// <summary>Anthropic's API, on engines that speak OpenAI's only.</summary>
public sealed class MessagesTests
{
    private const string Chat = """{"model":"tiny","max_tokens":9,"stream":true,"messages":[{"role":"user","content":"Hi"}]}""";
    private const string WholeChat = """{"model":"tiny","max_tokens":9,"messages":[{"role":"user","content":"Hi"}]}""";

    [Fact]
    public async Task Stream_has_Anthropics_events()
    {
        var events = await EventsAsync(new RecordedEngine { PieceLength = 5 }.Streams("/v1/chat/completions", "chat.txt"), Chat);

        Assert.Equal(
            ["message_start", "content_block_start", "content_block_delta", "content_block_delta", "content_block_delta", "content_block_stop", "message_delta", "message_stop"],
            events.Select(one => (string?)one["type"]));
        Assert.Equal(("assistant", "tiny"), ((string)events[0]["message"]!["role"]!, (string)events[0]["message"]!["model"]!));
        Assert.All(events[2..5], one => Assert.Equal("text_delta", (string?)one["delta"]!["type"]));
        Assert.Equal("max_tokens", (string?)events[6]["delta"]!["stop_reason"]);
        Assert.Equal("""{"input_tokens":13,"cache_read_input_tokens":7,"output_tokens":3}""", events[6]["usage"]!.ToJsonString());
    }

    [Fact]
    public async Task Call_of_a_tool_comes_in_pieces_or_whole()
    {
        var engine = new RecordedEngine().Streams("/v1/chat/completions", "tool.txt");
        var events = await EventsAsync(engine, Chat);
        var whole = await engine.DocumentAsync("POST", "/v1/messages", WholeChat, EngineKind.Openai);

        Assert.Equal(("tool_use", "get_weather"), ((string)events[1]["content_block"]!["type"]!, (string)events[1]["content_block"]!["name"]!));
        var input = string.Concat(events.Where(one => (string?)one["delta"]?["type"] == "input_json_delta").Select(one => (string?)one["delta"]!["partial_json"]));
        Assert.Equal("""{"city":"Kyoto","days":2}""", JsonNode.Parse(input)!.ToJsonString());
        Assert.Equal("tool_use", (string?)events[^2]["delta"]!["stop_reason"]);
        Assert.Equal("""{"city":"Kyoto","days":2}""", Assert.Single(whole["content"]!.AsArray())!["input"]!.ToJsonString());
        Assert.Equal(("tool_use", 1, 563, 91), ((string)whole["stop_reason"]!, (int)whole["usage"]!["input_tokens"]!, (int)whole["usage"]!["cache_read_input_tokens"]!, (int)whole["usage"]!["output_tokens"]!));
    }

    [Fact]
    public async Task Tool_call_that_the_limit_has_cut_off_ends_with_max_tokens()
    {
        var engine = new RecordedEngine().Streams("/v1/chat/completions", "tool-cut-off.txt");
        var events = await EventsAsync(engine, Chat);
        var whole = await engine.DocumentAsync("POST", "/v1/messages", WholeChat, EngineKind.Openai);

        Assert.Equal("max_tokens", (string?)events[^2]["delta"]!["stop_reason"]);
        Assert.Equal("message_stop", (string?)events[^1]["type"]);
        Assert.Equal("max_tokens", (string?)whole["stop_reason"]);
        Assert.Empty(whole["content"]!.AsArray());
    }

    [Fact]
    public async Task Thinking_is_a_block_of_its_own()
    {
        var whole = await new RecordedEngine().Streams("/v1/chat/completions", "thinking.txt").DocumentAsync("POST", "/v1/messages", WholeChat, EngineKind.Openai);

        Assert.Equal(("thinking", " te nane neni"), ((string)whole["content"]![0]!["type"]!, (string)whole["content"]![0]!["thinking"]!));
    }

    [Fact]
    public async Task Errors_have_Anthropics_form()
    {
        var failing = new RecordedEngine().Streams("/v1/chat/completions", "error.txt");
        var last = (await EventsAsync(failing, Chat))[^1];
        Assert.Equal(("error", "api_error"), ((string)last["type"]!, (string)last["error"]!["type"]!));

        foreach (var (body, status, type) in ((string, int, string)[])
        [
            (WholeChat, 500, "api_error"),
            (WholeChat.Replace("tiny", "nobody", StringComparison.Ordinal), 404, "not_found_error"),
            ("""{"model":"tiny","max_tokens":1}""", 400, "invalid_request_error"),
            ("""{"model":"tiny","max_tokens":1,"messages":[],"tools":[{"type":"web_search_20250305","name":"web_search"}]}""", 501, "api_error"),
        ])
        {
            var answer = await failing.AskAsync("POST", "/v1/messages", body, EngineKind.Openai);
            Assert.Equal((status, type), (answer.Status, (string)JsonNode.Parse(answer.Text)!["error"]!["type"]!));
        }
    }

    [Fact]
    public async Task Request_becomes_a_chat_completion()
    {
        var engine = new RecordedEngine().Streams("/v1/chat/completions", "chat.txt");
        await engine.DocumentAsync("POST", "/v1/messages", """
            {"model":"tiny","max_tokens":9,"top_k":5,"temperature":0.5,"stop_sequences":["x"],"metadata":{"user_id":"u"},
             "system":[{"type":"text","text":"Be brief.","cache_control":{"type":"ephemeral"}}],
             "tools":[{"name":"add","description":"d","input_schema":{"type":"object"}}],"tool_choice":{"type":"any","disable_parallel_tool_use":true},
             "messages":[
               {"role":"user","content":[{"type":"text","text":"Look"},{"type":"image","source":{"type":"base64","media_type":"image/png","data":"AAAA"}}]},
               {"role":"assistant","content":[{"type":"thinking","thinking":"hm","signature":""},{"type":"text","text":"So"},{"type":"tool_use","id":"t1","name":"add","input":{"a":1}}]},
               {"role":"user","content":[{"type":"tool_result","tool_use_id":"t1","content":[{"type":"text","text":"3"}]},{"type":"text","text":"And?"}]}]}
            """, EngineKind.Openai);

        const string expected = """
            {"model":"tiny","messages":[{"role":"system","content":"Be brief."},
              {"role":"user","content":[{"type":"text","text":"Look"},{"type":"image_url","image_url":{"url":"data:image/png;base64,AAAA"}}]},
              {"role":"assistant","content":"So","tool_calls":[{"id":"t1","type":"function","function":{"name":"add","arguments":"{\"a\":1}"}}]},
              {"role":"tool","tool_call_id":"t1","content":"3"},{"role":"user","content":"And?"}],
             "stream":true,"stream_options":{"include_usage":true},"max_tokens":9,"temperature":0.5,"stop":["x"],
             "tools":[{"type":"function","function":{"name":"add","description":"d","parameters":{"type":"object"}}}],"tool_choice":"required","parallel_tool_calls":false}
            """;
        Assert.True(JsonNode.DeepEquals(JsonNode.Parse(expected), engine.Last), engine.Last.ToJsonString());
    }

    [Fact]
    public async Task Engine_that_has_the_route_gets_the_request_as_it_is()
    {
        // As llama-server refuses an empty request.
        var engine = new RecordedEngine().Answers("/v1/messages", """{"error":{"code":500,"message":"'messages' is required"}}""", HttpStatusCode.InternalServerError);
        await engine.AskAsync("POST", "/v1/messages", Chat);

        Assert.Equal(["/v1/messages", "/v1/messages"], engine.Requests.Select(request => request.Path));
        Assert.Equal(Chat, engine.Last.ToJsonString());
    }

    [Fact]
    public async Task Route_that_takes_an_empty_request_is_not_there()
    {
        // As LM Studio answers any route.
        var engine = new RecordedEngine().Answers("/v1/messages", """{"error":"Unexpected endpoint or method. (POST /v1/messages)"}""").Streams("/v1/chat/completions", "chat.txt");

        Assert.Equal("message_stop", (string?)(await EventsAsync(engine, Chat))[^1]["type"]);
    }

    [Theory]
    [InlineData(HttpStatusCode.TooManyRequests)]
    [InlineData(HttpStatusCode.BadGateway)]
    [InlineData(HttpStatusCode.ServiceUnavailable)]
    [InlineData(HttpStatusCode.GatewayTimeout)]
    public async Task Route_is_looked_for_again_after_an_answer_that_says_nothing_of_it(HttpStatusCode status)
    {
        var engine = new RecordedEngine().Answers("/v1/messages", "{}", status).Streams("/v1/chat/completions", "chat.txt");
        using var handler = new TranslationHandler(_ => new(EngineKind.Openai), new(), engine, TimeProvider.System);
        using var invoker = new HttpMessageInvoker(handler);
        foreach (var expected in (HttpStatusCode[])[status, HttpStatusCode.OK])
        {
            using var request = new HttpRequestMessage(HttpMethod.Post, new Uri("http://engine:8080/v1/messages")) { Content = new StringContent(Chat) };
            using var answer = await invoker.SendAsync(request, CancellationToken.None);
            Assert.Equal(expected, answer.StatusCode);
            engine.Answers("/v1/messages", "{}", HttpStatusCode.NotFound);
        }
    }

    [Theory]
    [InlineData("""{"count":12,"max_model_len":4096,"tokens":[1]}""", HttpStatusCode.OK, 200, "input_tokens\":12")]
    [InlineData("""{"detail":"Not Found"}""", HttpStatusCode.NotFound, 501, "does not count")]
    [InlineData("""{"tokens":[1]}""", HttpStatusCode.OK, 501, "does not count")]
    public async Task Tokens_are_counted_where_the_engine_can(string answer, HttpStatusCode status, int expected, string words)
    {
        var engine = new RecordedEngine().Answers("/tokenize", answer, status);
        var got = await engine.AskAsync("POST", "/v1/messages/count_tokens", WholeChat, EngineKind.Vllm);

        Assert.Equal(expected, got.Status);
        Assert.Contains(words, got.Text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Responses_are_refused_in_OpenAIs_form_where_the_engine_has_none()
    {
        var (status, _, text) = await new RecordedEngine().AskAsync("POST", "/v1/responses", """{"model":"tiny","input":"Hi"}""", EngineKind.Openai);

        Assert.Equal(501, status);
        Assert.Contains("/v1/chat/completions", (string?)JsonNode.Parse(text)!["error"]!["message"], StringComparison.Ordinal);
    }

    private static async Task<JsonNode[]> EventsAsync(RecordedEngine engine, string body)
    {
        var (status, mediaType, text) = await engine.AskAsync("POST", "/v1/messages", body, EngineKind.Openai);
        Assert.Equal((200, "text/event-stream"), (status, mediaType));
        return [.. text.Split("\n\n", StringSplitOptions.RemoveEmptyEntries).Select(one =>
        {
            var data = JsonNode.Parse(one.Split("\ndata: ")[1])!;
            Assert.Equal($"event: {data["type"]}", one.Split('\n')[0]);
            return data;
        })];
    }
}
