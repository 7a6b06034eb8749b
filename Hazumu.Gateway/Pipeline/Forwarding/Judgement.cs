using System.Net;
using Hazumu.Gateway.Admission;
using Hazumu.Gateway.Pipeline.Requests;
using Hazumu.Gateway.Streams;
using Yarp.ReverseProxy.Forwarder;

namespace Hazumu.Gateway.Pipeline.Forwarding;

/// <summary>How an attempt ended. <see cref="Judgement"/> says what follows from it.</summary>
internal enum AttemptEnd
{
    /// <summary>The engine's answer went to the client, whole.</summary>
    Answered,

    /// <summary>The engine answered 503; nothing was sent to the client, and another instance is tried.</summary>
    Busy,

    /// <summary>
    /// The engine answered that it lacks the model or failed with it; nothing was sent to the client, and another model
    /// is tried.
    /// </summary>
    Declined,

    /// <summary>The engine's stream ended in good order without its last object; the client got an error in its place, and its stream was broken off.</summary>
    Truncated,

    /// <summary>There was no connection, or it broke before the answer's first byte.</summary>
    Unreachable,

    /// <summary>The connection broke so late that an answer that is not streamed may have been generated for the most part.</summary>
    AnswerLost,

    /// <summary>The instance's circuit opened and its probe fails, before the answer's first byte.</summary>
    InstanceLost,

    /// <summary>The engine's answer is not valid HTTP, or its headers are larger than the client's limit.</summary>
    Unreadable,

    /// <summary>The engine was silent for too long before its first byte.</summary>
    TimedOut,

    /// <summary>The engine was silent for too long before the first byte of an answer that is not streamed.</summary>
    TimedOutUnstreamed,

    /// <summary>The connection broke in mid-answer.</summary>
    BrokenOff,

    /// <summary>The engine was silent for too long in mid-answer.</summary>
    Stalled,

    /// <summary>The client went away, or stopped reading.</summary>
    ClientGone,

    /// <summary>The client's body is malformed or was cut off.</summary>
    BadBody,

    /// <summary>The client's request cannot be sent to any engine.</summary>
    Unsendable,

    /// <summary>The gateway failed at passing the answer on.</summary>
    GatewayFailed,
}

/// <summary>Whose fault the end of an attempt is.</summary>
internal enum Fault
{
    /// <summary>No one's.</summary>
    None,

    /// <summary>The client's.</summary>
    Client,

    /// <summary>The instance's.</summary>
    Instance,

    /// <summary>The gateway's own.</summary>
    Gateway,
}

/// <summary>Whether another attempt may follow one that has ended.</summary>
internal enum Retry
{
    /// <summary>None follows.</summary>
    Never,

    /// <summary>One follows within <c>Gateway:Retries:Limit</c> and the budget.</summary>
    Budgeted,

    /// <summary>One follows within <c>Gateway:Retries:Limit</c>.</summary>
    Always,

    /// <summary>One follows: it was taken from the budget before the engine's answer was discarded for it.</summary>
    Granted,
}

/// <summary>
/// The consequences of the end of an attempt: for the client, for the instance's circuit, and for another attempt.
/// </summary>
/// <param name="End">How the attempt ended.</param>
/// <param name="Fault">The party at fault. A client's fault is not counted in any metric of the instance.</param>
/// <param name="Lease">The result for the instance's circuit.</param>
/// <param name="Retry">Whether another attempt may follow.</param>
/// <param name="Outcome">The request's outcome if no attempt follows; <see langword="null"/> if the engine's answer
/// decides.</param>
/// <param name="Status">The gateway's status if no attempt follows; zero if the client has an answer, or a part of
/// one.</param>
/// <param name="Message">The message for the client.</param>
internal sealed record Judgement(AttemptEnd End, Fault Fault, LeaseEnd Lease, Retry Retry, Outcome? Outcome = null, int Status = 0, string Message = "")
{
    private const string Broken = "The model server could not be reached or broke off before it answered; try again.";
    private const string Silent = "The model server did not begin to answer in time.";

    // A circuit opens for an instance that cannot be reached or hangs. It takes every model and route of the instance with it, so nothing
    // opens it that one request or one model can cause on an instance that is well; what the probes find opens it as well.
    private static readonly Judgement[] s_table =
    [
        new(AttemptEnd.Answered, Fault.None, LeaseEnd.Answered, Retry.Never),
        new(AttemptEnd.Busy, Fault.None, LeaseEnd.Busy, Retry.Granted, Requests.Outcome.EngineError),
        new(AttemptEnd.Declined, Fault.None, LeaseEnd.Answered, Retry.Granted, Requests.Outcome.EngineError),
        new(AttemptEnd.Truncated, Fault.Instance, LeaseEnd.Answered, Retry.Never, Requests.Outcome.StreamTruncated),
        new(AttemptEnd.Unreachable, Fault.Instance, LeaseEnd.Failed, Retry.Budgeted, Requests.Outcome.EngineUnreachable, 502, Broken),
        new(AttemptEnd.AnswerLost, Fault.Instance, LeaseEnd.Undecided, Retry.Never, Requests.Outcome.EngineUnreachable, 502, Broken),
        new(AttemptEnd.InstanceLost, Fault.Instance, LeaseEnd.Undecided, Retry.Always, Requests.Outcome.EngineUnreachable, 502, Broken),
        new(AttemptEnd.Unreadable, Fault.Instance, LeaseEnd.Undecided, Retry.Never, Requests.Outcome.EngineError, 502, "The model server's answer is not valid HTTP."),
        new(AttemptEnd.TimedOut, Fault.Instance, LeaseEnd.Failed, Retry.Never, Requests.Outcome.EngineTimeout, 504, Silent),
        new(AttemptEnd.TimedOutUnstreamed, Fault.Instance, LeaseEnd.Undecided, Retry.Never, Requests.Outcome.EngineTimeout, 504, Silent),
        new(AttemptEnd.BrokenOff, Fault.Instance, LeaseEnd.Undecided, Retry.Never, Requests.Outcome.StreamTruncated),
        new(AttemptEnd.Stalled, Fault.Instance, LeaseEnd.Failed, Retry.Never, Requests.Outcome.StreamStalled),
        new(AttemptEnd.ClientGone, Fault.Client, LeaseEnd.Undecided, Retry.Never, Requests.Outcome.ClientDisconnect),
        new(AttemptEnd.BadBody, Fault.Client, LeaseEnd.Undecided, Retry.Never, Requests.Outcome.BadRequest, 400, "The request's body could not be read to its end."),
        new(AttemptEnd.Unsendable, Fault.Client, LeaseEnd.Undecided, Retry.Never, Requests.Outcome.BadRequest, 400, "The request's path or headers cannot be passed on to a model server."),
        new(AttemptEnd.GatewayFailed, Fault.Gateway, LeaseEnd.Undecided, Retry.Never, Requests.Outcome.GatewayError, 500, "The gateway failed; its log has more details."),
    ];

    /// <summary>
    /// The answer to the client if no attempt follows; <see langword="null"/> if it has an answer, or a part of one.
    /// </summary>
    public GatewayRefusal? Refusal { get; } = Status == 0 ? null : new(Outcome!.Value, Status, Message, Status == 502 ? TimeSpan.FromSeconds(1) : null);

    /// <summary>The consequences of an end.</summary>
    public static Judgement Of(AttemptEnd end) => s_table[(int)end];

    /// <summary>The outcome of the request whose last attempt this was.</summary>
    /// <param name="facts">The facts of the answer.</param>
    /// <param name="status">The status that the client got.</param>
    public Completion Complete(in StreamFacts facts, int status) =>
        new(Outcome ?? OutcomeOf(facts, status), Refusal, ExemptsInstance: Fault == Fault.Client && Outcome != Requests.Outcome.ClientDisconnect);

    private static Outcome OutcomeOf(in StreamFacts facts, int status) => status switch
    {
        // An engine without what is requested is well.
        StatusCodes.Status501NotImplemented => Requests.Outcome.EngineRefused,
        >= 500 => Requests.Outcome.EngineError,
        >= 400 => Requests.Outcome.EngineRefused,
        _ when facts.HasError => Requests.Outcome.StreamError,
        _ when !facts.IsComplete => Requests.Outcome.StreamTruncated,
        _ => Requests.Outcome.Success,
    };

    /// <summary>How an attempt ended that the forwarder gave up before the answer's body.</summary>
    public static AttemptEnd EndOf(ForwarderError error, Exception? exception) => error switch
    {
        ForwarderError.RequestBodyClient or ForwarderError.RequestBodyCanceled => IsOwn(exception) ? AttemptEnd.GatewayFailed : IsMalformed(exception) ? AttemptEnd.BadBody : AttemptEnd.ClientGone,
        ForwarderError.RequestCreation => AttemptEnd.Unsendable,
        ForwarderError.ResponseHeaders => AttemptEnd.GatewayFailed,
        _ => EndOf(exception),
    };

    /// <summary>How an attempt ended whose connection gave this exception before the answer's first byte.</summary>
    public static AttemptEnd EndOf(Exception? exception) => exception switch
    {
        HttpRequestException { HttpRequestError: HttpRequestError.InvalidResponse or HttpRequestError.ConfigurationLimitExceeded } => AttemptEnd.Unreadable,
        HttpIOException { HttpRequestError: HttpRequestError.InvalidResponse or HttpRequestError.ConfigurationLimitExceeded } => AttemptEnd.Unreadable,

        // Of the connection's own exceptions each has another inside; this one is thrown where a header cannot be written.
        HttpRequestException { HttpRequestError: HttpRequestError.Unknown, InnerException: null } => AttemptEnd.Unsendable,
        null or HttpRequestException or IOException or OperationCanceledException or ObjectDisposedException or AggregateException => AttemptEnd.Unreachable,

        // No connection throws anything else: a bug of the gateway's own, which must not open a circuit.
        _ => AttemptEnd.GatewayFailed,
    };

    // A body throws this if it cannot be read back from its file.
    private static bool IsOwn(Exception? exception) => exception is InvalidOperationException and not ObjectDisposedException || (exception is AggregateException several && several.Flatten().InnerExceptions.Any(IsOwn));

    /// <summary>Whether reading a client's body failed because the body is malformed; else its connection broke.</summary>
    public static bool IsMalformed(Exception? exception) => exception switch
    {
        AggregateException several => several.Flatten().InnerExceptions.Any(IsMalformed),

        // Kestrel's for a chunk's size over 64 bits (Http1ChunkedEncodingMessageBody.ParseChunkedPrefix).
        IOException { InnerException: OverflowException } => true,
        _ => exception is BadHttpRequestException,
    };
}
