using System.Text.Json;
using Hazumu.Gateway.Tests.Streams;
using Hazumu.Gateway.Upstreams;
using Hazumu.Mocks;
using Hazumu.Testing;

namespace Hazumu.Gateway.Tests.Serving;

/// <summary>What changes a model, with several instances behind the gateway.</summary>
public sealed class FleetManagementTests
{
    [Fact]
    public async Task Pull_updates_every_instance_that_holds_the_model()
    {
        await using var engines = await Two.StartAsync();

        var answer = await engines.Gateway.Http.AnswerAsync(HttpMethod.Post, "/api/pull", """{"model":"mock"}""");

        Assert.Equal((200, "a, b"), (answer.Status, answer.Instance));
        Assert.All((MockEngine[])[engines.A, engines.B], engine => Assert.Single(engine.Requests, request => request.Path == "/api/pull"));
        Assert.Equal("success", Lines(answer)[^1].GetProperty("status").GetString());
    }

    [Theory]
    [InlineData(false, 1)]
    [InlineData(true, 2)]
    public async Task Pull_of_a_new_model_goes_to_one_instance_or_to_all(bool everywhere, int expected)
    {
        await using var engines = await Two.StartAsync($"--Gateway:Fleet:PullEverywhere={everywhere}");

        var answer = await engines.Gateway.Http.AnswerAsync(HttpMethod.Post, "/api/pull", """{"model":"new"}""");

        Assert.Equal(200, answer.Status);
        Assert.Equal(expected, ((MockEngine[])[engines.A, engines.B]).Count(engine => engine.Models.Contains("new:latest")));
    }

    [Theory]
    [InlineData("/api/pull", "mock")]
    [InlineData("/api/pull", "new")]
    [InlineData("/api/generate", "mock")]
    public async Task Ollama_alone_has_its_models_managed(string path, string model)
    {
        await using var ollama = await MockEngine.StartAsync();
        await using var other = await MockEngine.StartAsync(new() { SpeaksOpenAIOnly = true });
        await using var gateway = await TestGateway.StartAsync([("other", other.Address), ("ollama", ollama.Address)], "--Gateway:Fleet:PullEverywhere=true");

        // The one without a prompt takes the model out of memory.
        var answer = await gateway.Http.AnswerAsync(HttpMethod.Post, path, $$"""{"model":"{{model}}","keep_alive":0}""");

        Assert.Equal((200, "ollama"), (answer.Status, answer.Instance));
    }

    [Fact]
    public async Task Pull_names_the_instance_that_failed_and_those_that_are_done()
    {
        await using var engines = await Two.StartAsync();
        engines.B.Inject(new MockFault(MockFaultKind.Status) { Status = 500, Message = "no space left on device", Path = "/api/pull" });

        var lines = Lines(await engines.Gateway.Http.AnswerAsync(HttpMethod.Post, "/api/pull", """{"model":"mock"}"""));

        Assert.Equal("Failed at 'b': no space left on device. Done at 'a'. Repeat the request.", lines[^1].GetProperty("error").GetString());
        Assert.DoesNotContain(lines, line => line.TryGetProperty("status", out var status) && status.ValueEquals("success"));
    }

    [Fact]
    public async Task Not_streamed_pull_that_fails_at_one_instance_is_an_error()
    {
        await using var engines = await Two.StartAsync();
        engines.B.Inject(new MockFault(MockFaultKind.Status) { Status = 500, Message = "no space left on device", Path = "/api/pull" });

        var answer = await engines.Gateway.Http.AnswerAsync(HttpMethod.Post, "/api/pull", """{"model":"mock","stream":false}""");

        Assert.Equal((500, """{"error":"Failed at 'b': no space left on device. Done at 'a'. Repeat the request."}"""), (answer.Status, answer.Text));
    }

    [Fact]
    public async Task Copy_and_create_act_where_the_base_is()
    {
        await using var engines = await Two.StartAsync();

        Assert.Equal(200, (await engines.Gateway.Http.AnswerAsync(HttpMethod.Post, "/api/copy", """{"source":"mock","destination":"copied"}""")).Status);
        Assert.Equal(200, (await engines.Gateway.Http.AnswerAsync(HttpMethod.Post, "/api/create", """{"model":"made","from":"mock"}""")).Status);

        Assert.All((MockEngine[])[engines.A, engines.B], engine => Assert.Equal(["copied:latest", "made:latest"], engine.Models.Intersect(["copied:latest", "made:latest"])));
    }

    [Fact]
    public async Task Create_from_a_base_at_one_instance_acts_there_alone()
    {
        await using var engines = await Two.StartAsync();
        engines.B.Options = engines.B.Options with { Models = [new MockModel("mock"), new MockModel("base")] };

        await engines.Gateway.Http.AnswerAsync(HttpMethod.Post, "/api/create", """{"model":"made","from":"base"}""");

        Assert.DoesNotContain("made:latest", engines.A.Models);
        Assert.Contains("made:latest", engines.B.Models);
    }

    [Fact]
    public async Task Blob_goes_to_every_instance_and_is_there_once_all_have_it()
    {
        await using var engines = await Two.StartAsync();
        var content = new string('x', 300_000);
        var blob = $"/api/blobs/sha256:{Convert.ToHexStringLower(System.Security.Cryptography.SHA256.HashData(System.Text.Encoding.UTF8.GetBytes(content)))}";

        using (var direct = TestGateway.Client(engines.A.Address))
        {
            Assert.Equal(201, (await direct.AnswerAsync(HttpMethod.Post, blob, content)).Status);
        }

        Assert.Equal(404, (await engines.Gateway.Http.AnswerAsync(HttpMethod.Head, blob)).Status);
        Assert.Equal(201, (await engines.Gateway.Http.AnswerAsync(HttpMethod.Post, blob, content)).Status);
        Assert.Equal(200, (await engines.Gateway.Http.AnswerAsync(HttpMethod.Head, blob)).Status);
    }

    [Fact]
    public async Task Unload_reaches_every_instance_that_has_the_model_in_memory()
    {
        await using var engines = await Two.StartAsync();
        await engines.A.LoadAsync("mock");
        await engines.B.LoadAsync("mock");

        var answer = await engines.Gateway.Http.AnswerAsync(HttpMethod.Post, "/api/generate", """{"model":"mock","keep_alive":0}""");

        Assert.Equal(200, answer.Status);
        Assert.Contains("\"done_reason\":\"unload\"", answer.Text, StringComparison.Ordinal);
        Assert.Empty(engines.A.LoadedModels.Concat(engines.B.LoadedModels));
    }

    [Fact]
    public async Task Model_created_at_an_instance_directly_is_listed_and_deleted_at_once()
    {
        await using var engines = await Two.StartAsync("--Gateway:Fleet:ModelsInterval=1h");
        engines.B.Options = engines.B.Options with { Models = [new MockModel("mock"), new MockModel("behind")] };

        // The instances are asked for a name that nobody knows once a second.
        await Wait.UntilAsync(async () => Assert.Equal(200, (await engines.Gateway.Http.AnswerAsync(HttpMethod.Post, "/api/show", """{"model":"behind"}""")).Status));

        engines.A.Options = engines.A.Options with { Models = [new MockModel("mock"), new MockModel("behind")] };
        Assert.Equal(200, (await engines.Gateway.Http.AnswerAsync(HttpMethod.Delete, "/api/delete", """{"model":"behind"}""")).Status);
        Assert.DoesNotContain("behind:latest", engines.A.Models.Concat(engines.B.Models));
    }

    [Fact]
    public async Task Unload_at_a_named_instance_leaves_the_model_at_the_others()
    {
        await using var engines = await Two.StartAsync();
        await engines.A.LoadAsync("mock");
        await engines.B.LoadAsync("mock");

        Assert.Equal(200, await UnloadAsync("b"));
        Assert.Equal((1, 0), (engines.A.LoadedModels.Count, engines.B.LoadedModels.Count));
        Assert.Equal(400, await UnloadAsync("c"));

        async Task<int> UnloadAsync(string instance)
        {
            using var request = new HttpRequestMessage(HttpMethod.Post, new Uri("/api/generate", UriKind.Relative)) { Content = new StringContent("""{"model":"mock","keep_alive":0}""") };
            request.Headers.Add("Hazumu-Instance", instance);
            using var answer = await engines.Gateway.Http.SendAsync(request);
            return (int)answer.StatusCode;
        }
    }

    [Theory]
    [InlineData("/api/pull", """{"model":"mock","stream":false}""")]
    [InlineData("/api/blobs/sha256:2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881", "x")]
    public async Task Instance_that_stays_silent_is_named_as_failed(string path, string body)
    {
        await using var engines = await Two.StartAsync("--Gateway:Timeouts:Management=500ms");
        engines.B.Inject(new MockFault(MockFaultKind.HangBeforeHeaders) { Duration = TimeSpan.FromMinutes(1), Path = path, BeforeBody = true });

        var answer = await engines.Gateway.Http.AnswerAsync(HttpMethod.Post, path, body);

        Assert.Equal((502, """{"error":"Failed at 'b': it was silent for 00:00:00.5000000. Done at 'a'. Repeat the request."}"""), (answer.Status, answer.Text));
    }

    [Fact]
    public async Task Model_whose_details_do_not_come_leaves_the_instance_up()
    {
        await using var engine = await MockEngine.StartAsync(new MockEngineOptions { TagsTellCapabilities = false, Models = [new MockModel("mock"), new MockModel("embed") { Embeds = true }] });
        engine.Inject(new MockFault(MockFaultKind.ResetBeforeResponse) { Path = "/api/show", Model = "mock:latest" });
        await using var gateway = await TestGateway.StartAsync(engine.Address, "--Gateway:Fleet:ProbeInterval=1h");

        var instance = Assert.Single(gateway.Fleet.Instances);
        Assert.True(instance.IsUp);
        Assert.Equal((null, false), (instance.Stored!["mock:latest"].Completes, instance.Stored["embed:latest"].Completes));

        await gateway.Service<FleetMonitor>().RefreshStoredAsync(CancellationToken.None, isForced: true);
        Assert.False(instance.Stored["embed:latest"].Completes);
        Assert.Equal(1, engine.Requests.Count(request => request is { Path: "/api/show", Model: "embed:latest" }));
        Assert.True(engine.Requests.Count(request => request is { Path: "/api/show", Model: "mock:latest" }) > 1);
    }

    [Theory]
    [InlineData("/api/tags", "models", "name")]
    [InlineData("/v1/models", "data", "id")]
    public async Task Merged_list_has_the_newest_model_first(string path, string list, string name)
    {
        await using var engines = await Two.StartAsync();
        engines.A.Options = engines.A.Options with { Models = [Aged("old", 3), Aged("newest", 1)] };
        engines.B.Options = engines.B.Options with { Models = [Aged("middle", 2)] };

        var answer = await engines.Gateway.Http.AnswerAsync(HttpMethod.Get, path);

        Assert.Equal(
            ["newest:latest", "middle:latest", "old:latest"],
            JsonSerializer.Deserialize<JsonElement>(answer.Text).GetProperty(list).EnumerateArray().Select(model => model.GetProperty(name).GetString()));
    }

    [Fact]
    public async Task Instance_with_an_old_version_gets_no_requests_until_it_is_the_only_one()
    {
        await using var engines = await Two.StartAsync();
        engines.A.Options = engines.A.Options with { Models = [Aged("mock", 2) with { Digest = new string('1', 64) }] };
        engines.B.Options = engines.B.Options with { Models = [Aged("mock", 1) with { Digest = new string('2', 64) }] };
        await engines.Gateway.Service<FleetMonitor>().RefreshStoredAsync(CancellationToken.None, isForced: true);

        var answers = await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => engines.Gateway.Http.ChatAsync()));

        Assert.All(answers, answer => Assert.Equal((200, "b"), (answer.Status, answer.Instance)));
        Assert.Equal(1, engines.Gateway.Measured.Now("hazumu.gateway.model.stale"));

        await engines.B.KillAsync();
        Assert.Equal((200, "a"), await engines.Gateway.Http.ChatAsync() is var last ? (last.Status, last.Instance) : default);
    }

    [Fact]
    public async Task Operation_for_a_named_instance_changes_that_one_alone()
    {
        await using var engines = await Two.StartAsync();
        using var request = new HttpRequestMessage(HttpMethod.Delete, new Uri("/api/delete", UriKind.Relative)) { Content = new StringContent("""{"model":"mock"}""") };
        request.Headers.Add("Hazumu-Instance", "b");

        using var answer = await engines.Gateway.Http.SendAsync(request);

        Assert.True(answer.IsSuccessStatusCode);
        Assert.Equal((true, false), (engines.A.Models.Contains("mock:latest"), engines.B.Models.Contains("mock:latest")));
    }

    private static MockModel Aged(string name, int days) => new(name) { ModifiedAt = new DateTimeOffset(2026, 11, 1, 0, 0, 0, TimeSpan.Zero).AddDays(-days) };

    private static List<JsonElement> Lines(ChatAnswer answer) =>
        [.. answer.Text.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => JsonSerializer.Deserialize<JsonElement>(line))];
}
