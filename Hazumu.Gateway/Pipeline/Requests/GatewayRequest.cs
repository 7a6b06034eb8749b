using System.Diagnostics;
using Hazumu.Gateway.Keys;
using Hazumu.Gateway.Pipeline.Operations;
using Hazumu.Gateway.Streams;

namespace Hazumu.Gateway.Pipeline.Requests;

/// <summary>
/// What is known of one request: made at the door, filled on the way, read at the end by metrics, trace and access log.
/// Times are <see cref="Stopwatch"/> ticks; zero where that point was not reached.
/// </summary>
internal sealed class GatewayRequest
{
    /// <summary>What is asked for.</summary>
    public required Operation Operation { get; init; }

    /// <summary>The id by which the client, the log and the engine name it; empty where it was not given one.</summary>
    public string Id { get; init; } = "";

    /// <summary>Who asks.</summary>
    public Caller Caller { get; set; } = Caller.Anonymous;

    /// <summary>Why the request is refused, if its credentials are the reason.</summary>
    public Refusal Refusal { get; set; }

    /// <summary>The model, as the client named it.</summary>
    public string? Model { get; set; }

    /// <summary>Whether the client asked for a stream, by word or by the dialect's default.</summary>
    public bool WantsStream { get; set; }

    /// <summary>Whether the gateway asked for usage where the client had not: that event is taken out again.</summary>
    public bool AddedUsage { get; set; }

    /// <summary>What ties requests of one conversation together: a hash of its session or of its prompt's beginning; zero where there is none.</summary>
    public ulong Affinity { get; set; }

    /// <summary>The instance that answered, or was tried last.</summary>
    public string? Instance { get; set; }

    /// <summary>Whether the model was not in that instance's memory.</summary>
    public bool IsCold { get; set; }

    /// <summary>Attempts made; each but the first is a retry.</summary>
    public int Attempts { get; set; }

    /// <summary>The place in the queue when it joined, from 1; zero where it did not wait.</summary>
    public int QueuePosition { get; set; }

    /// <summary>When the request's headers were here.</summary>
    public long Started { get; } = Stopwatch.GetTimestamp();

    /// <summary>Ticks spent waiting for the client's body.</summary>
    public long BodyWait { get; set; }

    /// <summary>Ticks spent in the queue, over all attempts.</summary>
    public long QueueWait { get; set; }

    /// <summary>Ticks spent in attempts that failed before the last one, and in pauses between them.</summary>
    public long RetryWait { get; set; }

    /// <summary>When the last attempt was handed to the forwarder.</summary>
    public long Sent { get; set; }

    /// <summary>When the engine's response headers came.</summary>
    public long HeadersReceived { get; set; }

    /// <summary>When the first byte of the engine's body came.</summary>
    public long FirstByte { get; set; }

    /// <summary>When the last byte of the engine's body came.</summary>
    public long LastByte { get; set; }

    /// <summary>When it was over.</summary>
    public long Ended { get; set; }

    /// <summary>Bytes of the client's body.</summary>
    public long RequestBytes { get; set; }

    /// <summary>Bytes of the answer's body that the client got.</summary>
    public long ResponseBytes { get; set; }

    /// <summary>Pieces that the answer's body came in.</summary>
    public int Chunks { get; set; }

    /// <summary>The status that the client got.</summary>
    public int StatusCode { get; set; }

    /// <summary>How it ended.</summary>
    public Outcome Outcome { get; set; }

    /// <summary>What the tap has read.</summary>
    public ref StreamFacts Facts => ref _facts;

    /// <summary>
    /// Tokens of the answer that count for the key: those that the engine reported at the end, else one for each event that was streamed.
    /// </summary>
    /// <remarks>The engine reports its count in the last event, which a client that hangs up before it does not wait for.</remarks>
    public long CountedOutputTokens => _facts is { IsComplete: true, HasUsage: true } || !WantsStream || Operation.Handling != Handling.Infer
        ? _facts.OutputTokens
        : Math.Max(_facts.OutputTokens, _facts.HasError ? _facts.Events - 1 : _facts.Events);

    private StreamFacts _facts;
}
