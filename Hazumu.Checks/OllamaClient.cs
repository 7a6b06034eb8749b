using System.Net.Http.Json;
using System.Text.Json;

namespace Hazumu.Checks;

/// <summary>The part of Ollama's API that the tests use (https://github.com/ollama/ollama/blob/main/docs/api.md).</summary>
/// <param name="http">A client.</param>
/// <param name="address">The server.</param>
public sealed class OllamaClient(HttpClient http, Uri address)
{
    /// <summary>Uploads <see cref="TinyModel"/>; does nothing where Ollama has it.</summary>
    public async Task CreateTinyModelAsync()
    {
        using var blob = new ByteArrayContent(TinyModel.File);
        using var upload = await http.PostAsync(new Uri(address, $"api/blobs/{TinyModel.Digest}"), blob);
        upload.EnsureSuccessStatusCode();

        using var create = await http.PostAsJsonAsync(new Uri(address, "api/create"), new
        {
            model = TinyModel.Name,
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

    /// <summary>Generates and returns the stream's objects, each as it came.</summary>
    /// <param name="prompt">The prompt.</param>
    public async Task<IReadOnlyList<JsonElement>> GenerateAsync(string prompt)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, new Uri(address, "api/generate"))
        {
            Content = JsonContent.Create(new { model = TinyModel.Name, prompt }),
        };
        using var response = await http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead);
        using var reader = new StreamReader(await response.Content.ReadAsStreamAsync());

        var objects = new List<JsonElement>();
        while (await reader.ReadLineAsync() is { } line)
        {
            objects.Add(JsonSerializer.Deserialize<JsonElement>(line));
        }

        return objects;
    }
}
