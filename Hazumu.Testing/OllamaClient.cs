using System.Net.Http.Json;
using System.Text.Json;
using Hazumu.Hosting.LlamaServer;

namespace Hazumu.Testing;

/// <summary>The part of Ollama's API that the tests use (https://github.com/ollama/ollama/blob/main/docs/api.md).</summary>
/// <param name="http">A client.</param>
/// <param name="address">The server.</param>
public sealed class OllamaClient(HttpClient http, Uri address)
{
    /// <summary>The name that the tests give <see cref="TinyModel"/> in Ollama.</summary>
    public const string TinyModelName = "hazumu-tiny:latest";

    /// <summary>Uploads <see cref="TinyModel"/>; does nothing where Ollama has it.</summary>
    public async Task CreateTinyModelAsync()
    {
        using var blob = new ByteArrayContent(TinyModel.File);
        using var upload = await http.PostAsync(new Uri(address, $"api/blobs/{TinyModel.Digest}"), blob);
        upload.EnsureSuccessStatusCode();

        using var create = await http.PostAsJsonAsync(new Uri(address, "api/create"), new
        {
            model = OllamaClient.TinyModelName,
            files = new Dictionary<string, string> { ["tiny.gguf"] = TinyModel.Digest },
            parameters = new { num_ctx = 512, num_predict = 24 },
            stream = false,
        });
        if (!create.IsSuccessStatusCode)
        {
            throw new InvalidOperationException($"Ollama did not create the model: {await create.Content.ReadAsStringAsync()}");
        }
    }

    /// <summary>The names of the models on disk.</summary>
    public async Task<IReadOnlyList<string>> ListModelsAsync()
    {
        var tags = await http.GetFromJsonAsync<JsonElement>(new Uri(address, "api/tags"));
        return [.. tags.GetProperty("models").EnumerateArray().Select(model => model.GetProperty("name").GetString()!)];
    }

    /// <summary>The names of the models in memory.</summary>
    public async Task<IReadOnlyList<string>> ListLoadedAsync()
    {
        var loaded = await http.GetFromJsonAsync<JsonElement>(new Uri(address, "api/ps"));
        return [.. loaded.GetProperty("models").EnumerateArray().Select(model => model.GetProperty("name").GetString()!)];
    }

    /// <summary>Generates and returns the stream's objects, each as it came.</summary>
    /// <param name="prompt">The prompt.</param>
    public async Task<IReadOnlyList<JsonElement>> GenerateAsync(string prompt)
    {
        var stream = await PostAsync("api/generate", new { model = OllamaClient.TinyModelName, prompt, options = new { num_predict = 24 } });
        return [.. stream.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => JsonSerializer.Deserialize<JsonElement>(line))];
    }

    /// <summary>Posts a request and returns the body of the answer as it is.</summary>
    /// <param name="path">The operation's path.</param>
    /// <param name="body">The body, as JSON.</param>
    public async Task<string> PostAsync(string path, object body)
    {
        using var response = await http.PostAsJsonAsync(new Uri(address, path), body);
        var answer = await response.Content.ReadAsStringAsync();
        return response.IsSuccessStatusCode ? answer : throw new InvalidOperationException($"{path} answers {(int)response.StatusCode}: {answer}");
    }
}
