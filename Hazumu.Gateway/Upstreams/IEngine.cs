namespace Hazumu.Gateway.Upstreams;

/// <summary>How the state of one kind of engine is read. A type has no state of its own: what it has read is kept by the instance.</summary>
internal interface IEngine
{
    /// <summary>The kind.</summary>
    EngineKind Kind { get; }

    /// <summary>Whether the program at an instance's address is of this kind, by a route that only this kind has.</summary>
    /// <exception cref="HttpRequestException">It cannot be reached, or does not serve yet.</exception>
    Task<bool> IsAtAsync(Instance instance, CancellationToken cancellationToken);

    /// <summary>Probes an instance, and reads what changes from probe to probe.</summary>
    /// <exception cref="HttpRequestException">It cannot be reached, or does not serve.</exception>
    /// <exception cref="System.Text.Json.JsonException">The answer is none of this kind's.</exception>
    Task<EngineState> ProbeAsync(Instance instance, CancellationToken cancellationToken);

    /// <summary>Reads which models an instance has.</summary>
    /// <exception cref="HttpRequestException">It cannot be reached, or answers with an error.</exception>
    /// <exception cref="System.Text.Json.JsonException">The answer is none of this kind's.</exception>
    Task<IReadOnlyDictionary<string, StoredModel>> GetModelsAsync(Instance instance, CancellationToken cancellationToken);
}

/// <summary>A kind of engine that loads, unloads and pulls models on request. Others have theirs in memory for as long as they run.</summary>
internal interface IModelLoader
{
    /// <summary>Loads a model, or changes how long one stays that is loaded.</summary>
    /// <param name="instance">Where.</param>
    /// <param name="model">The model's name.</param>
    /// <param name="keepFor">How long it stays when it is not used; <see langword="null"/> for always, zero to unload it.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <exception cref="HttpRequestException">It cannot be reached, or answers with an error.</exception>
    /// <exception cref="System.Text.Json.JsonException">The answer is no JSON.</exception>
    Task LoadAsync(Instance instance, string model, TimeSpan? keepFor, CancellationToken cancellationToken);

    /// <summary>Pulls a model from its registry.</summary>
    /// <exception cref="HttpRequestException">It cannot be reached, or answers with an error.</exception>
    /// <exception cref="System.Text.Json.JsonException">The answer is no JSON.</exception>
    Task PullAsync(Instance instance, string model, CancellationToken cancellationToken);
}

/// <summary>The result of a probe.</summary>
/// <param name="Version">The program's version; <see langword="null"/> where it reports none.</param>
/// <param name="Resident">The models in memory; <see langword="null"/> if all its models are always in memory.</param>
/// <param name="Slots">The requests that it runs at the same time with one model; <see langword="null"/> if it does not
/// report the number.</param>
/// <param name="IsQueueing">Whether requests wait inside the engine.</param>
internal sealed record EngineState(
    string? Version, IReadOnlyList<ResidentModel>? Resident = null, int? Slots = null, bool IsQueueing = false);

/// <summary>The kinds of engines.</summary>
internal static class EngineKinds
{
    // In the order of detection: any of them may have OpenAI's routes.
    private static readonly IEngine[] s_all = [new OllamaEngine(), new LlamaServerEngine(), new VllmEngine(), new OpenaiEngine()];

    /// <summary>The engine of a kind.</summary>
    public static IEngine Of(EngineKind kind) => Array.Find(s_all, engine => engine.Kind == kind)!;

    /// <summary>Finds out of which kind the program at an instance's address is.</summary>
    /// <exception cref="HttpRequestException">It cannot be reached, or does not serve yet.</exception>
    public static async Task<EngineKind> DetectAsync(Instance instance, CancellationToken cancellationToken)
    {
        foreach (var engine in s_all)
        {
            if (await engine.IsAtAsync(instance, cancellationToken))
            {
                return engine.Kind;
            }
        }

        throw new HttpRequestException("it is not a known kind of engine");
    }
}
