using Hazumu.Hosting.LlamaServer;
using Hazumu.Hosting.Ollama;
using Hazumu.Hosting.Settings;
using Hazumu.Tests.ServiceDefaults;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;

namespace Hazumu.Tests.Model;

/// <summary>Models by file: which settings name one, the test model, and the import into Ollama.</summary>
public sealed class ModelFileTests : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("hazumu-model-");

    public void Dispose() => _folder.Delete(recursive: true);

    [Theory]
    [InlineData("/srv/models/qwen3.gguf", true)]
    [InlineData("models/qwen3.GGUF", true)]
    [InlineData("C:\\models\\qwen3.gguf", true)]
    [InlineData("qwen3:0.6b", false)]
    [InlineData("hf.co/bartowski/Llama-3.2-3B-Instruct-GGUF:Llama-3.2-3B-Instruct-IQ3_M.gguf", false)]
    public void Path_is_told_from_a_name(string model, bool isPath) => Assert.Equal(isPath, ModelFile.IsPath(model));

    [Fact]
    public void Test_model_is_the_same_file_everywhere()
    {
        Assert.Equal("GGUF"u8, TinyModel.File.AsSpan(0, 4));
        Assert.Equal("sha256:563ee0104ade02d735949fad34e1b0330c8ff7e69a3a5184d3cca4b4fc0f9666", TinyModel.Digest);
    }

    [Fact]
    public async Task File_is_imported_into_Ollama_and_uploaded_once()
    {
        var requests = new List<string>();
        var blobs = new Dictionary<string, byte[]>();
        await using var ollama = await LocalServer.StartPlainAsync(app =>
        {
            app.MapMethods("/api/blobs/{digest}", ["HEAD"], (string digest) => blobs.ContainsKey(digest) ? Results.Ok() : Results.NotFound());
            app.MapPost("/api/blobs/{digest}", async (string digest, HttpRequest request) =>
            {
                using var body = new MemoryStream();
                await request.Body.CopyToAsync(body);
                blobs.Add(digest, body.ToArray());
                return Results.Created();
            });
            app.MapPost("/api/create", async (HttpRequest request) =>
            {
                using var reader = new StreamReader(request.Body);
                requests.Add(await reader.ReadToEndAsync());
                return Results.Ok();
            });
        });
        var model = WriteModel();

        await OllamaModelFiles.ImportAsync(ollama.Client, model, CancellationToken.None);
        await OllamaModelFiles.ImportAsync(ollama.Client, model, CancellationToken.None);

        var (digest, contents) = Assert.Single(blobs);
        Assert.Equal(TinyModel.Digest, digest);
        Assert.Equal(TinyModel.File, contents);
        Assert.Equal(2, requests.Count);
        Assert.All(requests, request => Assert.Equal($$"""{"model":"own","files":{"own.gguf":"{{TinyModel.Digest}}"},"stream":false}""", request));
    }

    [Fact]
    public async Task Refused_import_has_the_words_of_Ollama()
    {
        await using var ollama = await LocalServer.StartPlainAsync(app =>
        {
            app.MapMethods("/api/blobs/{digest}", ["HEAD"], (string _) => Results.Ok());
            app.MapPost("/api/create", () => Results.Text("{\"error\":\"unsupported architecture\"}", statusCode: 400));
        });

        var problem = await Assert.ThrowsAsync<HttpRequestException>(() => OllamaModelFiles.ImportAsync(ollama.Client, WriteModel(), CancellationToken.None));

        Assert.Equal("Ollama answers 400: {\"error\":\"unsupported architecture\"}", problem.Message);
    }

    private ModelFile WriteModel()
    {
        var file = Path.Combine(_folder.FullName, "own.gguf");
        File.WriteAllBytes(file, TinyModel.File);
        return ModelFile.Find(file, _folder.FullName);
    }
}
