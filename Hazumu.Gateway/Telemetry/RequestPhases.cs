using Hazumu.Gateway.Pipeline.Operations;
using Hazumu.Gateway.Pipeline.Requests;

namespace Hazumu.Gateway.Telemetry;

/// <summary>The phases of one request, in seconds; null if a phase is unknown or did not happen.</summary>
/// <remarks>
/// Load, prefill and decode are the engine's own values if its dialect has them (native). Otherwise they are derived
/// from the arrival of bytes: for a stream, the time until the first byte is prefill, or load if the model was not in
/// memory (its prefill cannot be distinguished), and the rest is decode; for an answer in one piece they are unknown,
/// except that embeddings are all prefill.
/// </remarks>
internal readonly record struct RequestPhases
{
    /// <summary>From the request's headers until its end, including the client's part.</summary>
    public double Total { get; private init; }

    /// <summary><see cref="Total"/> without the wait for the client's body.</summary>
    public double Served { get; private init; }

    /// <summary>Waiting for the client's body.</summary>
    public double Body { get; private init; }

    /// <summary>Waiting for a slot.</summary>
    public double? Queue { get; private init; }

    /// <summary>Loading the model.</summary>
    public double? Load { get; private init; }

    /// <summary>Reading the prompt.</summary>
    public double? Prefill { get; private init; }

    /// <summary>Making tokens.</summary>
    public double? Decode { get; private init; }

    /// <summary>
    /// The gateway's own time: from the headers until the request is sent, minus all waits; and the time after the
    /// engine's last byte.
    /// </summary>
    public double? Overhead { get; private init; }

    /// <summary>Until the first byte of a stream, without the wait for the client's body.</summary>
    public double? FirstToken { get; private init; }

    /// <summary>From one token of a stream to the next, the first excluded.</summary>
    public double? PerOutputToken { get; private init; }

    /// <summary>Reads them from a finished request.</summary>
    public static RequestPhases Of(GatewayRequest request)
    {
        var total = request.Ended - request.Started;
        var phases = new RequestPhases
        {
            Total = request.Seconds(total),
            Served = request.Seconds(total - request.BodyWait),
            Body = request.Seconds(request.BodyWait),
        };

        if (request.Operation.Handling != Handling.Infer)
        {
            return phases;
        }

        phases = phases with
        {
            Queue = request.Sent != 0 || request.QueueWait != 0 ? request.Seconds(request.QueueWait) : null,
            Overhead = Own(request),
        };

        // An engine's error may have become a part of a stream with the status 200.
        return request is { StatusCode: < StatusCodes.Status400BadRequest, FirstByte: not 0 }
            && request.Outcome is not (Outcome.EngineRefused or Outcome.EngineError)
            ? phases.WithAnswer(request)
            : phases;
    }

    private RequestPhases WithAnswer(GatewayRequest request)
    {
        ref var facts = ref request.Facts;
        var untilFirst = request.Seconds(request.FirstByte - request.Sent);
        var afterFirst = request.LastByte != 0 ? request.Seconds(request.LastByte - request.FirstByte) : (double?)null;
        var isEmbedding = request.Operation.GenAiName == "embeddings";

        var phases = this;
        if (request.WantsStream && !isEmbedding)
        {
            phases = phases with
            {
                FirstToken = request.Seconds(request.FirstByte - request.Started - request.BodyWait),
                PerOutputToken = facts.OutputTokens > 1 ? afterFirst / (facts.OutputTokens - 1) : null,
            };
        }

        if (facts.TotalDuration > 0 || facts.EvalDuration > 0)
        {
            return phases with
            {
                Load = Nanoseconds(facts.LoadDuration),
                Prefill = Nanoseconds(isEmbedding ? facts.TotalDuration - facts.LoadDuration : facts.PromptEvalDuration),
                Decode = isEmbedding ? null : Nanoseconds(facts.EvalDuration),
            };
        }

        return (facts.FinishReason, isEmbedding || request.WantsStream) switch
        {
            // A request without a prompt loads or unloads a model, and reports no durations.
            ("load", _) => phases with { Load = untilFirst },
            ("unload", _) or (_, false) => phases,
            _ => phases with
            {
                Load = request.IsCold ? untilFirst : null,
                Prefill = request.IsCold ? null : untilFirst,
                Decode = isEmbedding ? null : afterFirst,
            },
        };
    }

    private static double? Own(GatewayRequest request)
    {
        // A client that went away ends the request in the middle of whatever was waited for.
        if (request.Outcome == Outcome.ClientDisconnect)
        {
            return null;
        }

        var before = (request.Sent != 0 ? request.Sent : request.Ended)
            - request.Started - request.BodyWait - request.QueueWait - request.RetryWait;
        var after = request.LastByte != 0 ? request.Ended - request.LastByte : 0;
        return request.Seconds(before) + request.Seconds(after);
    }

    private static double Nanoseconds(long nanoseconds) => Math.Max(nanoseconds, 0) / 1e9;
}
