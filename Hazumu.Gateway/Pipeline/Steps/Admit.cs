using Hazumu.Gateway.Admission;
using Hazumu.Gateway.Pipeline.Requests;
using Hazumu.Gateway.Upstreams;

namespace Hazumu.Gateway.Pipeline.Steps;

/// <summary>
/// Acquires a slot for a request, of the next model of its chain where one cannot be had, and measures how long it
/// waited in the queue.
/// </summary>
internal sealed class Admit(IAdmission admission, Fleet fleet)
{
    /// <summary>Creates the ticket by which a request gets its slots.</summary>
    public static Ticket CreateTicket(GatewayRequest request) => new(
        request.FullModel!, request.Affinity, request.Turn)
    {
        Chain = request.Chain?.FullNamesFor(request.Affinity),
        QueueLongerThan = request.Chain?.QueueLongerThan,
        Priority = request.Priority,
        IsShort = request.Operation.GenAiName == "embeddings",
        IsStreamed = request.WantsStream,
    };

    /// <summary>Waits for a slot.</summary>
    /// <param name="request">The request.</param>
    /// <param name="ticket">Its place in the queue; after a failed attempt, the same again.</param>
    /// <param name="cancellationToken">Leaves the queue.</param>
    public async ValueTask<SlotDecision> RunAsync(GatewayRequest request, Ticket ticket, CancellationToken cancellationToken)
    {
        while (true)
        {
            var began = request.Clock.GetTimestamp();
            ticket.HasWaited = false;
            var slot = admission.AcquireSlotAsync(ticket, cancellationToken);
            request.QueuePosition = ticket.Position;
            var decision = request.KeepAlive is { } keepAlive && !slot.IsCompleted
                ? await keepAlive.WaitAsync(slot.AsTask())
                : await slot;
            request.QueueWait += ticket.HasWaited ? request.Clock.GetTimestamp() - began : 0;
            request.QueuePosition = ticket.Position;
            if (ReasonOf(decision.Status) is not { } reason || !ticket.TryFallBack(reason, fleet.CanServe))
            {
                return decision;
            }

            // It keeps what is left of its time.
            ticket.Placed = fleet.Now;
        }
    }

    private static FallbackReason? ReasonOf(AdmissionStatus status) => status switch
    {
        AdmissionStatus.QueueFull or AdmissionStatus.QueueTimeout => FallbackReason.Queue,
        AdmissionStatus.EngineUnreachable => FallbackReason.Down,
        _ => null,
    };
}
