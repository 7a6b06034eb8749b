using Hazumu.Gateway.Admission;
using Hazumu.Gateway.Configuration;
using Hazumu.Gateway.Keys;
using Hazumu.Gateway.Names;
using Hazumu.Gateway.Pipeline.Operations;
using Hazumu.Gateway.Streams;
using Hazumu.Gateway.Usage;

namespace Hazumu.Gateway.Pipeline.Requests;

/// <summary>
/// The state of one request: set while it is handled, read at its end by metrics, trace and access log. Each member has
/// one writer.
/// </summary>
/// <remarks>Times are timestamps of <see cref="Clock"/>; zero if that point was not reached.</remarks>
internal sealed class GatewayRequest
{
    private readonly TimeProvider _clock = TimeProvider.System;
    private string? _instance;
    private EngineKind? _engine;
    private StreamFacts _facts;

    /// <summary>The clock that the request is timed by.</summary>
    public TimeProvider Clock
    {
        get => _clock;
        init => (_clock, Started) = (value, value.GetTimestamp());
    }

    // Set when the request is received.

    /// <summary>The requested operation.</summary>
    public required Operation Operation { get; init; }

    /// <summary>The request itself, which is to be used only while it runs; <see langword="null"/> if it did not come in by the pipeline.</summary>
    public HttpContext? Context { get; init; }

    /// <summary>The id by which the client, the log and the engine name the request; empty if it has none.</summary>
    public string Id { get; init; } = "";

    /// <summary>When the request's headers were here.</summary>
    public long Started { get; private init; } = TimeProvider.System.GetTimestamp();

    // Set by authentication.

    /// <summary>The caller.</summary>
    public Caller Caller { get; set; } = Caller.Anonymous;

    /// <summary>Why the request is refused, if its credentials are the reason.</summary>
    public Refusal Refusal { get; set; }

    // Set when the end user is named: once, by NameEndUser.

    /// <summary>
    /// The person behind the key whose request it is, as the key or token names them, or a keyed hash of that name;
    /// <see langword="null"/> if none is named. Anything up to <see cref="EndUsers.LongestName"/> characters: never a
    /// label of a metric.
    /// </summary>
    public string? EndUser { get; set; }

    /// <summary>The party that takes turns in the queue: the caller, or each of its end users.</summary>
    public string Turn => EndUsers.IdOf(Caller.Name, EndUser);

    // Set when it is counted.

    /// <summary>Whether the limits of its caller have allowed it: then it is usage, whatever becomes of it.</summary>
    public bool IsCounted { get; set; }

    /// <summary>The budget that refuses it, or a shadow budget that would; <see langword="null"/> where there is none.</summary>
    public BudgetState? ExceededBudget { get; set; }

    // Set when the priority is read.

    /// <summary>Its priority in the queue.</summary>
    public Priority Priority { get; set; } = Priority.Normal;

    // Set when the head is read.

    /// <summary>The model, as the client named it.</summary>
    public string? Model { get; set; }

    /// <summary>The model by the full name under which instances have it, <c>llama3.2:latest</c>; <see langword="null"/> exactly if there is no model.</summary>
    public string? FullModel { get; set; }

    /// <summary>
    /// The models that serve the name, of those that the caller may use; <see langword="null"/> where only the model of
    /// this name does.
    /// </summary>
    public NamedChain? Chain { get; set; }

    /// <summary>Whether the client wants a stream, by word or by the dialect's default.</summary>
    public bool WantsStream { get; set; }

    /// <summary>
    /// Keeps its client's connection alive until the stream begins; <see langword="null"/> where that is off.
    /// </summary>
    public KeepAlive? KeepAlive { get; set; }

    /// <summary>Whether the gateway requests the usage where the client does not: that event is taken out again.</summary>
    public bool AddedUsage { get; set; }

    /// <summary>
    /// A hash that identifies a conversation, of its session or of its prompt's beginning; zero if there is none.
    /// </summary>
    public ulong Affinity { get; set; }

    /// <summary>Time spent waiting for the client's body.</summary>
    public long BodyWait { get; set; }

    /// <summary>Bytes of the client's body.</summary>
    public long RequestBytes { get; set; }

    // Set by admission.

    /// <summary>The place in the queue when it joined, from 1; zero if it did not wait.</summary>
    public int QueuePosition { get; set; }

    /// <summary>Time spent in the queue, in all attempts.</summary>
    public long QueueWait { get; set; }

    // Set when it is sent.

    /// <summary>The model that serves it; <see langword="null"/> where it is the one that the client named.</summary>
    public ChainModel? Served { get; set; }

    /// <summary>Why the model before that one in its chain does not serve it.</summary>
    public FallbackReason Fallback { get; set; }

    // Set by attempts.

    /// <summary>The instance that answered, or was tried last; <see langword="null"/> if it had no part in how the request ended.</summary>
    public string? Instance
    {
        get => ExemptsInstance ? null : _instance;
        set => _instance = value;
    }

    /// <summary>What program that instance is; <see langword="null"/> if there is none, or it has never answered.</summary>
    public EngineKind? Engine
    {
        get => ExemptsInstance ? null : _engine;
        set => _engine = value;
    }

    /// <summary>Whether the model was not in that instance's memory.</summary>
    public bool IsCold { get; set; }

    /// <summary>Attempts so far; each but the first is a retry.</summary>
    public int Attempts { get; set; }

    /// <summary>When the last attempt was handed to the forwarder.</summary>
    public long Sent { get; set; }

    /// <summary>When the engine's response headers came.</summary>
    public long HeadersReceived { get; set; }

    /// <summary>When the first byte of the engine's body came.</summary>
    public long FirstByte { get; set; }

    /// <summary>When the last byte of the engine's body came.</summary>
    public long LastByte { get; set; }

    /// <summary>Bytes of the answer's body that the client got.</summary>
    public long ResponseBytes { get; set; }

    /// <summary>Chunks that the answer's body came in.</summary>
    public int Chunks { get; set; }

    /// <summary>The facts that were read in the answer.</summary>
    public ref StreamFacts Facts => ref _facts;

    /// <summary>Time spent in attempts that failed before the last one, and in pauses between them.</summary>
    public long RetryWait { get; set; }

    // Set when the request is completed.

    /// <summary>How it ended.</summary>
    public Outcome Outcome { get; set; }

    /// <summary>The status that the client got.</summary>
    public int StatusCode { get; set; }

    /// <summary>Whether the instance that was tried had no part in how the request ended.</summary>
    public bool ExemptsInstance { get; set; }

    // Set when the request is recorded.

    /// <summary>When it ended.</summary>
    public long Ended { get; set; }

    /// <summary>
    /// Tokens of the answer that count for the key: those that the engine reported at the end, else one for each event that was streamed.
    /// </summary>
    /// <remarks>The engine reports its count in the last event, which a client that hangs up before it does not wait for.</remarks>
    public long CountedOutputTokens => _facts is { IsComplete: true, HasUsage: true } || !WantsStream || Operation.Handling != Handling.Infer
        ? _facts.OutputTokens
        : Math.Max(_facts.OutputTokens, _facts.HasError ? _facts.Events - 1 : _facts.Events);

    /// <summary>
    /// The model by the full name under which instances have it: the one that serves the request, once that is known.
    /// </summary>
    public string? ServedFullName => Served?.FullName ?? FullModel;

    /// <summary>A span between two times, in seconds; zero if it is negative.</summary>
    public double Seconds(long ticks) => Math.Max(ticks, 0) / (double)Clock.TimestampFrequency;

    /// <summary>An attempt is handed to the forwarder.</summary>
    public void BeginAttempt(string? instance, bool isCold)
    {
        (Instance, IsCold, Sent) = (instance, isCold, Clock.GetTimestamp());
        Attempts++;
    }
}
