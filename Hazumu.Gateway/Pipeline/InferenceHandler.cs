using System.Diagnostics;
using Hazumu.Gateway.Admission;
using Hazumu.Gateway.Configuration;
using Hazumu.Gateway.Keys;
using Hazumu.Gateway.Pipeline.Bodies;
using Hazumu.Gateway.Pipeline.Forwarding;
using Hazumu.Gateway.Pipeline.Management;
using Hazumu.Gateway.Pipeline.Operations;
using Hazumu.Gateway.Pipeline.Requests;
using Hazumu.Gateway.Streams;
using Hazumu.Gateway.Upstreams;
using Yarp.ReverseProxy.Forwarder;

namespace Hazumu.Gateway.Pipeline;

/// <summary>
/// Runs a model for a client: model name, slot, attempt, and where nothing has been sent yet, another attempt elsewhere.
/// </summary>
internal sealed class InferenceHandler(
    ModelGate gate,
    IAdmission admissions,
    Fleet fleet,
    FleetMonitor monitor,
    InstanceBroadcast broadcast,
    IHttpForwarder forwarder,
    AttemptWatch watch,
    ManagementHandler management,
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
            if (request.Operation.Handling == Handling.Unknown)
            {
                if (request.Model is null)
                {
                    return await management.SendAsync(context, request, body, head);
                }

                if (!request.Caller.Has(Scope.Infer))
                {
                    return GatewayRefusal.Forbidden($"The key '{request.Caller.Name}' lacks the scope 'infer' that a request which names a model needs.");
                }
            }

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

            if (head is { UnloadsModel: true, HasPrompt: false } && request.Operation is { Dialect: Dialect.Native, Name: "chat" or "generate" })
            {
                if (context.Request.Headers[GatewayHeaders.Instance].ToString().Length > 0)
                {
                    return await management.SendAsync(context, request, body, head);
                }

                if (fleet.Holding(model) is { Count: > 1 } holding)
                {
                    // `ollama stop`: the model leaves the memory of all.
                    return await broadcast.SendAsync(context, request, holding, body);
                }
            }

            budget.Earn(settings.Current.Retries.BudgetPercent);
            return await AttemptAsync(context, request, head, body, new Ticket(model, request.Affinity, request.Caller.Name) { IsShort = request.Operation.GenAiName == "embeddings", IsStreamed = request.WantsStream });
        }
    }

    private async ValueTask<GatewayRefusal?> AttemptAsync(HttpContext context, GatewayRequest request, RequestHeadResult head, RequestBody body, Ticket ticket)
    {
        while (true)
        {
            var asked = Stopwatch.GetTimestamp();
            var admission = await admissions.AcquireSlotAsync(ticket, context.RequestAborted);
            request.QueueWait += ticket.HasWaited ? Stopwatch.GetTimestamp() - asked : 0;
            request.QueuePosition = ticket.Position;
            ticket.HasWaited = false;
            if (admission.Status == AdmissionStatus.Cancelled)
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
            bool CanMove() => MayRetry(request, body) && HasOther(lease, ticket);
            var attempt = new Attempt(request, lease.Instance, lease, body, s_removedHeaders, () => CanMove() && budget.TrySpend(), CanMove);
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

            if (end == AttemptEnd.Unreachable && !request.WantsStream && Stopwatch.GetElapsedTime(request.Sent) > settings.Current.Retries.UnstreamedWithin)
            {
                end = AttemptEnd.AnswerLost;
            }

            var judgement = Judgement.Of(end);
            var isBusy = end == AttemptEnd.Answered && context.Response.StatusCode == StatusCodes.Status503ServiceUnavailable;
            Release(request, lease, attempt, isBusy ? Judgement.Of(AttemptEnd.Busy).Lease : judgement.Lease);
            var isRetried = judgement.Retry switch
            {
                Retry.Granted => true,
                Retry.Always => MayRetry(request, body),
                Retry.Budgeted => MayRetry(request, body) && budget.TrySpend(),
                _ => false,
            };
            if (!isRetried)
            {
                return judgement.Conclude(request, context.Response.StatusCode);
            }

            if (judgement.Fault == Fault.Instance)
            {
                monitor.Refresh(lease.Instance);
            }

            ticket.Avoid(lease.Instance.Name, fleet.Now);
            request.RetryWait += Stopwatch.GetTimestamp() - began;
        }
    }

    private static void Release(GatewayRequest request, Lease lease, Attempt attempt, LeaseEnd leaseEnd)
    {
        if (lease.IsCold && lease.HasAnswered)
        {
            lease.LoadSeconds = request.Facts.LoadDuration > 0 ? request.Facts.LoadDuration / 1e9
                : request.WantsStream ? Stopwatch.GetElapsedTime(request.Sent, request.FirstByte).TotalSeconds : null;
        }

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
