using Hazumu.Gateway.Tests.Serving;
using Hazumu.Testing;
using Hazumu.Gateway.Upstreams;
using Hazumu.Settings;

namespace Hazumu.Gateway.Tests.Upstreams;

/// <summary>What is read of each kind of engine.</summary>
public sealed class EngineKindTests
{
    private const string VllmModels =
        """{"object":"list","data":[{"id":"Qwen/Qwen3-8B","object":"model","owned_by":"vllm","max_model_len":40960}]}""";

    private static readonly string[] s_quick = ["--Gateway:Fleet:ProbeInterval=100ms", "--Gateway:Fleet:ModelsInterval=100ms"];

    private static readonly string[] s_foreign = ["/api/version", "/props", "/version"];
    private static readonly string[] s_all = [.. s_foreign, "/health", "/v1/models"];

    private static readonly (string Path, int Status, string Body)[] s_ollama =
    [
        ("/api/version", 200, """{"version":"0.32.15"}"""),
        ("/api/ps", 200, """{"models":[{"name":"tiny:latest","size":10,"size_vram":5,"context_length":4096}]}"""),
        ("/api/tags", 200, """{"models":[{"name":"tiny:latest","size":9,"digest":"d","capabilities":["completion","tools"]}]}"""),
        ("/v1/models", 200, """{"data":[{"id":"tiny:latest","owned_by":"library"}]}"""),
    ];

    private static readonly (string Path, int Status, string Body)[] s_llamaServer =
    [
        ("/health", 200, """{"status":"ok"}"""),
        ("/props", 200, """{"total_slots":3,"build_info":"b11669","is_sleeping":false}"""),
        ("/v1/models", 200,
            """
            {"models":[{"name":"tiny","capabilities":["completion"]}],
             "data":[{"id":"tiny","aliases":["tiny","small"],"owned_by":"llamacpp","meta":{"n_ctx":2048,"size":288256}}]}
            """),
    ];

    private static readonly (string Path, int Status, string Body)[] s_vllm =
    [
        ("/health", 200, ""),
        ("/version", 200, """{"version":"0.15.0"}"""),
        ("/v1/models", 200, VllmModels),
        ("/metrics", 200, "vllm:num_requests_running{engine=\"0\"} 2.0\nvllm:num_requests_waiting{engine=\"0\"} 0.0\n"),
    ];

    private static readonly (string Path, int Status, string Body)[] s_openai =
    [
        ("/v1/models", 200, """{"object":"list","data":[{"id":"gpt-4o-mini","owned_by":"system"}]}"""),
    ];

    public static TheoryData<EngineKind> Kinds => [.. Enum.GetValues<EngineKind>()];

    [Theory]
    [MemberData(nameof(Kinds))]
    public async Task Kind_is_detected(EngineKind kind)
    {
        await using var engine = await StubEngine.StartAsync(AnswersOf(kind));
        await using var gateway = await TestGateway.StartAsync(engine.Address, s_quick);

        await UpAsync(gateway);
        Assert.Equal(kind, Assert.Single(gateway.Fleet.Instances).Kind);
    }

    [Theory]
    [InlineData(200, "<html>Any path has this page.</html>")]
    [InlineData(200, """{"error":"Unexpected endpoint or method."}""")]
    [InlineData(400, "")]
    [InlineData(405, "")]
    [InlineData(501, "")]
    public async Task Server_of_OpenAIs_API_is_detected_however_it_lacks_other_routes(int status, string body)
    {
        await using var engine = await StubEngine.StartAsync(
            [.. s_openai, .. s_foreign.Select(path => (path, status, body))]);
        await using var gateway = await TestGateway.StartAsync(engine.Address, s_quick);

        await UpAsync(gateway);
        Assert.Equal(EngineKind.Openai, gateway.Fleet.Instances[0].Kind);
    }

    [Theory]
    [InlineData(401, "it answers /api/version with 401: No key; set the engine's KeyFile, or its Kind")]
    [InlineData(403, "it answers /api/version with 403: No key; set the engine's KeyFile, or its Kind")]
    [InlineData(408, "it answers /api/version with 408: No key")]
    [InlineData(429, "it answers /api/version with 429: No key")]
    public async Task Refusal_of_the_gateway_does_not_say_that_a_route_is_missing(int status, string reason)
    {
        await using var engine = await StubEngine.StartAsync([.. s_ollama[1..], ("/api/version", status, """{"error":"No key"}""")]);
        await using var gateway = await TestGateway.StartAsync(engine.Address, s_quick);
        var instance = gateway.Fleet.Instances[0];

        await Wait.UntilAsync(() => Assert.Contains(gateway.Logged, line => line.EndsWith(reason, StringComparison.Ordinal)));
        Assert.Equal((null, false), (instance.Kind, instance.IsUp));

        Serve(engine, s_ollama);
        await UpAsync(gateway);
        Assert.Equal(EngineKind.Ollama, instance.Kind);
    }

    [Fact]
    public async Task Llama_server_whose_key_is_not_set_is_not_taken_for_another_server()
    {
        // Older ones list their models without a key.
        await using var engine = await StubEngine.StartAsync([.. s_llamaServer, ("/props", 401, """{"error":{"message":"Invalid API Key"}}""")]);
        await using var gateway = await TestGateway.StartAsync(engine.Address, s_quick);

        await Wait.UntilAsync(() => Assert.Contains(gateway.Logged, line => line.EndsWith(
            "it answers /props with 401: Invalid API Key; set the engine's KeyFile, or its Kind", StringComparison.Ordinal)));
        Assert.Equal((null, false), (gateway.Fleet.Instances[0].Kind, gateway.Fleet.Instances[0].IsUp));
    }

    [Fact]
    public async Task Kind_that_is_set_is_not_detected()
    {
        await using var engine = await StubEngine.StartAsync([.. s_openai, ("/api/version", 200, """{"version":"1"}""")]);
        await using var gateway = await TestGateway.StartAsync(engine.Address, [.. s_quick, "--Gateway:Engines:engine:Kind=openai"]);

        await UpAsync(gateway);
        Assert.Equal(EngineKind.Openai, gateway.Fleet.Instances[0].Kind);
        Assert.DoesNotContain("/api/version", engine.Requested);
    }

    [Fact]
    public async Task Kind_of_an_engine_that_loads_is_detected_when_it_serves()
    {
        await using var engine = await StubEngine.StartAsync(
            [.. s_all.Select(path => (path, 503, """{"error":{"message":"Loading model"}}"""))]);
        await using var gateway = await TestGateway.StartAsync(engine.Address, s_quick);
        var instance = gateway.Fleet.Instances[0];

        Assert.False(instance.IsUp);
        Assert.Null(instance.Kind);
        await Wait.UntilAsync(() => Assert.Contains(
            gateway.Logged, line => line.Contains("it answers /api/version with 503: Loading model", StringComparison.Ordinal)));
        var error = await Assert.ThrowsAsync<HttpRequestException>(() => instance.GetKindAsync(default).AsTask());
        Assert.Equal(503, (int?)error.StatusCode);

        Serve(engine, s_llamaServer);
        Assert.Equal(EngineKind.LlamaServer, await instance.GetKindAsync(default));
        await UpAsync(gateway);
    }

    [Fact]
    public async Task Another_program_at_the_same_address_is_detected_after_an_outage()
    {
        await using var engine = await StubEngine.StartAsync(s_llamaServer);
        await using var gateway = await TestGateway.StartAsync(engine.Address, s_quick);
        var instance = gateway.Fleet.Instances[0];
        await UpAsync(gateway);

        engine.Answers["/health"] = (503, "");
        await Wait.UntilAsync(() => Assert.False(instance.IsUp));
        Serve(engine, s_vllm);
        await UpAsync(gateway);

        Assert.Equal((EngineKind.Vllm, "0.15.0"), (instance.Kind, instance.Version));
    }

    [Fact]
    public async Task Facts_of_Ollama_are_read()
    {
        var instance = await ReadAsync(s_ollama);

        Assert.Equal(("0.32.15", (int?)null, 1), (instance.Version, instance.ReportedSlots, instance.LimitOf("tiny:latest", 1)));
        Assert.Equal(new ResidentModel("tiny:latest", 10, 5, default(DateTimeOffset), 4096), instance.SlotsOf("tiny:latest").Resident);
        Assert.Equal(["completion", "tools"], instance.Stored!["tiny:latest"].Capabilities!);
    }

    [Fact]
    public async Task Facts_of_llama_server_are_read()
    {
        var instance = await ReadAsync(s_llamaServer);

        Assert.Equal(("b11669", (int?)3, 3), (instance.Version, instance.ReportedSlots, instance.LimitOf("tiny:latest", 1)));
        Assert.Equal(["small:latest", "tiny:latest"], instance.Stored!.Keys.Order());
        Assert.Equal(new ResidentModel("tiny:latest", 288256, ContextLength: 2048), instance.SlotsOf("tiny:latest").Resident);
        Assert.Equal(["completion"], instance.Stored["tiny:latest"].Capabilities!);
    }

    [Fact]
    public async Task Router_of_llama_server_has_the_loaded_models_in_memory()
    {
        var instance = await ReadAsync(
            ("/health", 200, """{"status":"ok"}"""),
            ("/props", 200, """{"role":"router","build_info":"b11669"}"""),
            ("/v1/models", 200, """{"data":[{"id":"a","status":{"value":"loaded"}},{"id":"b","status":{"value":"unloaded"}}]}"""));

        Assert.Equal((EngineKind.LlamaServer, 4), (instance.Kind, instance.LimitOf("a:latest", 4)));
        Assert.Equal((true, false), (instance.SlotsOf("a:latest").IsResident, instance.SlotsOf("b:latest").IsResident));
        Assert.Equal(["a:latest", "b:latest"], instance.Stored!.Keys.Order());
    }

    [Fact]
    public async Task Facts_of_vLLM_are_read()
    {
        var instance = await ReadAsync(s_vllm);

        Assert.Equal(("0.15.0", (int?)VllmEngine.DefaultSlots), (instance.Version, instance.ReportedSlots));
        var name = Assert.Single(instance.Stored!.Keys);
        Assert.Equal("qwen/qwen3-8b:latest", name);
        Assert.Equal(new ResidentModel(name, ContextLength: 40960), instance.SlotsOf(name).Resident);
    }

    [Fact]
    public async Task VLLM_gets_no_more_requests_than_run_while_others_wait_in_it()
    {
        await using var engine = await StubEngine.StartAsync(s_vllm);
        await using var gateway = await TestGateway.StartAsync(engine.Address, s_quick);
        await UpAsync(gateway);

        engine.Answers["/metrics"] = (200, """
            vllm:num_requests_running{engine="0",model_name="m"} 30.0
            vllm:num_requests_running{engine="1",model_name="m"} 10.0
            vllm:num_requests_waiting{engine="0",model_name="m"} 3.0
            vllm:num_requests_waiting_by_reason{engine="0",reason="capacity"} 3.0
            """);

        await Wait.UntilAsync(() => Assert.Equal(40, gateway.Fleet.Instances[0].ReportedSlots));
    }

    [Theory]
    [InlineData(128, 5, false, false, 128)] // Room.
    [InlineData(128, 128, false, false, 145)] // Full, and none waits: more may fit.
    [InlineData(1024, 1024, false, false, 1024)]
    [InlineData(128, 40, true, false, 128)] // Every request waits for a moment.
    [InlineData(128, 40, true, true, 40)]
    [InlineData(128, 0, true, true, 1)]
    [InlineData(40, 90, true, true, 40)] // Requests that others have sent.
    public void Slots_of_vLLM_follow_its_queue(int before, int running, bool isQueueing, bool wasQueueing, int slots) =>
        Assert.Equal(slots, VllmEngine.Slots(before, running, isQueueing, wasQueueing));

    [Fact]
    public async Task Slots_that_are_set_win_over_those_that_are_reported()
    {
        await using var engine = await StubEngine.StartAsync(s_llamaServer);
        await using var gateway = await TestGateway.StartAsync(engine.Address, [.. s_quick, "--Gateway:Engines:engine:Slots=2"]);
        await UpAsync(gateway);

        Assert.Equal((3, 2), (gateway.Fleet.Instances[0].ReportedSlots, gateway.Fleet.Instances[0].LimitOf("tiny:latest", 1)));
    }

    [Fact]
    public async Task Models_that_are_not_named_are_neither_used_nor_listed()
    {
        await using var engine = await StubEngine.StartAsync(
            ("/v1/models", 200, """{"object":"list","data":[{"id":"gpt-4o"},{"id":"gpt-4o-mini"},{"id":"whisper-1"}]}"""));
        await using var gateway = await TestGateway.StartAsync(engine.Address, [.. s_quick, "--Gateway:Engines:engine:Models=gpt-4o*"]);
        await UpAsync(gateway);
        var instance = gateway.Fleet.Instances[0];

        Assert.Equal((true, true, false), (instance.Has("gpt-4o:latest"), instance.Has("gpt-4o-mini:latest"), instance.Has("whisper-1:latest")));
        Assert.Equal(
            """{"object":"list","data":[{"id":"gpt-4o"},{"id":"gpt-4o-mini"}]}""",
            await gateway.Http.GetStringAsync(new Uri("/v1/models", UriKind.Relative)));
        Assert.Equal(404, (await gateway.Http.ChatAsync("/v1/chat/completions", Ask.Body(model: "whisper-1"))).Status);
    }

    private static (string Path, int Status, string Body)[] AnswersOf(EngineKind kind) => kind switch
    {
        EngineKind.Ollama => s_ollama,
        EngineKind.LlamaServer => s_llamaServer,
        EngineKind.Vllm => s_vllm,
        _ => s_openai,
    };

    private static void Serve(StubEngine engine, (string Path, int Status, string Body)[] answers)
    {
        engine.Answers.Clear();
        foreach (var (path, status, body) in answers)
        {
            engine.Answers[path] = (status, body);
        }
    }

    private static async Task<Instance> ReadAsync(params (string Path, int Status, string Body)[] answers)
    {
        await using var engine = await StubEngine.StartAsync(answers);
        await using var gateway = await TestGateway.StartAsync(engine.Address, "--Gateway:Fleet:ProbeInterval=1h");
        await UpAsync(gateway);
        return Assert.Single(gateway.Fleet.Instances);
    }

    private static Task UpAsync(TestGateway gateway) => Wait.UntilAsync(() => Assert.True(gateway.Fleet.Instances[0].IsUp));
}
