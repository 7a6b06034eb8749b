using Hazumu.Gateway.Admission;
using Hazumu.Gateway.Configuration;
using Hazumu.Gateway.Pipeline.Bodies;
using Hazumu.Gateway.Pipeline.Forwarding;
using Hazumu.Gateway.Pipeline.Requests;
using Hazumu.Gateway.Upstreams;
using Yarp.ReverseProxy.Forwarder;

namespace Hazumu.Gateway.Pipeline.Steps;

/// <summary>Makes one attempt at the instance whose slot a request has, and decides whether another attempt follows.</summary>
internal sealed class Forward(Fleet fleet, FleetMonitor monitor, IHttpForwarder forwarder, AttemptWatch watch, RetryBudget budget, GatewaySettings settings)
{
    /// <summary>Makes the attempt, and releases the slot.</summary>
    /// <returns>How the request ended; <see langword="null"/> if another attempt follows.</returns>
    public async ValueTask<Completion?> RunAsync(HttpContext context, GatewayRequest request, Lease lease, RequestBody body, Ticket ticket)
    {
        var options = settings.Current.Retries;
        var began = request.Clock.GetTimestamp();
        var retries = new Retries(fleet, budget, options.Limit, request, body, ticket, lease.Instance);
        var attempt = new Attempt(request, lease.Instance, lease, body, retries);
        NameModel.Run(context, request, body, lease.Instance, ticket.Model, ticket.Fallback);
        context.Request.Body = body.Open();
        AttemptEnd end;
        try
        {
            end = await attempt.RunAsync(context, forwarder, watch);
        }
        catch
        {
            lease.Release(Judgement.Of(AttemptEnd.GatewayFailed).Lease);
            throw;
        }

        if (end == AttemptEnd.Unreachable && !request.WantsStream && request.Clock.GetElapsedTime(request.Sent) > options.UnstreamedWithin)
        {
            end = AttemptEnd.AnswerLost;
        }

        var judgement = Judgement.Of(end);
        var isBusy = attempt.IsBusy && judgement.Lease == LeaseEnd.Answered;
        Release(request, lease, attempt, isBusy ? LeaseEnd.Busy : judgement.Lease);
        if (!retries.TryTake(judgement.Retry) && !retries.TryFallBack(judgement))
        {
            return judgement.Complete(in request.Facts, context.Response.StatusCode);
        }

        if (judgement.Fault == Fault.Instance)
        {
            monitor.Refresh(lease.Instance);
        }

        // An instance that declines one model may serve another.
        if (end != AttemptEnd.Declined)
        {
            ticket.Avoid(lease.Instance.Name, fleet.Now);
        }

        request.RetryWait += request.Clock.GetTimestamp() - began;
        return null;
    }

    private static void Release(GatewayRequest request, Lease lease, Attempt attempt, LeaseEnd end)
    {
        if (lease.IsCold && lease.HasAnswered)
        {
            lease.LoadSeconds = request.Facts.LoadDuration > 0 ? request.Facts.LoadDuration / 1e9
                : request.WantsStream ? request.Clock.GetElapsedTime(request.Sent, request.FirstByte).TotalSeconds : null;
        }

        if (attempt.UpstreamReleased.IsCompleted)
        {
            lease.Release(end);
        }
        else
        {
            // The client need not wait for that, the next one must.
            attempt.UpstreamReleased.ContinueWith(_ => lease.Release(end), CancellationToken.None, TaskContinuationOptions.None, TaskScheduler.Default);
        }
    }
}
