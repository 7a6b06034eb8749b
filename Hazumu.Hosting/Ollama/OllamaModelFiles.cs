using System.Net;
using System.Net.Http.Json;
using System.Security.Cryptography;

namespace Hazumu.Hosting.Ollama;

/// <summary>Imports a model's file into Ollama: its bytes as a blob, and a model that refers to it.</summary>
internal static class OllamaModelFiles
{
    /// <summary>Imports a file; a second time nothing is uploaded.</summary>
    /// <param name="http">A client whose base address is Ollama's, without a timeout.</param>
    /// <param name="model">The model.</param>
    /// <param name="cancellationToken">Cancels the import.</param>
    /// <exception cref="HttpRequestException">Ollama cannot be reached, or does not take the file; the message has Ollama's words.</exception>
    public static async Task ImportAsync(HttpClient http, ModelFile model, CancellationToken cancellationToken)
    {
        await using var file = File.OpenRead(model.Path);
        var digest = $"sha256:{Convert.ToHexStringLower(await SHA256.HashDataAsync(file, cancellationToken))}";
        var blob = new Uri($"api/blobs/{digest}", UriKind.Relative);
        using var known = await http.SendAsync(new HttpRequestMessage(HttpMethod.Head, blob), cancellationToken);
        if (known.StatusCode == HttpStatusCode.NotFound)
        {
            file.Position = 0;
            using var contents = new StreamContent(file);
            using var upload = await http.PostAsync(blob, contents, cancellationToken);
            await EnsureSuccessAsync(upload, cancellationToken);
        }

        using var create = await http.PostAsJsonAsync(
            new Uri("api/create", UriKind.Relative),
            new { model = model.Name, files = new Dictionary<string, string> { [Path.GetFileName(model.Path)] = digest }, stream = false },
            cancellationToken);
        await EnsureSuccessAsync(create, cancellationToken);
    }

    private static async Task EnsureSuccessAsync(HttpResponseMessage answer, CancellationToken cancellationToken)
    {
        if (!answer.IsSuccessStatusCode)
        {
            throw new HttpRequestException($"Ollama answers {(int)answer.StatusCode}: {(await answer.Content.ReadAsStringAsync(cancellationToken)).Trim()}");
        }
    }
}
