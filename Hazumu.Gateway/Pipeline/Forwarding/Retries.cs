using System.Net;
using Hazumu.Gateway.Admission;
using Hazumu.Gateway.Pipeline.Bodies;
using Hazumu.Gateway.Pipeline.Requests;
using Hazumu.Gateway.Upstreams;

namespace Hazumu.Gateway.Pipeline.Forwarding;

/// <summary>The further attempts that a request may have after one at an instance.</summary>
internal sealed class Retries(Fleet fleet, RetryBudget budget, int limit, GatewayRequest request, RequestBody body, Ticket ticket, Instance instance)
{
    /// <summary>Whether another attempt can be made at another instance.</summary>
    public bool CanMove => IsWithinLimit && fleet.HasOther(instance, ticket.Model, ticket.Avoids);

    private bool IsWithinLimit => body.CanSend && request.Attempts <= limit;

    /// <summary>Takes an attempt at another instance from the budget, before the engine's answer is discarded for it.</summary>
    /// <returns>Whether there was one.</returns>
    public bool TryMove() => CanMove && budget.TrySpend();

    /// <summary>
    /// Gives up on the model for one behind it in its chain, before the engine's answer is discarded for that.
    /// </summary>
    /// <returns>Whether there is one that can serve the request.</returns>
    public bool TryFallBack(HttpStatusCode status) =>
        status is HttpStatusCode.NotFound or >= HttpStatusCode.InternalServerError && TryFallBack();

    /// <summary>
    /// Gives up on the model for one behind it in its chain, if its last attempt has failed before the first byte of an
    /// answer.
    /// </summary>
    /// <returns>Whether there is one that can serve the request.</returns>
    public bool TryFallBack(Judgement judgement) =>
        judgement is { Fault: Fault.Instance, Refusal: not null } && TryFallBack();

    /// <summary>Takes the attempt that may follow one that has ended, from the budget if it is bounded by that.</summary>
    /// <returns>Whether another attempt follows.</returns>
    public bool TryTake(Retry retry) => retry switch
    {
        Retry.Granted => true,
        Retry.Always => IsWithinLimit,
        Retry.Budgeted => IsWithinLimit && budget.TrySpend(),
        _ => false,
    };

    private bool TryFallBack() => body.CanSend && ticket.TryFallBack(FallbackReason.Failed, fleet.CanServe);
}
