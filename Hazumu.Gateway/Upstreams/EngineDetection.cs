using System.Text.Json;

namespace Hazumu.Gateway.Upstreams;

/// <summary>Finds out what program an engine is, by routes that only that program has.</summary>
internal static class EngineDetection
{
    /// <summary>Asks the engine.</summary>
    /// <exception cref="HttpRequestException">It cannot be reached, loads still, or is none of the kinds that are known.</exception>
    public static async Task<EngineKind> DetectAsync(Instance instance, CancellationToken cancellationToken)
    {
        if (await AnswersAsync(instance, "/api/version", HasVersion, cancellationToken))
        {
            return EngineKind.Ollama;
        }

        if (await AnswersAsync(instance, "/props", IsOfLlamaServer, cancellationToken))
        {
            return EngineKind.LlamaServer;
        }

        return await AnswersAsync(instance, "/version", HasVersion, cancellationToken)
                && await AnswersAsync(instance, "/v1/models", IsOfVllm, cancellationToken)
            ? EngineKind.Vllm
            : EngineKind.Openai;
    }

    private static bool HasVersion(JsonElement answer) =>
        answer.TryGetProperty("version", out var version) && version.ValueKind == JsonValueKind.String;

    private static bool IsOfLlamaServer(JsonElement answer) =>
        answer.TryGetProperty("total_slots", out var slots) && slots.ValueKind == JsonValueKind.Number;

    private static bool IsOfVllm(JsonElement answer) =>
        answer.TryGetProperty("data", out var models) && models.ValueKind == JsonValueKind.Array
            && models.EnumerateArray().Any(model => model.ValueKind == JsonValueKind.Object
                && model.TryGetProperty("owned_by", out var owner)
                && owner.ValueKind == JsonValueKind.String
                && owner.ValueEquals("vllm"));

    // Servers of OpenAI's API differ in how they refuse a route that they do not have: with any status below 500, or with 200 and a page.
    private static async Task<bool> AnswersAsync(
        Instance instance, string path, Func<JsonElement, bool> isExpected, CancellationToken cancellationToken)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, new Uri(instance.Url, path));
        using var response = await instance.Raw.SendAsync(request, cancellationToken);
        if ((int)response.StatusCode is (>= 400 and < 500) or 501)
        {
            return false;
        }

        response.EnsureSuccessStatusCode();
        try
        {
            await using var body = await response.Content.ReadAsStreamAsync(cancellationToken);
            using var document = await JsonDocument.ParseAsync(body, cancellationToken: cancellationToken);
            return document.RootElement.ValueKind == JsonValueKind.Object && isExpected(document.RootElement);
        }
        catch (JsonException)
        {
            return false;
        }
    }
}
