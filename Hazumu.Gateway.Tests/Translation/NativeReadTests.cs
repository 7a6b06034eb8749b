using System.Net;
using Hazumu.Gateway.Translation;

namespace Hazumu.Gateway.Tests.Translation;

/// <summary>What clients of Ollama's API read of the models of llama-server.</summary>
public sealed class NativeReadTests
{
    [Fact]
    public async Task Models_are_listed_with_their_size()
    {
        var model = Assert.Single((await new RecordedEngine().DocumentAsync("GET", "/api/tags"))["models"]!.AsArray())!;

        Assert.Equal(("tiny:latest", "tiny:latest", 288256L), ((string)model["name"]!, (string)model["model"]!, (long)model["size"]!));
        Assert.Equal(("gguf", "144K", "F16"), ((string)model["details"]!["format"]!, (string)model["details"]!["parameter_size"]!, (string)model["details"]!["quantization_level"]!));
        Assert.Equal(64, ((string)model["digest"]!).Length);
    }

    [Fact]
    public async Task Models_stay_in_memory()
    {
        var model = Assert.Single((await new RecordedEngine().DocumentAsync("GET", "/api/ps"))["models"]!.AsArray())!;

        Assert.Equal(("tiny:latest", 2048), ((string)model["name"]!, (int)model["context_length"]!));
        Assert.True((DateTimeOffset)model["expires_at"]! > DateTimeOffset.UtcNow.AddYears(1));
    }

    [Fact]
    public async Task Models_that_a_router_has_not_loaded_are_listed_and_not_running()
    {
        var engine = new RecordedEngine().Answers("/v1/models", """{"data":[{"id":"Org/A.gguf","status":{"value":"unloaded"}},{"id":"b:8b","status":{"value":"loaded"}}]}""");

        Assert.Equal(["Org/A.gguf:latest", "b:8b"], (await engine.DocumentAsync("GET", "/api/tags"))["models"]!.AsArray().Select(model => (string?)model!["name"]));
        Assert.Equal(["b:8b"], (await engine.DocumentAsync("GET", "/api/ps"))["models"]!.AsArray().Select(model => (string?)model!["name"]));
    }

    [Fact]
    public async Task Model_is_shown_with_template_context_and_capabilities()
    {
        var shown = await new RecordedEngine().DocumentAsync("POST", "/api/show", """{"model":"tiny"}""");

        Assert.Contains("<tool_call>", (string?)shown["template"], StringComparison.Ordinal);
        Assert.Equal(2048, (int)shown["model_info"]!["unknown.context_length"]!);
        Assert.Equal(["completion", "tools", "thinking"], shown["capabilities"]!.AsArray().Select(capability => (string?)capability));
    }

    [Fact]
    public async Task Version_is_that_of_the_api()
    {
        var (status, _, text) = await new RecordedEngine().AskAsync("GET", "/api/version");

        Assert.Equal((200, """{"version":"0.32.15"}"""), (status, text));
    }

    [Fact]
    public async Task One_model_of_OpenAIs_list_is_found_in_the_list()
    {
        Assert.Equal("tiny", (string?)(await new RecordedEngine().DocumentAsync("GET", "/v1/models/tiny"))["id"]);

        var (status, _, text) = await new RecordedEngine().AskAsync("GET", "/v1/models/nobody");
        Assert.Equal(404, status);
        Assert.Contains("\"type\":\"not_found_error\"", text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task What_an_engine_speaks_itself_passes_byte_for_byte()
    {
        var (_, mediaType, text) = await new RecordedEngine().Streams("/v1/chat/completions", "chat.txt").AskAsync("POST", "/v1/chat/completions", """{"model":"nobody"}""");

        Assert.Equal("text/event-stream", mediaType);
        Assert.Equal(RecordedEngine.Recorded("chat.txt"), System.Text.Encoding.UTF8.GetBytes(text));
    }

    [Fact]
    public async Task Engine_whose_kind_cannot_be_found_out_yet_answers_with_its_status()
    {
        using var handler = new TranslationHandler(
            _ => ValueTask.FromException<EngineKind>(new HttpRequestException("loading", null, HttpStatusCode.ServiceUnavailable)), new(), new RecordedEngine(), TimeProvider.System);
        using var invoker = new HttpMessageInvoker(handler);
        using var request = new HttpRequestMessage(HttpMethod.Post, new Uri("http://engine:8080/api/chat"));
        using var answer = await invoker.SendAsync(request, CancellationToken.None);

        Assert.Equal(HttpStatusCode.ServiceUnavailable, answer.StatusCode);
    }

    [Theory]
    [InlineData("/api/chat")]
    [InlineData("/v1/messages")]
    public async Task Everything_passes_to_Ollama(string path)
    {
        var engine = new RecordedEngine().Answers(path, "{}");
        await engine.AskAsync("POST", path, """{"model":"x"}""", EngineKind.Ollama);

        Assert.Equal(path, Assert.Single(engine.Requests).Path);
    }
}
