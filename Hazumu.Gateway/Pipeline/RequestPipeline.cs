using Hazumu.Gateway.Admission;
using Hazumu.Gateway.Configuration;
using Hazumu.Gateway.Keys;
using Hazumu.Gateway.Pipeline.Bodies;
using Hazumu.Gateway.Pipeline.Forwarding;
using Hazumu.Gateway.Pipeline.Management;
using Hazumu.Gateway.Pipeline.Operations;
using Hazumu.Gateway.Pipeline.Requests;
using Hazumu.Gateway.Pipeline.Steps;
using Hazumu.Gateway.Upstreams;
using Hazumu.Gateway.Usage;

namespace Hazumu.Gateway.Pipeline;

/// <summary>
/// The way of a request, from top to bottom: receive, match the operation, authenticate, name the end user, limit, read the head, admit, forward (in one or
/// several attempts), complete, record. A step returns what comes of it; none but <see cref="Complete"/> decides the outcome.
/// </summary>
/// <remarks>Requests for the gateway's own endpoints (health, metrics, peers) do not come here.</remarks>
internal sealed class RequestPipeline(
    Receive receive,
    Authenticate authenticate,
    NameEndUser nameEndUser,
    ReadHead readHead,
    IAdmission admission,
    Admit admit,
    Forward forward,
    RetryBudget retries,
    Complete complete,
    IRequestRecorder recorder,
    ManagementHandler management,
    MergedReads merged,
    UsageReads usage,
    Budgets budgets,
    BudgetHeaders budgetHeaders,
    GatewaySettings settings,
    ILogger<RequestPipeline> logger)
{
    /// <summary>Handles a request, whatever comes of it.</summary>
    /// <param name="context">The request.</param>
    /// <param name="caller">The caller, if it is known already; <see langword="null"/> if the request's own credentials say who it is.</param>
    public async Task HandleAsync(HttpContext context, Caller? caller = null)
    {
        // Receive, and match the operation.
        var received = receive.Begin(context);
        var request = received.Request;
        using var scope = RequestId.BeginScope(logger, request.Id);
        recorder.Begin(request);
        try
        {
            Completion completion;
            try
            {
                completion = await RunAsync(context, received, caller);
            }
#pragma warning disable CA1031 // Whatever it is, the client gets an answer in its dialect, and the log the rest.
            catch (Exception error)
#pragma warning restore CA1031
            {
                completion = complete.FromException(context, request, error);
            }

            await Complete.RunAsync(context, request, completion);
        }
        finally
        {
            recorder.Record(request, context);
        }
    }

    private async ValueTask<Completion> RunAsync(HttpContext context, Received received, Caller? caller)
    {
        var request = received.Request;
        if (receive.Check(context, received) is { } rejected)
        {
            return rejected;
        }

        if (OwnAnswer.Serves(request.Operation))
        {
            return await OwnAnswer.WriteAsync(context, request.Operation);
        }

        // Authenticate. From here on the request also ends when its key is revoked.
        if (await authenticate.RunAsync(context, request, caller) is { } unauthorized)
        {
            return unauthorized;
        }

        if (nameEndUser.FromHeaders(context, request) is { } unnamed)
        {
            return unnamed;
        }

        using var revocation = RevocationWatch.Begin(context, request);
        try
        {
            var completion = request.Operation switch
            {
                { Handling: Handling.Infer } or { Handling: Handling.Unknown, Model: not ModelPlace.None } => NameEndUser.NeedsBody(request)
                    ? await InferAsync(context, request)
                    : await LimitAsync(context, request),
                { Handling: Handling.Usage } => await usage.HandleAsync(context),
                { Handling: Handling.Merge } => await merged.HandleAsync(context, request),
                _ => await management.HandleAsync(context, request),
            };
            return revocation is { HasEnded: true } && completion.Outcome == Outcome.ClientDisconnect ? revocation.Completion : completion;
        }
        catch (OperationCanceledException) when (revocation is { HasEnded: true })
        {
            return revocation.Completion;
        }
    }

    private async ValueTask<Completion> LimitAsync(HttpContext context, GatewayRequest request, RequestBody? body = null)
    {
        // Limit: count the request against the limits of its key and its end user until it has ended. That is before its body is read,
        // unless the body names the end user.
        var claim = budgets.ClaimOf(request.Caller, request.EndUser, body?.Length ?? context.Request.ContentLength ?? 0);
        var limit = await admission.CountRequestAsync(request.Caller, request.EndUser, claim, context.RequestAborted);
        if (claim is not null)
        {
            budgetHeaders.Set(context, request, claim, limit);
        }

        if (limit.Reached != ReachedLimit.None)
        {
            return GatewayRefusal.From(limit, request.Caller);
        }

        request.IsCounted = true;
        try
        {
            return body is null ? await InferAsync(context, request) : await ServeAsync(context, request, body);
        }
        finally
        {
            limit.Count?.Complete(request.Facts.InputTokens + request.CountedOutputTokens);
        }
    }

    private async ValueTask<Completion> InferAsync(HttpContext context, GatewayRequest request)
    {
        if (ReadPriority.Run(context, request) is { } wrong)
        {
            return wrong;
        }

        // Read the head: the body is here whole then, and its model is one that the caller may use.
        var read = await readHead.RunAsync(context, request);
        if (!read.TryGetBody(out var body, out var refusal))
        {
            return refusal;
        }

        using (body)
        {
            if (!NameEndUser.NeedsBody(request))
            {
                return await ServeAsync(context, request, body);
            }

            return nameEndUser.FromBody(request, body.Head) is { } unnamed ? unnamed : await LimitAsync(context, request, body);
        }
    }

    private async ValueTask<Completion> ServeAsync(HttpContext context, GatewayRequest request, RequestBody body)
    {
        if (request.Operation.Handling == Handling.Unknown && request.Model is null)
        {
            return await management.SendAsync(context, request, body);
        }

        if (await readHead.ResolveModelAsync(request, context.RequestAborted) is { } forbidden)
        {
            return forbidden;
        }

        if (await management.TryUnloadAsync(context, request, body) is { } unloaded)
        {
            return unloaded;
        }

        // Admit and forward, until an attempt is the last one.
        retries.Earn(settings.Current.Retries.BudgetPercent);
        var ticket = Admit.CreateTicket(request);
        while (true)
        {
            var decision = await admit.RunAsync(request, ticket, context.RequestAborted);
            if (decision.Lease is not { } lease)
            {
                return decision.Status == AdmissionStatus.Cancelled ? Completion.ClientDisconnect : GatewayRefusal.From(decision, request.Model!);
            }

            lease.Unloads = body.Head.UnloadsModel;
            if (await forward.RunAsync(context, request, lease, body, ticket) is { } completion)
            {
                return completion;
            }
        }
    }
}
