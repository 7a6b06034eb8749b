using System.Net;
using System.Text.Json;
using System.Text.Json.Nodes;
using Hazumu.Gateway.Keys;

namespace Hazumu.Gateway.Translation;

/// <summary>Reads an engine's <c>/v1/models</c>: clients of Ollama's API spell names in Ollama's ways, and the engine wants its own.</summary>
/// <param name="ids">The ids that are known.</param>
/// <param name="get">Reads a path of the engine.</param>
/// <param name="clock">Gives the time.</param>
internal sealed class ModelReader(ModelIds ids, Func<HttpRequestMessage, CancellationToken, Task<HttpResponseMessage>> get, TimeProvider clock)
{
    private const int LargestList = 8 * 1024 * 1024;

    // A model that is not known may have come; every request for it does not read the list again.
    private static readonly TimeSpan s_pause = TimeSpan.FromSeconds(1);

    private long? _readAt;

    /// <summary>The engine's id of a model.</summary>
    /// <param name="name">The model, as a client names it.</param>
    /// <param name="request">The client's request.</param>
    /// <param name="cancellationToken">Cancels the request.</param>
    /// <returns>The id, or the client's name where the engine has no list; <see langword="null"/> where it is not in the list.</returns>
    public async ValueTask<string?> FindAsync(string name, HttpRequestMessage request, CancellationToken cancellationToken)
    {
        var key = ModelName.FullNameOf(name);
        if (ids.Find(key) is { } id)
        {
            return id;
        }

        if (_readAt is null || clock.GetElapsedTime(_readAt.Value) > s_pause)
        {
            if (await ReadAsync(request, cancellationToken) is null)
            {
                return name.EndsWith(":latest", StringComparison.Ordinal) ? name[..^":latest".Length] : name;
            }
        }

        return ids.Find(key);
    }

    /// <summary>The answer to <c>GET /v1/models</c>.</summary>
    /// <returns>The list; <see langword="null"/> where the engine does not give it now.</returns>
    public async Task<JsonArray?> ReadAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        if (await GetAsync(request, "/v1/models", cancellationToken) is not { } answer || answer.Array("data") is not { } list)
        {
            return null;
        }

        var found = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var model in list)
        {
            // An alias is as good as an id; the id of another model comes before it.
            foreach (var alias in model.Array("aliases")?.Select(alias => alias.AsText()).OfType<string>() ?? [])
            {
                found.TryAdd(ModelName.FullNameOf(alias), alias);
            }
        }

        foreach (var id in list.Select(model => model.Text("id")).OfType<string>())
        {
            found[ModelName.FullNameOf(id)] = id;
        }

        ids.Replace(found);
        _readAt = clock.GetTimestamp();
        return list;
    }

    /// <summary>Reads a document of the engine.</summary>
    /// <returns>The document; <see langword="null"/> where its status is an error.</returns>
    /// <exception cref="HttpRequestException">The engine cannot be reached, or its answer is no JSON.</exception>
    public async Task<JsonNode?> GetAsync(HttpRequestMessage request, string path, CancellationToken cancellationToken)
    {
        using var reading = new HttpRequestMessage(HttpMethod.Get, new Uri(request.RequestUri!, path)) { Headers = { Authorization = request.Headers.Authorization } };
        using var answer = await get(reading, cancellationToken);
        if (!answer.IsSuccessStatusCode)
        {
            return null;
        }

        await answer.Content.LoadIntoBufferAsync(LargestList, cancellationToken);
        try
        {
            return JsonReading.Parse(await answer.Content.ReadAsByteArrayAsync(cancellationToken));
        }
        catch (JsonException error)
        {
            throw new HttpRequestException(HttpRequestError.InvalidResponse, $"The engine's answer to GET {path} is not JSON.", error);
        }
    }
}
