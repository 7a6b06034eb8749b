namespace Hazumu.Gateway.Pipeline.Requests;

/// <summary>How a request ends.</summary>
/// <param name="Outcome">The outcome that is recorded, unless the client disconnects before it has its answer.</param>
/// <param name="Refusal">
/// The gateway's own answer; <see langword="null"/> if the client has an engine's answer or a part of it, or there is no client any more.
/// </param>
/// <param name="ExemptsInstance">Whether the instance that was tried had no part in it, so that no metric of the instance counts it.</param>
internal readonly record struct Completion(Outcome Outcome, GatewayRefusal? Refusal = null, bool ExemptsInstance = false)
{
    /// <summary>The client has its answer.</summary>
    public static Completion Success => new(Outcome.Success);

    /// <summary>The client has gone.</summary>
    public static Completion ClientDisconnect => new(Outcome.ClientDisconnect);

    /// <summary>Ends a request with an answer of the gateway's own.</summary>
    public static implicit operator Completion(GatewayRefusal refusal) => new(refusal.Outcome, refusal);
}
