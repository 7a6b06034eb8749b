using System.Net;
using System.Text;
using System.Text.Json;
using Hazumu.Gateway.Keys;
using Hazumu.Gateway.Tests.Keys;
using Hazumu.Gateway.Tests.Streams;
using Hazumu.Mocks;
using Hazumu.Testing;

namespace Hazumu.Gateway.Tests.Serving;

/// <summary>Names that clients may use, and the models that serve them.</summary>
public sealed class ModelNameTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();
    private readonly List<ApiKey> _keys = [];

    public static TheoryData<string> Dialects => Ask.Dialects;

    [Theory]
    [MemberData(nameof(Dialects))]
    public async Task A_name_is_served_by_its_model_and_the_engine_sees_nothing_else_changed(string path)
    {
        await using var engine = await StartEngineAsync("qwen3:8b");
        await using var gateway = await StartAsync(engine, Name("gpt-4o-mini", "qwen3:8b"));
        var body = Ask.Body(model: "gpt-4o-mini", streams: false);

        var answer = await gateway.Http.ChatAsync(path, body);

        Assert.True(answer.Status == 200, $"{answer}");
        Assert.Equal("qwen3:8b", answer["Hazumu-Model"]);
        var arrived = Assert.Single(engine.Inferences());
        Assert.Equal(body.Replace("gpt-4o-mini", "qwen3:8b", StringComparison.Ordinal), Encoding.UTF8.GetString(arrived.Body));

        // Answers say what the engine says.
        Assert.Contains("\"qwen3:8b\"", answer.Text, StringComparison.Ordinal);
        Assert.DoesNotContain("gpt-4o-mini", answer.Text, StringComparison.Ordinal);
        await gateway.Measured.RequestsAsync(1);
        Assert.Equal(1, gateway.Measured.Sum("hazumu.gateway.named_requests", ("name", "gpt-4o-mini"), ("model", "qwen3:8b"), ("reason", "none")));
    }

    [Theory]
    [InlineData("""{"model":"GPT-4o-mini:latest","messages":[{"role":"user","content":"hi"}]}""")]
    [InlineData("""{"messages":[{"role":"user","content":"model"}],"model" : "gpt\u002d4o-mini" ,"stream":true}  """)]
    [InlineData("""{"model":"","name":"gpt-4o-mini","messages":[{"role":"user","content":"hi"}]}""")]
    public async Task The_name_is_found_however_it_is_written(string body)
    {
        await using var engine = await StartEngineAsync("a-model-with-a-longer-name:70b");
        await using var gateway = await StartAsync(engine, Name("gpt-4o-mini", "a-model-with-a-longer-name:70b"));

        var answer = await gateway.Http.ChatAsync(body: body);

        Assert.True(answer.Status == 200, $"{answer}");
        Assert.Contains("\"a-model-with-a-longer-name:70b\"", Encoding.UTF8.GetString(Assert.Single(engine.Inferences()).Body), StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_usage_is_requested_beside_the_other_model_of_a_large_body()
    {
        await using var engine = await StartEngineAsync("m");
        await using var gateway = await StartAsync(engine, Name("gpt-4o-mini", "m"));
        var text = new string('x', 3_000_000);

        var answer = await gateway.Http.ChatAsync(Ask.OpenAI, Ask.Body(text, "gpt-4o-mini"));

        Assert.True(answer.Status == 200, $"{answer}");
        var arrived = Assert.Single(engine.Inferences());
        await arrived.Ended;
        Assert.Equal(Ask.Body(text, "m").Length + ",\"stream_options\":{\"include_usage\":true}".Length, int.Parse(arrived.Headers.Single(header => header.Key == "Content-Length").Value, null));
        Assert.StartsWith("{\"model\":\"m\",\"max_tokens\"", Encoding.UTF8.GetString(arrived.Body), StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_model_that_a_large_body_ends_with_is_not_served_by_the_chain_that_it_begins_with()
    {
        await using var engine = await StartEngineAsync("a", "y");
        await using var gateway = await StartAsync(engine, Name("x", "a"));
        var text = new string('x', 100_000);

        var answer = await gateway.Http.ChatAsync(
            body: $$"""{"name":"x","messages":[{"role":"user","content":"{{text}}"}],"model":"y"}""");

        Assert.Equal((200, (string?)null), (answer.Status, answer["Hazumu-Model"]));
        Assert.Equal("y", Assert.Single(engine.Inferences()).Model);
    }

    [Theory]
    [InlineData(Ask.OpenAI, "qwen/qwen3-8b", "Qwen/Qwen3-8B")]
    [InlineData(Ask.OpenAI, "Qwen/Qwen3-8B", "Qwen/Qwen3-8B")]
    [InlineData(Ask.OpenAI, "tiny:latest", "tiny")]
    [InlineData(Ask.OpenAI, "fast", "tiny")]
    [InlineData(Ask.Anthropic, "tiny:latest", "tiny")]
    [InlineData(Ask.Anthropic + "/count_tokens", "tiny:latest", "tiny")]
    public async Task A_model_is_named_as_its_engine_spells_it(string path, string named, string id)
    {
        await using var engine = StartOpenAI(id, 200);
        await using var gateway = await StartAsync(engine.Address, [.. Name("fast", "Tiny"), "--Gateway:Engines:engine:Kind=openai"]);

        var answer = await gateway.Http.ChatAsync(path, Ask.Body(model: named, streams: false));

        Assert.Equal((200, named == "fast" ? "Tiny" : null), (answer.Status, answer["Hazumu-Model"]));
        Assert.Equal(Ask.Body(model: id, streams: false), LastBody(engine, path));
    }

    [Fact]
    public async Task A_retry_at_another_engine_names_the_model_as_the_client_did()
    {
        await using var busy = StartOpenAI("Mock", 503);
        await using var next = await StartEngineAsync("mock");
        await using var gateway = await TestGateway.StartAsync([("a", busy.Address), ("b", next.Address)], "--Gateway:Engines:a:Kind=openai");
        var body = Ask.Body(model: "mock:latest", streams: false);

        var answer = await gateway.Http.ChatAsync(Ask.OpenAI, body);

        Assert.Equal((200, "b"), (answer.Status, answer.Instance));
        Assert.Equal(Ask.Body(model: "Mock", streams: false), LastBody(busy, Ask.OpenAI));
        Assert.Equal(body, Encoding.UTF8.GetString(Assert.Single(next.Inferences()).Body));
    }

    [Fact]
    public async Task A_form_is_served_by_the_model_of_its_name()
    {
        await using var engine = RawEngine.Start(async exchange =>
        {
            await exchange.ReadBodyAsync();
            await exchange.AnswerAsync(200, "Content-Type: application/json", """{"text":"hi"}""");
        });
        await using var gateway = await StartAsync(engine.Address, Name("whisper-1", "mock"));
        using var form = new MultipartFormDataContent { { new ByteArrayContent(new byte[100_000]), "file", "a.wav" }, { new StringContent("whisper-1"), "model" }, { new StringContent("json"), "response_format" } };

        using var answer = await gateway.Http.PostAsync(new Uri("/v1/audio/transcriptions", UriKind.Relative), form);

        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        Assert.Equal("mock", Assert.Single(answer.Headers.GetValues("Hazumu-Model")));
        var (sent, arrived) = (await form.ReadAsStringAsync(), Encoding.UTF8.GetString(Assert.Single(engine.Exchanges).Body));
        Assert.Equal(sent.Replace("whisper-1", "mock", StringComparison.Ordinal), arrived);
    }

    [Fact]
    public async Task A_model_that_no_engine_has_is_passed_over()
    {
        await using var engine = await StartEngineAsync("b");
        await using var gateway = await StartAsync(engine, Name("a", "a", "b"));

        var answer = await gateway.Http.ChatAsync(body: Ask.Body(model: "a"));

        Assert.Equal((200, "b"), (answer.Status, answer["Hazumu-Model"]));
        await gateway.Measured.RequestsAsync(1);
        Assert.Equal(1, gateway.Measured.Sum("hazumu.gateway.named_requests", ("name", "a"), ("model", "b:latest"), ("reason", "missing")));
    }

    [Fact]
    public async Task A_model_that_is_requested_by_its_own_name_bears_no_header()
    {
        await using var engine = await StartEngineAsync("a", "b");
        await using var gateway = await StartAsync(engine, Name("a", "a", "b"));

        var answer = await gateway.Http.ChatAsync(body: Ask.Body(model: "a"));

        Assert.Equal((200, (string?)null), (answer.Status, answer["Hazumu-Model"]));
        Assert.Equal(Ask.Body(model: "a"), Encoding.UTF8.GetString(Assert.Single(engine.Inferences()).Body));
    }

    [Fact]
    public async Task Without_any_model_of_its_chain_the_engine_says_so()
    {
        await using var engine = await StartEngineAsync("c");
        await using var gateway = await StartAsync(engine, Name("x", "a", "b"));

        var answer = await gateway.Http.ChatAsync(body: Ask.Body(model: "x"));

        Assert.Equal(404, answer.Status);
        Assert.Contains("'a'", answer.Text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_model_whose_engine_is_down_is_passed_over()
    {
        await using var big = await StartEngineAsync("a");
        await using var small = await StartEngineAsync("b");
        await using var gateway = await TestGateway.StartAsync(
            [("big", big.Address), ("small", small.Address)], [.. Name("x", "a", "b"), "--Gateway:Fleet:ProbeInterval=100ms", "--Gateway:Fleet:FailureThreshold=1"]);
        await big.DisposeAsync();
        await Wait.UntilAsync(() => Assert.False(gateway.Fleet.Find("big")!.IsUsable));

        var answer = await gateway.Http.ChatAsync(body: Ask.Body(model: "x"));

        Assert.Equal((200, "b", "small"), (answer.Status, answer["Hazumu-Model"], answer.Instance));
        await gateway.Measured.RequestsAsync(1);
        Assert.Equal(1, gateway.Measured.Sum("hazumu.gateway.named_requests", ("reason", "down")));
    }

    [Theory]
    [InlineData("Gateway:ModelNames:0:QueueLongerThan=0", "queue")]
    [InlineData("Gateway:Queue:Limit=1", "queue")]
    public async Task A_model_with_a_long_queue_is_passed_over(string setting, string reason)
    {
        await using var engine = await StartEngineAsync("a", "b");
        engine.Options = engine.Options with { PrefillTime = TimeSpan.FromSeconds(4) };
        await using var gateway = await StartAsync(engine, [.. Name("x", "a", "b"), "--" + setting]);
        var running = gateway.Http.ChatAsync(body: Ask.Body("one", "x"));
        await Wait.UntilAsync(() => Assert.Single(engine.Inferences()));
        var waiting = gateway.Http.ChatAsync(body: Ask.Body("two", "x"));
        await Wait.UntilAsync(() => Assert.Equal(1, gateway.Service<Hazumu.Gateway.Admission.Scheduler>().Waiting));

        var answer = await gateway.Http.ChatAsync(body: Ask.Body("three", "x"));

        Assert.Equal((200, "b"), (answer.Status, answer["Hazumu-Model"]));
        Assert.All(await Task.WhenAll(running, waiting), first => Assert.Equal((200, "a"), (first.Status, first["Hazumu-Model"])));
        await gateway.Measured.RequestsAsync(3);
        Assert.Equal(1, gateway.Measured.Sum("hazumu.gateway.named_requests", ("model", "b:latest"), ("reason", reason)));
        Assert.Equal(2, gateway.Measured.Sum("hazumu.gateway.named_requests", ("model", "a:latest"), ("reason", "none")));
    }

    [Theory]
    [InlineData(404, false)]
    [InlineData(500, true)]
    [InlineData(503, true)]
    [InlineData(0, false)]
    [InlineData(0, true)]
    public async Task A_model_that_fails_before_the_first_byte_is_followed_by_the_next(int status, bool streams)
    {
        await using var engine = await StartEngineAsync("a", "b");
        engine.Inject(new(status == 0 ? MockFaultKind.ResetBeforeResponse : MockFaultKind.Status) { Status = status, Model = "a" });
        await using var gateway = await StartAsync(engine, [.. Name("x", "a", "b"), "--Gateway:Retries:Limit=0"]);

        var answer = await gateway.Http.ChatAsync(body: Ask.Body(model: "x", streams: streams));

        Assert.Equal((200, "b"), (answer.Status, answer["Hazumu-Model"]));
        Assert.Equal(["a", "b"], engine.Inferences().Select(request => request.Model));
        await gateway.Measured.RequestsAsync(1);
        Assert.Equal(1, gateway.Measured.Sum("hazumu.gateway.named_requests", ("model", "b:latest"), ("reason", "failed")));
        Assert.Equal(0, gateway.Measured.Now("hazumu.gateway.slots.used"));
    }

    [Fact]
    public async Task The_last_models_failure_is_the_answer()
    {
        await using var engine = await StartEngineAsync("a", "b");
        engine.Inject(new(MockFaultKind.Status) { Status = 500, Message = "no memory" });
        await using var gateway = await StartAsync(engine, Name("x", "a", "b"));

        var answer = await gateway.Http.ChatAsync(body: Ask.Body(model: "x"));

        Assert.Equal((500, "b"), (answer.Status, answer["Hazumu-Model"]));
        Assert.Contains("no memory", answer.Text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_client_error_is_no_reason_for_another_model()
    {
        await using var engine = await StartEngineAsync("a", "b");
        engine.Inject(new(MockFaultKind.Status) { Status = 400, Model = "a" });
        await using var gateway = await StartAsync(engine, Name("x", "a", "b"));

        Assert.Equal(400, (await gateway.Http.ChatAsync(body: Ask.Body(model: "x"))).Status);
        Assert.Single(engine.Inferences());
    }

    [Fact]
    public async Task Nothing_follows_the_first_byte()
    {
        await using var engine = await StartEngineAsync("a", "b");
        engine.Options = engine.Options with { TokenTime = TimeSpan.FromMilliseconds(50), Tokens = 200 };
        await using var gateway = await StartAsync(engine, Name("x", "a", "b"));

        using var answer = await gateway.Http.BeginAsync(body: Ask.Body(model: "x"));
        Assert.Equal("a", Assert.Single(answer.Headers.GetValues("Hazumu-Model")));
        var stream = await answer.Content.ReadAsStreamAsync();
        Assert.NotEqual(0, await stream.ReadAsync(new byte[10]));
        await engine.DisposeAsync();

        await Assert.ThrowsAnyAsync<Exception>(() => stream.CopyToAsync(Stream.Null));
        Assert.Single(engine.Inferences());
    }

    [Fact]
    public async Task Names_are_listed_where_that_is_set()
    {
        await using var engine = await StartEngineAsync("qwen3:8b", "b");
        await using var gateway = await StartAsync(
            engine, [.. Name("gpt-4o-mini", "lost", "qwen3:8b"), "--Gateway:ModelNames:0:List=true", .. Name("hidden", 1, "b"), .. Name("nowhere", 2, "lost"), "--Gateway:ModelNames:2:List=true", .. Name("b", 3, "b", "qwen3:8b"), "--Gateway:ModelNames:3:List=true"]);

        Assert.Equal(["b:latest", "gpt-4o-mini", "qwen3:8b"], await ListAsync(gateway, "/v1/models", "data", "id"));
        Assert.Equal(["b:latest", "gpt-4o-mini", "qwen3:8b"], await ListAsync(gateway, "/api/tags", "models", "name"));
        Assert.Equal(["b:latest", "gpt-4o-mini", "qwen3:8b"], await ListAsync(gateway, "/api/tags", "models", "model"));
    }

    [Fact]
    public async Task A_model_is_shown_by_its_name()
    {
        await using var engine = await StartEngineAsync("qwen3:8b");
        await using var gateway = await StartAsync(engine, Name("gpt-4o-mini", "lost", "qwen3:8b"));

        var shown = await gateway.Http.AnswerAsync(HttpMethod.Post, "/api/show", """{"model":"gpt-4o-mini"}""");
        Assert.Equal((200, "qwen3:8b"), (shown.Status, shown["Hazumu-Model"]));
        var model = await gateway.Http.AnswerAsync(HttpMethod.Get, "/v1/models/gpt-4o-mini");
        Assert.Equal((200, "qwen3:8b"), (model.Status, model["Hazumu-Model"]));
        Assert.Contains("qwen3:8b", model.Text, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("DELETE", "/api/delete")]
    [InlineData("POST", "/api/pull")]
    public async Task What_manages_models_takes_no_name_of_the_gateways(string method, string path)
    {
        await using var engine = await StartEngineAsync("qwen3:8b");
        await using var gateway = await StartAsync(engine, Name("gpt-4o-mini", "qwen3:8b"));

        await gateway.Http.AnswerAsync(new HttpMethod(method), path, """{"model":"gpt-4o-mini"}""");

        var request = engine.Requests.Last(request => request.Path == path);
        Assert.Contains("gpt-4o-mini", Encoding.UTF8.GetString(request.Body), StringComparison.Ordinal);
        Assert.Contains("qwen3:8b", await ListAsync(gateway, "/api/tags", "models", "name"));
    }

    [Fact]
    public async Task A_key_may_use_the_whole_chain_by_the_name_or_those_models_of_it_that_it_has()
    {
        await using var engine = await StartEngineAsync("a", "b");
        var byName = Make("alice", "x");
        var byModel = Make("bob", "b");
        var neither = Make("carol", "c");
        var file = _folder.File("keys.json");
        TestKeys.Write(file, _keys);
        await using var gateway = await StartAsync(engine, [.. Name("x", "a", "b"), "--Gateway:ModelNames:0:List=true", "--Gateway:Keys:Required=true", $"--Gateway:Keys:File={file}"]);

        Assert.Equal("a", (await gateway.Http.ChatAsync(body: Ask.Body(model: "x"), key: byName))["Hazumu-Model"]);
        Assert.Equal("b", (await gateway.Http.ChatAsync(body: Ask.Body(model: "x"), key: byModel))["Hazumu-Model"]);
        (await gateway.Http.ChatAsync(body: Ask.Body(model: "x"), key: neither)).IsRefusal(Ask.Native, HttpStatusCode.Forbidden, "", "The key 'carol' may not use the model 'x'.");
        (await gateway.Http.ChatAsync(body: Ask.Body(model: "a"), key: byName)).IsRefusal(Ask.Native, HttpStatusCode.Forbidden, "", "may not use the model 'a'");
        Assert.Equal(["x"], await ListAsync(gateway, "/v1/models", "data", "id", byName));
        Assert.Equal(["b:latest", "x"], await ListAsync(gateway, "/v1/models", "data", "id", byModel));
        Assert.Empty(await ListAsync(gateway, "/v1/models", "data", "id", neither));
    }

    [Fact]
    public async Task A_cloud_model_of_a_chain_is_left_out_unless_it_is_allowed()
    {
        await using var engine = await StartEngineAsync("gpt-oss:120b-cloud", "b");
        await using var gateway = await StartAsync(engine, [.. Name("x", "gpt-oss:120b-cloud", "b"), .. Name("y", 1, "gpt-oss:120b-cloud")]);

        Assert.Equal("b", (await gateway.Http.ChatAsync(body: Ask.Body(model: "x")))["Hazumu-Model"]);
        (await gateway.Http.ChatAsync(body: Ask.Body(model: "y"))).IsRefusal(Ask.Native, HttpStatusCode.Forbidden, "", "runs in Ollama's cloud");
    }

    public void Dispose() => _folder.Dispose();

    private string Make(string name, string model)
    {
        var (key, text) = TestKeys.Make(name, models: model);
        _keys.Add(key);
        return text;
    }

    private static string[] Name(string name, params string[] models) => Name(name, 0, models);

    private static string[] Name(string name, int index, params string[] models) =>
        [$"--Gateway:ModelNames:{index}:Name={name}", .. models.Select((model, at) => $"--Gateway:ModelNames:{index}:Models:{at}={model}")];

    private static Task<MockEngine> StartEngineAsync(params string[] models) => MockEngine.StartAsync(new() { Models = [.. models.Select(model => new MockModel(model))] });

    // An engine of OpenAI's API alone.
    private static RawEngine StartOpenAI(string id, int status) => RawEngine.Start(async exchange =>
    {
        await exchange.ReadBodyAsync();
        var (code, body) = exchange.Target switch
        {
            "/v1/models" => (200, $$"""{"object":"list","data":[{"id":"{{id}}"}]}"""),
            // An empty document is the gateway's question whether there is such a route.
            Ask.OpenAI or Ask.Anthropic or Ask.Anthropic + "/count_tokens" => (exchange.Body.Length == 2 ? 400 : status, "{}"),
            _ => (404, "{}"),
        };
        await exchange.AnswerAsync(code, "Content-Type: application/json", body);
    });

    private static string LastBody(RawEngine engine, string path) =>
        Encoding.UTF8.GetString(engine.Exchanges.Last(exchange => exchange.Target == path).Body);

    private static Task<TestGateway> StartAsync(MockEngine engine, string[] arguments) => StartAsync(engine.Address, arguments);

    private static Task<TestGateway> StartAsync(Uri engine, string[] arguments) => TestGateway.StartAsync(engine, arguments);

    private static async Task<string[]> ListAsync(TestGateway gateway, string path, string list, string name, string? key = null)
    {
        var answer = await gateway.Http.AnswerAsync(HttpMethod.Get, path, key: key);
        Assert.True(answer.Status == 200, $"{answer}");
        return [.. JsonDocument.Parse(answer.Text).RootElement.GetProperty(list).EnumerateArray().Select(model => model.GetProperty(name).GetString()!).Order(StringComparer.Ordinal)];
    }
}
