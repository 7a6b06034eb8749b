using Hazumu.Gateway.Pipeline.Requests;
using Hazumu.Gateway.Upstreams;

namespace Hazumu.Gateway.Console;

/// <summary>What the gateway did at one time.</summary>
/// <param name="Time">When.</param>
/// <param name="IsAdmitting">Whether this gateway admits; another one then knows slots and queue.</param>
/// <param name="TokensPerSecond">Tokens of all answers, for each time that they were counted.</param>
/// <param name="Engines">The engines.</param>
/// <param name="Queues">The queues.</param>
/// <param name="Requests">The requests that run or wait, the oldest first.</param>
internal sealed record LiveState(
    DateTimeOffset Time,
    bool IsAdmitting,
    IReadOnlyList<double> TokensPerSecond,
    IReadOnlyList<LiveEngine> Engines,
    IReadOnlyList<LiveQueue> Queues,
    IReadOnlyList<LiveRequest> Requests)
{
    /// <summary>Requests that wait.</summary>
    public int Waiting => Queues.Sum(queue => queue.Waiting);
}

/// <summary>An engine.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Kind">The program that it is; <see langword="null"/> until that is known.</param>
/// <param name="Version">Its version.</param>
/// <param name="IsUp">Whether its last probe was answered; <see langword="null"/> until there was one.</param>
/// <param name="Circuit">Whether it gets requests.</param>
/// <param name="Models">The models in its memory.</param>
internal sealed record LiveEngine(
    string Name, EngineKind? Kind, string? Version, bool? IsUp, CircuitState Circuit, IReadOnlyList<LiveModel> Models)
{
    /// <summary>Slots that are held.</summary>
    public int Used => Models.Sum(model => model.Used);

    /// <summary>Slots of the models in memory.</summary>
    public int Slots => Models.Sum(model => model.Slots);

    /// <summary>Bytes of GPUs' memory that its models take; <see langword="null"/> where the engine does not say.</summary>
    public long? Vram => Models.Any(model => model.Vram is not null) ? Models.Sum(model => model.Vram ?? 0) : null;

    /// <summary>Copies an engine. The fleet's lock is held.</summary>
    public static LiveEngine Of(Instance instance, int parallel) => new(
        instance.Name,
        instance.Kind,
        instance.Version,
        instance.IsUp,
        instance.Circuit.State,
        [.. instance.Slots.Values
            .Where(slots => slots.IsResident || slots.IsLoading || (slots.InUse > 0 && instance.Has(slots.Model) != false))
            .OrderBy(slots => slots.Model, StringComparer.Ordinal)
            .Select(slots => new LiveModel(
                slots.Model, slots.Resident?.Size, slots.Resident?.SizeVram, slots.InUse, instance.LimitOf(slots.Model, parallel), slots.IsLoading))]);
}

/// <summary>A model in an engine's memory, or on its way there.</summary>
/// <param name="Name">Its full name.</param>
/// <param name="Size">Bytes in all; <see langword="null"/> where the engine does not say.</param>
/// <param name="Vram">Bytes in GPUs' memory; <see langword="null"/> where the engine does not say.</param>
/// <param name="Used">Slots that are held.</param>
/// <param name="Slots">All slots.</param>
/// <param name="IsLoading">Whether it is being loaded.</param>
internal sealed record LiveModel(string Name, long? Size, long? Vram, int Used, int Slots, bool IsLoading);

/// <summary>The queue for a model.</summary>
/// <param name="Model">Its full name.</param>
/// <param name="Waiting">Requests in it.</param>
/// <param name="Seconds">How long the last of them is expected to wait; <see langword="null"/> if that is not known.</param>
internal sealed record LiveQueue(string Model, int Waiting, double? Seconds);

/// <summary>What a request waits for.</summary>
internal enum LivePhase
{
    /// <summary>A slot.</summary>
    Queue,

    /// <summary>Its model.</summary>
    Load,

    /// <summary>The first token.</summary>
    Prefill,

    /// <summary>The last token.</summary>
    Decode,
}

/// <summary>A request that runs or waits.</summary>
/// <param name="Source">The request.</param>
/// <param name="Phase">What it waits for.</param>
/// <param name="Position">Its place in the queue when it joined; zero if it did not wait.</param>
/// <param name="Seconds">Since when it is here.</param>
/// <param name="Tokens">Tokens of its answer so far.</param>
/// <param name="TokensPerSecond">Tokens per second since the first; <see langword="null"/> before the second, or where nothing is streamed.</param>
internal sealed record LiveRequest(GatewayRequest Source, LivePhase Phase, int Position, double Seconds, long Tokens, double? TokensPerSecond)
{
    /// <summary>Copies a request while it runs.</summary>
    public static LiveRequest Of(GatewayRequest request)
    {
        var now = request.Clock.GetTimestamp();
        var (sent, first, tokens) = (request.Sent, request.FirstByte, request.CountedOutputTokens);
        var phase = sent == 0 ? LivePhase.Queue
            : first != 0 ? LivePhase.Decode
            : request.IsCold ? LivePhase.Load
            : LivePhase.Prefill;
        var decoding = first == 0 ? 0 : request.Seconds(now - first);
        return new(
            request,
            phase,
            request.QueuePosition,
            request.Seconds(now - request.Started),
            tokens,
            tokens > 1 && decoding > 0 ? (tokens - 1) / decoding : null);
    }
}
