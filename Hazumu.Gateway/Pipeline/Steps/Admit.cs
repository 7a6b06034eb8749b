using Hazumu.Gateway.Admission;
using Hazumu.Gateway.Pipeline.Requests;

namespace Hazumu.Gateway.Pipeline.Steps;

/// <summary>Acquires a slot for a request, and measures how long it waited in the queue.</summary>
internal sealed class Admit(IAdmission admission)
{
    /// <summary>Waits for a slot.</summary>
    /// <param name="request">The request.</param>
    /// <param name="ticket">Its place in the queue; after a failed attempt, the same again.</param>
    /// <param name="cancellationToken">Leaves the queue.</param>
    public async ValueTask<SlotDecision> RunAsync(GatewayRequest request, Ticket ticket, CancellationToken cancellationToken)
    {
        var began = request.Clock.GetTimestamp();
        ticket.HasWaited = false;
        var decision = await admission.AcquireSlotAsync(ticket, cancellationToken);
        request.QueueWait += ticket.HasWaited ? request.Clock.GetTimestamp() - began : 0;
        request.QueuePosition = ticket.Position;
        return decision;
    }
}
