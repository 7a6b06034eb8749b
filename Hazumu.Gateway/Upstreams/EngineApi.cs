using System.Net;
using System.Net.Mime;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Hazumu.Gateway.Keys;

namespace Hazumu.Gateway.Upstreams;

/// <summary>Reads documents of an engine. The implementations of <see cref="IEngine"/> interpret them.</summary>
internal static class EngineApi
{
    // Enough for any engine's metrics or list of models.
    private const int LargestAnswer = 8 * 1024 * 1024;

    /// <summary>Reads a document, to find out whether the engine has it.</summary>
    /// <returns>
    /// The document; <see langword="null"/> where the engine has no such route, which 400, 404, 405, 501, or 200 and a page say.
    /// </returns>
    /// <remarks>
    /// 401 and 403 do not: SGLang (python/sglang/srt/utils/auth.py), llama-server (tools/server/server-http.cpp) and vLLM for <c>/v1</c>
    /// (vllm/entrypoints/serve/middleware/authenticate.py) check the key before the route, and answer 404 to one that is right. LM Studio
    /// answers any route with 200 (https://github.com/lmstudio-ai/lmstudio-bug-tracker/issues/1323).
    /// </remarks>
    /// <exception cref="HttpRequestException">It cannot be reached, does not serve yet, or refuses the gateway.</exception>
    public static async Task<JsonDocument?> FindAsync(Instance instance, string path, CancellationToken cancellationToken)
    {
        using var response = await SendAsync(instance, path, cancellationToken);
        if (response.StatusCode is HttpStatusCode.BadRequest || IsMissing(response))
        {
            return null;
        }

        try
        {
            await CheckAsync(response, path, cancellationToken);
        }
        catch (HttpRequestException error) when (error.StatusCode is HttpStatusCode.Unauthorized or HttpStatusCode.Forbidden)
        {
            throw new HttpRequestException($"{error.Message}; set the engine's KeyFile, or its Kind", error, error.StatusCode);
        }

        try
        {
            return await ParseAsync(response, cancellationToken);
        }
        catch (JsonException)
        {
            return null;
        }
    }

    /// <summary>Reads a document.</summary>
    /// <returns>The document; <see langword="null"/> where the engine has no such route.</returns>
    /// <exception cref="HttpRequestException">It cannot be reached, or answers with an error.</exception>
    /// <exception cref="JsonException">The answer is no JSON.</exception>
    public static async Task<JsonDocument?> GetAsync(Instance instance, string path, CancellationToken cancellationToken)
    {
        using var response = await SendAsync(instance, path, cancellationToken);
        return await ReadAsync(response, path, cancellationToken);
    }

    /// <summary>Reads a document for a client.</summary>
    /// <param name="instance">The instance.</param>
    /// <param name="path">The path.</param>
    /// <param name="requestId">The id of the client's request that this is part of.</param>
    /// <param name="cancellationToken">Cancels the request.</param>
    /// <returns>The document; <see langword="null"/> where the engine has no such route.</returns>
    /// <exception cref="HttpRequestException">It cannot be reached, or answers with an error.</exception>
    /// <exception cref="JsonException">The answer is no JSON.</exception>
    public static async Task<JsonDocument?> GetAsync(Instance instance, string path, string requestId, CancellationToken cancellationToken)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, new Uri(instance.Url, path));
        request.Headers.Add(GatewayHeaders.RequestId, requestId);
        using var response = await instance.Client.SendAsync(request, cancellationToken);
        return await ReadAsync(response, path, cancellationToken);
    }

    /// <summary>Sends a document, and reads the answer.</summary>
    /// <exception cref="HttpRequestException">It cannot be reached, or answers with an error.</exception>
    /// <exception cref="JsonException">The answer is no JSON.</exception>
    public static async Task<JsonDocument> PostAsync(Instance instance, string path, JsonObject document, CancellationToken cancellationToken)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, new Uri(instance.Url, path))
        {
            Content = new StringContent(document.ToJsonString(), Encoding.UTF8, MediaTypeNames.Application.Json),
        };
        using var response = await instance.Raw.SendAsync(request, cancellationToken);
        await CheckAsync(response, path, cancellationToken);
        return await ParseAsync(response, cancellationToken);
    }

    /// <summary>Reads a text, such as metrics.</summary>
    /// <returns>The text; <see langword="null"/> where the engine has no such route.</returns>
    /// <exception cref="HttpRequestException">It cannot be reached, or answers with an error.</exception>
    public static async Task<string?> GetTextAsync(Instance instance, string path, CancellationToken cancellationToken)
    {
        using var response = await SendAsync(instance, path, cancellationToken);
        if (IsMissing(response))
        {
            return null;
        }

        await CheckAsync(response, path, cancellationToken);
        await response.Content.LoadIntoBufferAsync(LargestAnswer, cancellationToken);
        return await response.Content.ReadAsStringAsync(cancellationToken);
    }

    /// <summary>The objects of a list.</summary>
    /// <exception cref="JsonException">There is no such list.</exception>
    public static IEnumerable<JsonElement> Models(JsonDocument document, string property) =>
        document.RootElement.ValueKind == JsonValueKind.Object && document.RootElement.TryGetProperty(property, out var models)
            ? models.ValueKind == JsonValueKind.Array ? models.EnumerateArray().Where(model => model.ValueKind == JsonValueKind.Object)
            : models.ValueKind == JsonValueKind.Null ? [] : throw new JsonException($"'{property}' is no list.")
            : throw new JsonException($"There is no '{property}'.");

    /// <summary>A model's name in its normal form; as it is written where it has none.</summary>
    public static string NameOf(string? name) => name is null ? "" : ModelName.FullNameOf(name);

    /// <summary>A property that is a text.</summary>
    public static string? Text(JsonElement element, string property) =>
        Find(element, property, JsonValueKind.String)?.GetString();

    /// <summary>A property that is a list of texts.</summary>
    public static IReadOnlyList<string>? Texts(JsonElement element, string property) => Find(element, property, JsonValueKind.Array) is { } all
        ? [.. all.EnumerateArray().Where(item => item.ValueKind == JsonValueKind.String).Select(item => item.GetString()!)]
        : null;

    /// <summary>A property that is a whole number.</summary>
    public static long? Number(JsonElement element, string property) =>
        Find(element, property, JsonValueKind.Number) is { } value && value.TryGetInt64(out var number) ? number : null;

    /// <summary>A property that is a time; the smallest value where there is none.</summary>
    public static DateTimeOffset Time(JsonElement element, string property) =>
        Find(element, property, JsonValueKind.String) is { } value && value.TryGetDateTimeOffset(out var time) ? time : default;

    private static JsonElement? Find(JsonElement element, string property, JsonValueKind kind) =>
        element.ValueKind == JsonValueKind.Object && element.TryGetProperty(property, out var value) && value.ValueKind == kind ? value : null;

    private static async Task<HttpResponseMessage> SendAsync(Instance instance, string path, CancellationToken cancellationToken)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, new Uri(instance.Url, path));
        return await instance.Raw.SendAsync(request, cancellationToken);
    }

    private static async Task<JsonDocument?> ReadAsync(HttpResponseMessage response, string path, CancellationToken cancellationToken)
    {
        if (IsMissing(response))
        {
            return null;
        }

        await CheckAsync(response, path, cancellationToken);
        return await ParseAsync(response, cancellationToken);
    }

    private static bool IsMissing(HttpResponseMessage response) =>
        response.StatusCode is HttpStatusCode.NotFound or HttpStatusCode.MethodNotAllowed or HttpStatusCode.NotImplemented;

    private static async Task<JsonDocument> ParseAsync(HttpResponseMessage response, CancellationToken cancellationToken)
    {
        await using var body = await response.Content.ReadAsStreamAsync(cancellationToken);
        return await JsonDocument.ParseAsync(body, cancellationToken: cancellationToken);
    }

    // An engine says why: that it loads its model, or that the key is wrong.
    private static async Task CheckAsync(HttpResponseMessage response, string path, CancellationToken cancellationToken)
    {
        if (response.IsSuccessStatusCode)
        {
            return;
        }

        string? reason = null;
        try
        {
            using var document = await ParseAsync(response, cancellationToken);
            reason = Find(document.RootElement, "error", JsonValueKind.Object) is { } error ? Text(error, "message") : Text(document.RootElement, "error");
        }
        catch (Exception error) when (error is JsonException or IOException)
        {
            // The status must do.
        }

        var status = $"it answers {path} with {(int)response.StatusCode}";
        throw new HttpRequestException(reason is { Length: > 0 and < 200 } ? $"{status}: {reason}" : status, null, response.StatusCode);
    }
}
