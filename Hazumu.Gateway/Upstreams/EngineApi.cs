using System.Collections.Concurrent;
using System.Net;
using System.Text.Json;
using Hazumu.Gateway.Keys;

namespace Hazumu.Gateway.Upstreams;

/// <summary>Asks one engine what it is and has. Besides Ollama, a server that only has OpenAI's list of models is understood (llama.cpp's).</summary>
internal static class EngineApi
{
    // Within the time of a probe, which goes on without the rest.
    private static readonly TimeSpan s_showTimeout = TimeSpan.FromSeconds(2);

    /// <summary>What is in memory: <c>GET /api/ps</c>.</summary>
    /// <returns>The models; <see langword="null"/> where the engine has no such route.</returns>
    /// <exception cref="HttpRequestException">It cannot be reached, or answers with an error.</exception>
    /// <exception cref="JsonException">The answer is none of Ollama's.</exception>
    public static async Task<IReadOnlyList<ResidentModel>?> GetResidentAsync(Instance instance, CancellationToken cancellationToken)
    {
        using var answer = await GetAsync(instance, "/api/ps", cancellationToken);
        return answer is null ? null : [.. Models(answer).Select(model => new ResidentModel(
            NameOf(Text(model, "name") ?? Text(model, "model")),
            Number(model, "size"),
            Number(model, "size_vram"),
            Time(model, "expires_at")))];
    }

    /// <summary>What is on disk: <c>GET /api/tags</c>, else <c>GET /v1/models</c>.</summary>
    /// <exception cref="HttpRequestException">It cannot be reached, or answers with an error.</exception>
    /// <exception cref="JsonException">The answer is neither Ollama's nor OpenAI's.</exception>
    public static async Task<IReadOnlyDictionary<string, StoredModel>> GetStoredAsync(Instance instance, CancellationToken cancellationToken)
    {
        using var tags = await GetAsync(instance, "/api/tags", cancellationToken);
        using var list = tags is null ? await GetAsync(instance, "/v1/models", cancellationToken) : null;

        var models = new Dictionary<string, StoredModel>(StringComparer.Ordinal);
        foreach (var model in tags is not null ? Models(tags) : list is not null ? Models(list, "data") : [])
        {
            var name = NameOf(Text(model, "name") ?? Text(model, "id"));
            models[name] = new StoredModel(
                name, Number(model, "size"), Text(model, "digest"), Time(model, "modified_at"), !string.IsNullOrEmpty(Text(model, "remote_host")), FamilyOf(model), CompletesOf(model));
        }

        return models;
    }

    /// <summary>Adds what <c>/api/tags</c> of an older Ollama leaves out and <c>POST /api/show</c> says: whether a model generates text.</summary>
    /// <remarks>A model whose answer fails or takes too long stays unknown and is requested again the next time; the others are kept.</remarks>
    /// <param name="instance">The instance.</param>
    /// <param name="models">From <c>/api/tags</c>.</param>
    /// <param name="cancellationToken">Cancels the requests.</param>
    public static async Task<IReadOnlyDictionary<string, StoredModel>> AddCapabilitiesAsync(
        Instance instance, IReadOnlyDictionary<string, StoredModel> models, CancellationToken cancellationToken)
    {
        var known = instance.Stored;
        var shown = new ConcurrentDictionary<string, StoredModel>(models, StringComparer.Ordinal);
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(s_showTimeout);
        await Parallel.ForEachAsync(
            models.Values.Where(model => model is { Completes: null, Digest: not null, IsRemote: false }),
            new ParallelOptions { MaxDegreeOfParallelism = 4 },
            async (model, _) =>
            {
                if (known?.TryGetValue(model.Name, out var before) == true && before.Digest == model.Digest && before.IsShown)
                {
                    shown[model.Name] = model with { Completes = before.Completes, IsShown = true };
                    return;
                }

                try
                {
                    shown[model.Name] = model with { Completes = await ShowsCompletionAsync(instance, model.Name, limit.Token), IsShown = true };
                }
                catch (Exception error) when (error is HttpRequestException or JsonException or IOException or OperationCanceledException)
                {
                    // One broken or slow model says nothing of the instance's health.
                }
            });
        return shown;
    }

    private static async Task<bool?> ShowsCompletionAsync(Instance instance, string model, CancellationToken cancellationToken)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, new Uri(instance.Url, "/api/show")) { Content = JsonContent.Create(new Dictionary<string, string> { ["model"] = model }) };
        using var response = await instance.Raw.SendAsync(request, cancellationToken);
        if (!response.IsSuccessStatusCode)
        {
            // Its files are broken, or it has just gone: a request for it gets the engine's own answer.
            return null;
        }

        await using var body = await response.Content.ReadAsStreamAsync(cancellationToken);
        using var document = await JsonDocument.ParseAsync(body, cancellationToken: cancellationToken);
        return CompletesOf(document.RootElement);
    }

    /// <summary>The version: <c>GET /api/version</c>.</summary>
    /// <returns>The version; <see langword="null"/> if the engine does not report it.</returns>
    /// <exception cref="HttpRequestException">It cannot be reached, or answers with an error.</exception>
    public static async Task<string?> GetVersionAsync(Instance instance, CancellationToken cancellationToken)
    {
        using var answer = await GetAsync(instance, "/api/version", cancellationToken);
        return answer is null ? null : Text(answer.RootElement, "version");
    }

    /// <summary>Reads a document of the engine itself.</summary>
    /// <returns>The document; <see langword="null"/> where the engine has no such route.</returns>
    /// <exception cref="HttpRequestException">It cannot be reached, or answers with an error.</exception>
    /// <exception cref="JsonException">The answer is no JSON.</exception>
    private static Task<JsonDocument?> GetAsync(Instance instance, string path, CancellationToken cancellationToken) =>
        GetAsync(instance.Raw, new HttpRequestMessage(HttpMethod.Get, new Uri(instance.Url, path)), cancellationToken);

    /// <summary>Reads a document for a client.</summary>
    /// <param name="instance">Where from.</param>
    /// <param name="path">The path.</param>
    /// <param name="requestId">The id of the client's request that this is part of.</param>
    /// <param name="cancellationToken">Cancels the request.</param>
    /// <returns>The document; <see langword="null"/> where the engine has no such route.</returns>
    /// <exception cref="HttpRequestException">It cannot be reached, or answers with an error.</exception>
    /// <exception cref="JsonException">The answer is no JSON.</exception>
    public static Task<JsonDocument?> GetAsync(Instance instance, string path, string requestId, CancellationToken cancellationToken)
    {
        var request = new HttpRequestMessage(HttpMethod.Get, new Uri(instance.Url, path));
        request.Headers.Add(GatewayHeaders.RequestId, requestId);
        return GetAsync(instance.Client, request, cancellationToken);
    }

    private static async Task<JsonDocument?> GetAsync(HttpMessageInvoker client, HttpRequestMessage request, CancellationToken cancellationToken)
    {
        using var sent = request;
        using var response = await client.SendAsync(request, cancellationToken);
        if (response.StatusCode is HttpStatusCode.NotFound or HttpStatusCode.MethodNotAllowed or HttpStatusCode.NotImplemented)
        {
            return null;
        }

        response.EnsureSuccessStatusCode();
        await using var body = await response.Content.ReadAsStreamAsync(cancellationToken);
        return await JsonDocument.ParseAsync(body, cancellationToken: cancellationToken);
    }

    private static IEnumerable<JsonElement> Models(JsonDocument document, string property = "models") =>
        document.RootElement.ValueKind == JsonValueKind.Object && document.RootElement.TryGetProperty(property, out var models)
            ? models.ValueKind == JsonValueKind.Array ? models.EnumerateArray().Where(model => model.ValueKind == JsonValueKind.Object)
            : models.ValueKind == JsonValueKind.Null ? [] : throw new JsonException($"'{property}' is no list.")
            : throw new JsonException($"There is no '{property}'.");

    private static string? FamilyOf(JsonElement model) => model.TryGetProperty("details", out var details) ? Text(details, "family") : null;

    private static bool? CompletesOf(JsonElement model) => model.ValueKind == JsonValueKind.Object && model.TryGetProperty("capabilities", out var all) && all.ValueKind == JsonValueKind.Array
        ? all.EnumerateArray().Any(capability => capability.ValueKind == JsonValueKind.String && capability.GetString() == "completion")
        : null;

    private static string NameOf(string? name) => ModelName.Normalise(name) ?? name ?? "";

    private static string? Text(JsonElement element, string property) =>
        element.ValueKind == JsonValueKind.Object && element.TryGetProperty(property, out var value) && value.ValueKind == JsonValueKind.String ? value.GetString() : null;

    private static DateTimeOffset Time(JsonElement element, string property) =>
        element.TryGetProperty(property, out var value) && value.ValueKind == JsonValueKind.String && value.TryGetDateTimeOffset(out var time) ? time : default;

    private static long Number(JsonElement element, string property) =>
        element.TryGetProperty(property, out var value) && value.ValueKind == JsonValueKind.Number && value.TryGetInt64(out var number) ? number : 0;
}
