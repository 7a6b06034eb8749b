using System.Diagnostics;
using Hazumu.Gateway.Admission;
using Hazumu.Gateway.Configuration;
using Hazumu.Gateway.Instances;
using Hazumu.Gateway.Keys;
using Hazumu.Gateway.Operations;
using Hazumu.Gateway.Replicas;
using Hazumu.Gateway.Requests;
using Yarp.ReverseProxy.Forwarder;

namespace Hazumu.Gateway.Forwarding;

/// <summary>
/// Runs a model for a client: model name, slot, attempt, and where nothing has been sent yet, another attempt elsewhere.
/// </summary>
internal sealed class InferenceHandler(
    ModelGate gate,
    Peers peers,
    Fleet fleet,
    FleetMonitor monitor,
    InstanceBroadcast broadcast,
    IHttpForwarder forwarder,
    AttemptWatch watch,
    RetryBudget budget,
    GatewaySettings settings)
{
    private static readonly string[] s_removedHeaders = [GatewayHeaders.Instance];

    /// <summary>Handles a request.</summary>
    /// <returns>Why it is refused; <see langword="null"/> where it was answered, or broken off.</returns>
    public async ValueTask<GatewayRefusal?> HandleAsync(HttpContext context, GatewayRequest request)
    {
        var (body, head, refusal) = await gate.ReadAsync(context, request);
        if (body is null)
        {
            return refusal;
        }

        using (body)
        {
            AskForUsage(context, request, head, body);

            var model = ModelName.Normalise(request.Model!) ?? request.Model!;
            if (!fleet.Knows(model))
            {
                // It may have come beside the gateway.
                await monitor.RefreshStoredAsync(context.RequestAborted);
                if (gate.Check(request, request.Model!) is { } forbidden)
                {
                    return forbidden;
                }
            }

            if (head is { UnloadsModel: true, HasPrompt: false } && request.Operation.Dialect == Dialect.Native && Holding(model) is { Count: > 1 } holding)
            {
                // `ollama stop`: the model leaves the memory of all.
                return await broadcast.SendAsync(context, request, holding, body);
            }

            budget.Earn(settings.Current.Retries.BudgetPercent);
            return await AttemptAsync(context, request, head, body, new Ticket(model, request.Affinity, request.Caller.Name) { IsShort = request.Operation.GenAiName == "embeddings" });
        }
    }

    private async ValueTask<GatewayRefusal?> AttemptAsync(HttpContext context, GatewayRequest request, RequestHeadResult head, RequestBody body, Ticket ticket)
    {
        while (true)
        {
            var asked = Stopwatch.GetTimestamp();
            var admission = await peers.AcquireAsync(ticket, context.RequestAborted);
            request.QueueWait += ticket.HasWaited ? Stopwatch.GetTimestamp() - asked : 0;
            request.QueuePosition = ticket.Position;
            ticket.HasWaited = false;
            if (admission.Refusal == Outcome.ClientDisconnect)
            {
                request.Outcome = Outcome.ClientDisconnect;
                return null;
            }

            if (admission.Lease is not { } lease)
            {
                return GatewayRefusal.From(admission, request.Model!);
            }

            lease.Unloads = head.UnloadsModel;
            request.Instance = lease.Instance.Name;
            request.IsCold = lease.IsCold;
            context.Request.Body = body.Open();

            var began = Stopwatch.GetTimestamp();
            var attempt = new Attempt(request, lease.Instance, lease, body, s_removedHeaders, () => MayRetry(request, body) && HasOther(lease, ticket) && budget.TrySpend());
            AttemptEnd end;
            try
            {
                end = await attempt.RunAsync(context, forwarder, watch);
            }
            catch
            {
                lease.Release(LeaseEnd.Undecided);
                throw;
            }

            Release(request, lease, attempt, end, context.Response.StatusCode);
            switch (end)
            {
                case AttemptEnd.Busy:
                    break;
                case AttemptEnd.Failed when MayRetry(request, body) && budget.TrySpend():
                    monitor.Refresh(lease.Instance);
                    break;
                case AttemptEnd.Failed or AttemptEnd.TimedOut or AttemptEnd.BadBody:
                    return GatewayRefusal.From(end);
                default:
                    request.Outcome = OutcomeOf(end, request, context.Response.StatusCode);
                    return null;
            }

            ticket.Avoid(lease.Instance.Name, fleet.Now);
            request.RetryWait += Stopwatch.GetTimestamp() - began;
        }
    }

    private static void Release(GatewayRequest request, Lease lease, Attempt attempt, AttemptEnd end, int status)
    {
        if (lease.IsCold && lease.HasAnswered)
        {
            lease.LoadSeconds = request.Facts.LoadDuration > 0 ? request.Facts.LoadDuration / 1e9
                : request.WantsStream ? Stopwatch.GetElapsedTime(request.Sent, request.FirstByte).TotalSeconds : null;
        }

        var leaseEnd = end switch
        {
            AttemptEnd.Answered => status == StatusCodes.Status503ServiceUnavailable ? LeaseEnd.Failed : LeaseEnd.Answered,
            AttemptEnd.ClientGone or AttemptEnd.BadBody => LeaseEnd.Undecided,
            _ => LeaseEnd.Failed,
        };

        if (attempt.LetGo.IsCompleted)
        {
            lease.Release(leaseEnd);
        }
        else
        {
            // The client need not wait for that, the next one must.
            attempt.LetGo.ContinueWith(_ => lease.Release(leaseEnd), CancellationToken.None, TaskContinuationOptions.None, TaskScheduler.Default);
        }
    }

    /// <summary>How an attempt that the client has seen ended.</summary>
    internal static Outcome OutcomeOf(AttemptEnd end, GatewayRequest request, int status) => end switch
    {
        AttemptEnd.ClientGone => Outcome.ClientDisconnect,
        AttemptEnd.Stalled => Outcome.StreamStalled,
        AttemptEnd.BrokenOff => Outcome.StreamTruncated,
        _ when status >= 500 => Outcome.EngineError,
        _ when status >= 400 => Outcome.EngineRefused,
        _ when request.Facts.HasError => Outcome.StreamError,
        _ when !request.Facts.IsComplete => Outcome.StreamTruncated,
        _ => Outcome.Success,
    };

    private List<Instance> Holding(string model)
    {
        lock (fleet.Gate)
        {
            return [.. fleet.Instances.Where(instance => instance.Circuit.State != CircuitState.Open && instance.Has(model) == true)];
        }
    }

    private bool MayRetry(GatewayRequest request, RequestBody body) => body.CanSend && request.Attempts <= settings.Current.Retries.Limit;

    private bool HasOther(Lease lease, Ticket ticket)
    {
        lock (fleet.Gate)
        {
            foreach (var instance in fleet.Instances)
            {
                if (instance != lease.Instance && instance.IsUsable && instance.Has(ticket.Model) != false && !ticket.Avoids(instance, fleet.Now))
                {
                    return true;
                }
            }

            return false;
        }
    }

    private static void AskForUsage(HttpContext context, GatewayRequest request, RequestHeadResult head, RequestBody body)
    {
        if (request.Operation is { Dialect: Dialect.OpenAI, Name: "chat" or "generate" } && UsageRequest.TextOf(head.UsageChange) is { IsEmpty: false } text)
        {
            body.Replace(head.UsagePlace, text);
            context.Request.ContentLength = body.Length;
            request.AddedUsage = true;
        }
    }
}
