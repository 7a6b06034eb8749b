using System.Collections.Concurrent;
using System.Text.Json;
using System.Text.Json.Nodes;
using Hazumu.Gateway.Keys;

namespace Hazumu.Gateway.Upstreams;

/// <summary>Ollama. Its slots are set by OLLAMA_NUM_PARALLEL, which it does not report.</summary>
/// <remarks>Source: https://github.com/ollama/ollama/blob/v0.32.15/docs/api.md.</remarks>
internal sealed class OllamaEngine : IEngine, IModelLoader
{
    // Within the time of a probe, which goes on without the rest.
    private static readonly TimeSpan s_showTimeout = TimeSpan.FromSeconds(2);

    /// <inheritdoc/>
    public EngineKind Kind => EngineKind.Ollama;

    /// <inheritdoc/>
    public async Task<bool> IsAtAsync(Instance instance, CancellationToken cancellationToken)
    {
        using var answer = await EngineApi.FindAsync(instance, "/api/version", cancellationToken);
        return answer is not null && EngineApi.Text(answer.RootElement, "version") is not null;
    }

    /// <inheritdoc/>
    public async Task<EngineState> ProbeAsync(Instance instance, CancellationToken cancellationToken)
    {
        using var answer = await EngineApi.GetAsync(instance, "/api/ps", cancellationToken);
        IReadOnlyList<ResidentModel>? resident = answer is null ? null : [.. EngineApi.Models(answer, "models").Select(model => new ResidentModel(
            EngineApi.NameOf(EngineApi.Text(model, "name") ?? EngineApi.Text(model, "model")),
            EngineApi.Number(model, "size") ?? 0,
            EngineApi.Number(model, "size_vram") ?? 0,
            EngineApi.Time(model, "expires_at"),
            EngineApi.Number(model, "context_length")))];
        return new(await GetVersionAsync(instance, cancellationToken), resident);
    }

    /// <inheritdoc/>
    public async Task<IReadOnlyDictionary<string, StoredModel>> GetModelsAsync(Instance instance, CancellationToken cancellationToken)
    {
        using var tags = await EngineApi.GetAsync(instance, "/api/tags", cancellationToken)
            ?? throw new HttpRequestException("it has no /api/tags");
        var models = new Dictionary<string, StoredModel>(StringComparer.Ordinal);
        foreach (var model in EngineApi.Models(tags, "models"))
        {
            var name = EngineApi.NameOf(EngineApi.Text(model, "name"));
            models[name] = new StoredModel(
                name,
                EngineApi.Number(model, "size") ?? 0,
                EngineApi.Text(model, "digest"),
                EngineApi.Time(model, "modified_at"),
                !string.IsNullOrEmpty(EngineApi.Text(model, "remote_host")),
                model.TryGetProperty("details", out var details) ? EngineApi.Text(details, "family") : null,
                EngineApi.Texts(model, "capabilities"));
        }

        return await AddCapabilitiesAsync(instance, models, cancellationToken);
    }

    /// <inheritdoc/>
    /// <remarks>
    /// A request without a prompt. One for <c>/api/generate</c> is refused for a model that only embeds (<c>server/routes.go</c>).
    /// Requests that do not say how long the model is to stay leave that as it is (<c>server/sched.go</c>, <c>useLoadedRunner</c>).
    /// </remarks>
    public async Task LoadAsync(Instance instance, string model, TimeSpan? keepFor, CancellationToken cancellationToken)
    {
        var embeds = instance.Stored?.GetValueOrDefault(ModelName.FullNameOf(model))?.Completes == false;
        var request = new JsonObject
        {
            ["model"] = model,
            ["keep_alive"] = keepFor is { } time ? (long)Math.Ceiling(time.TotalSeconds) : -1,
            ["stream"] = false,
        };
        if (embeds)
        {
            request["input"] = new JsonArray();
        }

        using var answer = await EngineApi.PostAsync(instance, embeds ? "/api/embed" : "/api/generate", request, cancellationToken);
    }

    /// <inheritdoc/>
    public async Task PullAsync(Instance instance, string model, CancellationToken cancellationToken)
    {
        var request = new JsonObject { ["model"] = model, ["stream"] = false };
        using var answer = await EngineApi.PostAsync(instance, "/api/pull", request, cancellationToken);
    }

    // Of a process that has been up since the last probe, the version is known.
    private static async Task<string?> GetVersionAsync(Instance instance, CancellationToken cancellationToken)
    {
        if (instance is { IsUp: true, Version: { } known })
        {
            return known;
        }

        using var answer = await EngineApi.GetAsync(instance, "/api/version", cancellationToken);
        return answer is null ? null : EngineApi.Text(answer.RootElement, "version");
    }

    // Adds what /api/tags of an older Ollama leaves out. A model whose answer fails or takes too long stays unknown and is requested again
    // the next time; the others are kept.
    private static async Task<IReadOnlyDictionary<string, StoredModel>> AddCapabilitiesAsync(
        Instance instance, Dictionary<string, StoredModel> models, CancellationToken cancellationToken)
    {
        var known = instance.Stored;
        var shown = new ConcurrentDictionary<string, StoredModel>(models, StringComparer.Ordinal);
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(s_showTimeout);
        await Parallel.ForEachAsync(
            models.Values.Where(model => model is { Capabilities: null, Digest: not null, IsRemote: false }),
            new ParallelOptions { MaxDegreeOfParallelism = 4 },
            async (model, _) =>
            {
                if (known?.TryGetValue(model.Name, out var before) == true && before.Digest == model.Digest && before.IsShown)
                {
                    shown[model.Name] = model with { Capabilities = before.Capabilities, IsShown = true };
                    return;
                }

                try
                {
                    shown[model.Name] = model with { Capabilities = await ShowCapabilitiesAsync(instance, model.Name, limit.Token), IsShown = true };
                }
                catch (Exception error) when (error is HttpRequestException or JsonException or IOException or OperationCanceledException)
                {
                    // One broken or slow model says nothing of the instance's health.
                }
            });
        return shown;
    }

    private static async Task<IReadOnlyList<string>?> ShowCapabilitiesAsync(Instance instance, string model, CancellationToken cancellationToken)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, new Uri(instance.Url, "/api/show"))
        {
            Content = JsonContent.Create(new Dictionary<string, string> { ["model"] = model }),
        };
        using var response = await instance.Raw.SendAsync(request, cancellationToken);
        if (!response.IsSuccessStatusCode)
        {
            // Its files are broken, or it has just gone: a request for it gets the engine's own answer.
            return null;
        }

        await using var body = await response.Content.ReadAsStreamAsync(cancellationToken);
        using var document = await JsonDocument.ParseAsync(body, cancellationToken: cancellationToken);
        return EngineApi.Texts(document.RootElement, "capabilities");
    }
}
