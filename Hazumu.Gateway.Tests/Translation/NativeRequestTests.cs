using System.Text.Json.Nodes;

namespace Hazumu.Gateway.Tests.Translation;

/// <summary>Requests of Ollama's API, as engines that speak <c>/v1</c> get them.</summary>
public sealed class NativeRequestTests
{
    [Theory]
    [InlineData(EngineKind.LlamaServer, """{"temperature":0.5,"top_p":0.9,"seed":7,"max_tokens":12,"stop":["x"],"presence_penalty":1,"frequency_penalty":2,"top_k":40,"min_p":0.1,"typical_p":1,"repeat_penalty":1.1,"repeat_last_n":64,"n_keep":4}""")]
    [InlineData(EngineKind.Vllm, """{"temperature":0.5,"top_p":0.9,"seed":7,"max_tokens":12,"stop":["x"],"presence_penalty":1,"frequency_penalty":2,"top_k":40,"min_p":0.1,"repetition_penalty":1.1}""")]
    [InlineData(EngineKind.Openai, """{"temperature":0.5,"top_p":0.9,"seed":7,"max_tokens":12,"stop":["x"],"presence_penalty":1,"frequency_penalty":2}""")]
    public async Task Options_become_the_parameters_that_the_engine_has(EngineKind kind, string expected)
    {
        const string options = """
            {"num_predict":12.0,"temperature":0.5,"top_p":0.9,"seed":7,"stop":["x"],"presence_penalty":1,"frequency_penalty":2,"top_k":40,"min_p":0.1,
             "typical_p":1,"repeat_penalty":1.1,"repeat_last_n":64,"num_keep":4,"num_ctx":4096,"mirostat":1}
            """;
        var sent = await ChatAsync($$"""{"model":"tiny","messages":[{"role":"user","content":"Hi"}],"options":{{options}}}""", kind);

        foreach (var name in (string[])["model", "messages", "stream", "stream_options"])
        {
            sent.Remove(name);
        }

        AssertSame(expected, sent);
    }

    [Fact]
    public async Task Minus_one_is_no_limit_and_a_seed_of_chance()
    {
        var sent = await ChatAsync("""{"model":"tiny","messages":[{"role":"user","content":"Hi"}],"options":{"num_predict":-1,"seed":-1}}""");

        Assert.False(sent.ContainsKey("max_tokens") || sent.ContainsKey("seed"));
    }

    [Theory]
    [InlineData("tiny")]
    [InlineData("TINY:latest")]
    [InlineData("registry.ollama.ai/library/tiny")]
    public async Task Model_has_the_engines_own_name(string name) =>
        Assert.Equal("tiny", (string?)(await ChatAsync($$"""{"model":"{{name}}","messages":[{"role":"user","content":"Hi"}]}"""))["model"]);

    [Fact]
    public async Task Tools_and_their_results_become_OpenAIs()
    {
        var sent = await ChatAsync("""
            {"model":"tiny","tools":[{"type":"function","function":{"name":"add","description":"d","parameters":{"type":"object","properties":{}}}}],
             "messages":[{"role":"user","content":"Hi"},
              {"role":"assistant","content":"","thinking":"hm","tool_calls":[{"function":{"name":"add","arguments":{"a":1}}},{"id":"own","function":{"name":"sub","arguments":{}}}]},
              {"role":"tool","tool_name":"sub","content":"3"},
              {"role":"tool","content":"4"}]}
            """);

        AssertSame("""
            [{"role":"user","content":"Hi"},
             {"role":"assistant","content":"","reasoning_content":"hm","tool_calls":[
               {"id":"call_0","type":"function","function":{"name":"add","arguments":"{\"a\":1}"}},{"id":"own","type":"function","function":{"name":"sub","arguments":"{}"}}]},
             {"role":"tool","tool_call_id":"own","content":"3"},
             {"role":"tool","tool_call_id":"call_0","content":"4"}]
            """, sent["messages"]!);
        Assert.Equal("add", (string?)sent["tools"]![0]!["function"]!["name"]);
    }

    [Fact]
    public async Task Images_become_data_urls()
    {
        const string png = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJ";
        var sent = await ChatAsync($$"""{"model":"tiny","messages":[{"role":"user","content":"Hi","images":["{{png}}"]}]}""");

        AssertSame($$$"""[{"type":"text","text":"Hi"},{"type":"image_url","image_url":{"url":"data:image/png;base64,{{{png}}}"}}]""", sent["messages"]![0]!["content"]!);
    }

    [Theory]
    [InlineData("\"json\"", """{"type":"json_object"}""")]
    [InlineData("""{"type":"object"}""", """{"type":"json_schema","json_schema":{"name":"answer","strict":true,"schema":{"type":"object"}}}""")]
    public async Task Format_becomes_response_format(string format, string expected) =>
        AssertSame(expected, (await ChatAsync($$"""{"model":"tiny","messages":[{"role":"user","content":"Hi"}],"format":{{format}}}"""))["response_format"]!);

    [Theory]
    [InlineData(EngineKind.LlamaServer, "false", """{"enable_thinking":false}""", null)]
    [InlineData(EngineKind.Vllm, "\"low\"", """{"enable_thinking":true}""", "low")]
    [InlineData(EngineKind.Vllm, "\"max\"", """{"enable_thinking":true}""", "high")]
    [InlineData(EngineKind.Openai, "false", null, "none")]
    [InlineData(EngineKind.Openai, "true", null, null)]
    public async Task Think_becomes_the_templates_switch_and_the_effort(EngineKind kind, string think, string? arguments, string? effort)
    {
        var sent = await ChatAsync($$"""{"model":"tiny","messages":[{"role":"user","content":"Hi"}],"think":{{think}}}""", kind);

        Assert.Equal((arguments, effort), (sent["chat_template_kwargs"]?.ToJsonString(), (string?)sent["reasoning_effort"]));
    }

    [Fact]
    public async Task Completion_becomes_a_chat_unless_it_is_raw()
    {
        var engine = new RecordedEngine().Streams("/v1/chat/completions", "chat.txt").Streams("/v1/completions", "completion.txt");
        await engine.LinesAsync("/api/generate", """{"model":"tiny","system":"Be brief.","prompt":"Hi"}""");
        AssertSame("""[{"role":"system","content":"Be brief."},{"role":"user","content":"Hi"}]""", engine.Last["messages"]!);

        await engine.LinesAsync("/api/generate", """{"model":"tiny","prompt":"Hi","raw":true,"format":{"type":"object"},"options":{"num_predict":3}}""");
        AssertSame("""{"model":"tiny","prompt":"Hi","stream":true,"stream_options":{"include_usage":true},"max_tokens":3,"json_schema":{"type":"object"}}""", engine.Last);

        await engine.LinesAsync("/api/generate", """{"model":"tiny","prompt":"Hi","suffix":"ho","format":"json"}""", EngineKind.Vllm);
        AssertSame("""{"model":"tiny","prompt":"Hi","stream":true,"stream_options":{"include_usage":true},"suffix":"ho","max_tokens":null,"response_format":{"type":"json_object"}}""", engine.Last);
    }

    [Fact]
    public async Task Texts_to_embed_are_cut_to_the_limit_where_vLLM_can()
    {
        var engine = new RecordedEngine().Answers("/v1/embeddings", """{"data":[{"index":0,"embedding":[1.0]}]}""");
        await engine.DocumentAsync("POST", "/api/embed", """{"model":"tiny","input":"a","dimensions":8}""", EngineKind.Vllm);
        AssertSame("""{"model":"tiny","input":"a","encoding_format":"float","truncate_prompt_tokens":-1}""", engine.Last);
    }

    [Theory]
    [InlineData(EngineKind.Openai, "", "4096")]
    [InlineData(EngineKind.Openai, "\"num_predict\":-1", "4096")]
    [InlineData(EngineKind.Openai, "\"num_predict\":5", "5")]
    [InlineData(EngineKind.LlamaServer, "", null)]
    public async Task Raw_completion_is_not_cut_off_after_sixteen_tokens(EngineKind kind, string options, string? expected)
    {
        var engine = new RecordedEngine().Streams("/v1/completions", "completion.txt");
        await engine.LinesAsync("/api/generate", $$"""{"model":"tiny","prompt":"Hi","raw":true,"options":{{{options}}} }""", kind);

        Assert.Equal(expected, engine.Last["max_tokens"]?.ToJsonString());
    }

    [Fact]
    public async Task Members_are_found_in_any_case_of_letters()
    {
        var engine = new RecordedEngine().Streams("/v1/chat/completions", "chat.txt");
        await engine.DocumentAsync("POST", "/api/chat", """{"Model":"tiny","MESSAGES":[{"Role":"user","Content":"Hi"}],"Stream":false,"Tools":[{"type":"function"}]}""");

        AssertSame("""{"model":"tiny","messages":[{"role":"user","content":"Hi"}],"stream":true,"stream_options":{"include_usage":true},"tools":[{"type":"function"}]}""", engine.Last);
    }

    [Fact]
    public async Task Arguments_of_former_calls_keep_their_letters()
    {
        var sent = await ChatAsync("""{"model":"tiny","messages":[{"role":"assistant","tool_calls":[{"function":{"name":"f","arguments":{"city":"東京"}}}]}]}""");

        Assert.Equal("""{"city":"東京"}""", (string?)sent["messages"]![0]!["tool_calls"]![0]!["function"]!["arguments"]);
    }

    [Theory]
    [InlineData("/api/v0/models")]
    [InlineData("/api/v1/chat")]
    public async Task Own_routes_of_LM_Studio_pass(string path)
    {
        var engine = new RecordedEngine().Answers(path, "{}");

        Assert.Equal((200, "application/json", "{}"), await engine.AskAsync("POST", path, "{}", EngineKind.Openai));
    }

    [Theory]
    [InlineData("/api/chat", """{"model":"nobody","messages":[{"role":"user","content":"Hi"}]}""", 404, "model 'nobody' not found")]
    [InlineData("/api/chat", """{"model":"tiny","messages":[{"content":"Hi"}]}""", 400, "role")]
    [InlineData("/api/chat", """{"model":"tiny","messages":[{"role":"user","content":"Hi"}],"format":"xml"}""", 400, "invalid format")]
    [InlineData("/api/chat", """{"model":"tiny","messages":[{"role":"user","content":"Hi"}],"think":"very"}""", 400, "think must be")]
    [InlineData("/api/chat", """{"model":"tiny","messages":[{"role":"user","images":["%"]}]}""", 400, "base64")]
    [InlineData("/api/chat", """{"model":"tiny","model":"tiny"}""", 400, "model")]
    [InlineData("/api/chat", """{"model":"tiny","messages":[{"role":"user","content":[{"type":"text","text":"Hi"}]}]}""", 400, "'content'")]
    [InlineData("/api/chat", """{"model":"tiny","messages":[{"role":"assistant","content":{}}]}""", 400, "'content'")]
    [InlineData("/api/chat", """{"model":"tiny","messages":[{"role":"tool","content":3}]}""", 400, "'content'")]
    [InlineData("/api/chat", "[]", 400, "JSON object")]
    [InlineData("/api/chat", """{"model":"tiny","keep_alive":0}""", 501, "keep_alive")]
    [InlineData("/api/generate", """{"model":"tiny","prompt":"Hi","template":"{{ .Prompt }}"}""", 501, "template")]
    [InlineData("/api/generate", """{"model":"tiny","prompt":"Hi","context":[1]}""", 501, "/api/chat")]
    [InlineData("/api/generate", """{"model":"tiny","prompt":"Hi","suffix":"ho"}""", 501, "/infill")]
    [InlineData("/api/generate", """{"model":"tiny","prompt":"Hi","raw":true,"images":["AAAA"]}""", 501, "images")]
    [InlineData("/api/embed", """{"model":"tiny","input":[1]}""", 400, "invalid input type")]
    [InlineData("/api/pull", """{"model":"tiny"}""", 501, "/api/pull")]
    [InlineData("/api/blobs/sha256:00", "x", 501, "/api/blobs")]
    public async Task What_cannot_be_said_gets_one_sentence(string path, string body, int expected, string words)
    {
        var (status, _, text) = await new RecordedEngine().AskAsync("POST", path, body);

        Assert.Equal(expected, status);
        Assert.Contains(words, (string?)JsonNode.Parse(text)!["error"], StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("/api/chat", """{"model":"tiny"}""", "load")]
    [InlineData("/api/generate", """{"model":"tiny","keep_alive":-1}""", "load")]
    public async Task Request_without_a_prompt_is_answered_as_by_Ollama_that_has_loaded_the_model(string path, string body, string reason)
    {
        var engine = new RecordedEngine();
        var answer = await engine.DocumentAsync("POST", path, body);

        Assert.Equal((true, reason), ((bool)answer["done"]!, (string)answer["done_reason"]!));
        Assert.Equal(["/v1/models"], engine.Requests.Select(request => request.Path));
    }

    private static async Task<JsonObject> ChatAsync(string body, EngineKind kind = EngineKind.LlamaServer)
    {
        var engine = new RecordedEngine().Streams("/v1/chat/completions", "chat.txt");
        await engine.LinesAsync("/api/chat", body, kind);
        return engine.Last.AsObject();
    }

    private static void AssertSame(string expected, JsonNode actual) =>
        Assert.True(JsonNode.DeepEquals(JsonNode.Parse(expected), actual), actual.ToJsonString());
}
