using System.Text.Json;

namespace Hazumu.Gateway.Upstreams;

/// <summary>
/// llama.cpp's server: with one model, which is in memory from its start, or as a router that loads models on demand. A server with one
/// model reports its slots (<c>--parallel</c>); a router does not.
/// </summary>
/// <remarks>
/// Source: https://github.com/ggml-org/llama.cpp/blob/master/tools/server/README.md: <c>GET /health</c> is 503 while the model is loaded,
/// as every other route is; <c>GET /props</c> has <c>total_slots</c> and <c>build_info</c>, of a router <c>role</c>;
/// <c>GET /v1/models</c> has <c>meta.n_ctx</c> and <c>aliases</c>, of a router <c>status.value</c>.
/// </remarks>
internal sealed class LlamaServerEngine : IEngine
{
    /// <inheritdoc/>
    public EngineKind Kind => EngineKind.LlamaServer;

    /// <inheritdoc/>
    public async Task<bool> IsAtAsync(Instance instance, CancellationToken cancellationToken)
    {
        using var answer = await EngineApi.FindAsync(instance, "/props", cancellationToken);
        return answer is not null
            && (EngineApi.Number(answer.RootElement, "total_slots") is not null || EngineApi.Text(answer.RootElement, "role") == "router");
    }

    /// <inheritdoc/>
    public async Task<EngineState> ProbeAsync(Instance instance, CancellationToken cancellationToken)
    {
        (await EngineApi.GetAsync(instance, "/health", cancellationToken))?.Dispose();
        using var props = await EngineApi.GetAsync(instance, "/props", cancellationToken)
            ?? throw new HttpRequestException("it has no /props");
        var slots = EngineApi.Number(props.RootElement, "total_slots");
        var isRouter = EngineApi.Text(props.RootElement, "role") == "router";
        return new(
            EngineApi.Text(props.RootElement, "build_info"),
            await GetResidentAsync(instance, isRouter, cancellationToken),
            isRouter ? null : (int?)slots);
    }

    /// <inheritdoc/>
    public async Task<IReadOnlyDictionary<string, StoredModel>> GetModelsAsync(Instance instance, CancellationToken cancellationToken)
    {
        using var list = await EngineApi.GetAsync(instance, "/v1/models", cancellationToken)
            ?? throw new HttpRequestException("it has no /v1/models");
        var capabilities = list.RootElement.TryGetProperty("models", out _)
            ? EngineApi.Models(list, "models").ToLookup(model => EngineApi.Text(model, "name"), model => EngineApi.Texts(model, "capabilities"))
            : null;
        return EngineApi.Models(list, "data")
            .SelectMany(model => Ids(model).Select((id, index) => (IsAlias: index > 0, Model: new StoredModel(
                EngineApi.NameOf(id),
                MetaOf(model, "size") ?? 0,
                Capabilities: capabilities?[EngineApi.Text(model, "id")].FirstOrDefault(),
                Id: id))))
            // The id of another model comes before an alias.
            .OrderBy(named => named.IsAlias)
            .Select(named => named.Model)
            .DistinctBy(model => model.Name)
            .ToDictionary(model => model.Name, StringComparer.Ordinal);
    }

    private static async Task<IReadOnlyList<ResidentModel>> GetResidentAsync(Instance instance, bool isRouter, CancellationToken cancellationToken)
    {
        using var list = await EngineApi.GetAsync(instance, "/v1/models", cancellationToken)
            ?? throw new HttpRequestException("it has no /v1/models");
        return [.. EngineApi.Models(list, "data")
            .Where(model => !isRouter || (model.TryGetProperty("status", out var status) && EngineApi.Text(status, "value") == "loaded"))
            .SelectMany(model => Ids(model).Select(id => new ResidentModel(
                EngineApi.NameOf(id), MetaOf(model, "size"), ContextLength: MetaOf(model, "n_ctx"))))
            .DistinctBy(model => model.Name)];
    }

    private static IEnumerable<string?> Ids(JsonElement model) =>
        [EngineApi.Text(model, "id"), .. EngineApi.Texts(model, "aliases") ?? []];

    private static long? MetaOf(JsonElement model, string name) =>
        model.TryGetProperty("meta", out var meta) ? EngineApi.Number(meta, name) : null;
}
