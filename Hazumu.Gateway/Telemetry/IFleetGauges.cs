namespace Hazumu.Gateway.Telemetry;

/// <summary>
/// The fleet for metrics. The collections are read at each scrape, on any thread; the look-ups at each request's end.
/// </summary>
internal interface IFleetGauges
{
    /// <summary>Every instance that is known, also one that is down.</summary>
    IEnumerable<InstanceGauge> Instances { get; }

    /// <summary>Slots of every instance and model that has some.</summary>
    IEnumerable<SlotGauge> Slots { get; }

    /// <summary>Requests that wait, per model.</summary>
    IEnumerable<QueueGauge> Queues { get; }

    /// <summary>Every model in an instance's memory.</summary>
    IEnumerable<ResidentModelGauge> ResidentModels { get; }

    /// <summary>Every instance and model whose version is older than another instance's.</summary>
    IEnumerable<StaleModelGauge> StaleModels { get; }

    /// <summary>Every model that is kept in memory, and on how many instances it is missing.</summary>
    IEnumerable<PinnedModelGauge> PinnedModels { get; }

    /// <summary>Whether this gateway admits for all; true where it is the only one.</summary>
    bool Admits { get; }

    /// <summary>Other gateways that are connected.</summary>
    int Peers { get; }

    /// <summary>The full name under which an instance has a model, <c>llama3.2:latest</c>; null where none has it.</summary>
    /// <param name="name">The model, as a client names it: <c>llama3.2</c>.</param>
    string? FindModel(string name);
}

/// <summary>State of an instance.</summary>
/// <param name="Instance">Its name.</param>
/// <param name="IsUp">Whether its last probe was answered.</param>
/// <param name="Circuit">0 closed, 1 half-open, 2 open.</param>
/// <param name="Kind">The program that it is; <see langword="null"/> until that is known.</param>
/// <param name="Version">The program's version; <see langword="null"/> where it reports none.</param>
internal readonly record struct InstanceGauge(string Instance, bool IsUp, int Circuit, string? Kind = null, string? Version = null);

/// <summary>Slots of an instance and model.</summary>
/// <param name="Instance">The instance's name.</param>
/// <param name="Model">The model's full name.</param>
/// <param name="Used">Slots that are held.</param>
/// <param name="Total">All slots.</param>
internal readonly record struct SlotGauge(string Instance, string Model, int Used, int Total);

/// <summary>The queue for a model.</summary>
/// <param name="Model">The model's full name.</param>
/// <param name="Waiting">Requests in it.</param>
internal readonly record struct QueueGauge(string Model, int Waiting);

/// <summary>
/// A model in an instance's memory. Values that an engine does not report are <see langword="null"/>.
/// </summary>
/// <param name="Instance">The instance's name.</param>
/// <param name="Model">The model's full name.</param>
/// <param name="SizeBytes">All memory it takes.</param>
/// <param name="VramBytes">GPU memory; less than all if the model runs partly on the CPU.</param>
/// <param name="ExpiresAt">The time at which it is unloaded if it is not requested.</param>
/// <param name="ContextTokens">Tokens that a prompt and its answer may have together.</param>
internal readonly record struct ResidentModelGauge(
    string Instance, string Model, long? SizeBytes, long? VramBytes, DateTimeOffset? ExpiresAt, long? ContextTokens = null);

/// <summary>A model whose version at an instance is older than at another.</summary>
/// <param name="Instance">The instance's name.</param>
/// <param name="Model">The model's full name.</param>
internal readonly record struct StaleModelGauge(string Instance, string Model);

/// <summary>A model that is kept in memory.</summary>
/// <param name="Model">The model's full name.</param>
/// <param name="Missing">On how many instances it is to be and is not.</param>
internal readonly record struct PinnedModelGauge(string Model, int Missing);
