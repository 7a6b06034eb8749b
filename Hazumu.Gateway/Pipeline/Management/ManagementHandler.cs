using System.Collections.Immutable;
using Hazumu.Gateway.Admission;
using Hazumu.Gateway.Configuration;
using Hazumu.Gateway.Keys;
using Hazumu.Gateway.Pipeline.Bodies;
using Hazumu.Gateway.Pipeline.Forwarding;
using Hazumu.Gateway.Pipeline.Operations;
using Hazumu.Gateway.Pipeline.Requests;
using Hazumu.Gateway.Pipeline.Steps;
using Hazumu.Gateway.Streams;
using Hazumu.Gateway.Upstreams;
using Yarp.ReverseProxy.Forwarder;

namespace Hazumu.Gateway.Pipeline.Management;

/// <summary>
/// Everything that runs no model: looking at one, managing them, and what the gateway does not know. Goes to the instance that the
/// header <c>Hazumu-Instance</c> names, else to one that has the model, else to the first that is well; what changes a model goes to all that have it.
/// </summary>
/// <remarks>Not tried again: what changes something must not be done twice.</remarks>
internal sealed class ManagementHandler(ReadHead readHead, Fleet fleet, FleetMonitor monitor, InstanceBroadcast broadcast, IHttpForwarder forwarder, AttemptWatch watch, GatewaySettings settings)
{
    /// <summary>Handles a request.</summary>
    public async ValueTask<Completion> HandleAsync(HttpContext context, GatewayRequest request)
    {
        RequestBody? body = null;
        if (request.Operation.Model is ModelPlace.Body or ModelPlace.Source)
        {
            var read = await readHead.RunAsync(context, request);
            if (!read.TryGetBody(out body, out var refusal))
            {
                return refusal;
            }
        }
        else if (request.Operation.Model == ModelPlace.Path
            && readHead.Check(request, context.Request.Path.Value![OperationTable.ModelPath.Length..]) is { } refusal)
        {
            return refusal;
        }

        using (body)
        {
            var path = context.Request.Path;
            NameHeldModel(context, request, body);
            var completion = await SendAsync(context, request, body);
            context.Request.Path = path;
            return completion;
        }
    }

    /// <summary>Takes a model out of memory (<c>ollama stop</c>): at the instance that is named, else at all that may have it.</summary>
    /// <returns>How the request ended; <see langword="null"/> if it is no such request, or one that any slot serves.</returns>
    public async ValueTask<Completion?> TryUnloadAsync(HttpContext context, GatewayRequest request, RequestBody body)
    {
        if (body.Head is not { UnloadsModel: true, HasPrompt: false } || request.Operation is not { Dialect: Dialect.Native, Name: "chat" or "generate" })
        {
            return null;
        }

        NameHeldModel(context, request, body);
        if (context.Request.Headers[GatewayHeaders.Instance].ToString().Length > 0)
        {
            return await SendAsync(context, request, body);
        }

        if (fleet.Holding(request.ServedFullName!) is not { Count: > 1 } holding)
        {
            return null;
        }

        return Managing(holding) is [var only]
            ? await ForwardAsync(context, request, only, body)
            : await broadcast.SendAsync(context, request, Managing(holding), body);
    }

    /// <summary>Sends a request to the right instances.</summary>
    /// <param name="context">The request.</param>
    /// <param name="request">The request's state.</param>
    /// <param name="body">Its body; <see langword="null"/> if it was not read and passes as it comes.</param>
    public async ValueTask<Completion> SendAsync(HttpContext context, GatewayRequest request, RequestBody? body)
    {
        var named = context.Request.Headers[GatewayHeaders.Instance].ToString();
        var instances = await TargetsAsync(request, named, body, context.RequestAborted);
        if (instances.Count == 0)
        {
            return named.Length > 0
                ? GatewayRefusal.BadRequest(request.Caller.Has(Scope.Read)
                    ? $"There is no instance '{GatewayHeaders.Decode(named)}'; there are: {string.Join(", ", fleet.Instances.Select(instance => instance.Name))}."
                    : $"There is no instance '{GatewayHeaders.Decode(named)}'.")
                : GatewayRefusal.Unreachable();
        }

        if (instances.Count > 1)
        {
            return request.Operation.Name == "blob" && HttpMethods.IsPost(context.Request.Method)
                ? await broadcast.UploadAsync(context, request, instances)
                : await broadcast.SendAsync(context, request, instances, body);
        }

        return await ForwardAsync(context, request, instances[0], body);
    }

    // A request that needs no slot is for the first model of a chain that an instance has.
    private void NameHeldModel(HttpContext context, GatewayRequest request, RequestBody? body)
    {
        if (request.Chain?.FullNames is { } models)
        {
            var held = models.FirstOrDefault(fleet.CanServe, models[0]);
            var fallback = held == models[0] ? FallbackReason.None : FallbackReason.Missing;
            NameModel.Run(context, request, body, instance: null, held, fallback);
        }
    }

    private async ValueTask<Completion> ForwardAsync(HttpContext context, GatewayRequest request, Instance instance, RequestBody? body)
    {
        if (body is not null)
        {
            if (request.ServedFullName is { } model)
            {
                NameModel.Run(context, request, body, instance, model, request.Fallback);
            }

            context.Request.Body = body.Open();
        }

        var end = await new Attempt(request, instance, lease: null, body).RunAsync(context, forwarder, watch);
        if (request.Operation.Scope == Scope.Admin)
        {
            monitor.Refresh(instance);
        }

        return Judgement.Of(end).Complete(in request.Facts, context.Response.StatusCode);
    }

    // A request that changes a model goes to every instance that has it now: an instance that kept the old model would
    // otherwise answer in turn with the others.
    private async ValueTask<IReadOnlyList<Instance>> TargetsAsync(GatewayRequest request, string named, RequestBody? body, CancellationToken cancellationToken)
    {
        if (named.Length > 0)
        {
            return [.. fleet.Instances.Where(instance => instance.HeaderName == named)];
        }

        var model = request.ServedFullName;
        var isChange = request.Operation.Scope == Scope.Admin;
        if (fleet.Instances.Length > 1 && model is not null && (isChange || !fleet.Knows(model)))
        {
            // It may have come, or gone, behind the gateway's back.
            await monitor.RefreshStoredAsync(cancellationToken, isForced: isChange);
        }

        return fleet.Read(instances => Choose(instances, request, model, body?.Head ?? default));
    }

    private List<Instance> Choose(ImmutableArray<Instance> instances, GatewayRequest request, string? model, RequestHeadResult head)
    {
        var usable = instances.Where(instance => instance.Circuit.State != CircuitState.Open).ToList();
        List<Instance> holding = model is null ? [] : fleet.Holding(model);
        if (request.Operation.Scope == Scope.Admin)
        {
            (usable, holding) = (Managing(usable), Managing(holding));
        }

        return request.Operation.Name switch
        {
            "delete" or "copy" or "pull" when holding.Count > 0 => holding,
            "pull" when settings.Current.Fleet.PullEverywhere => usable,
            "pull" => [.. usable.OrderBy(instance => instance.Stored?.Values.Sum(stored => stored.Size) ?? 0).Take(1)],

            // A model that is created from files is created from blobs, which every instance has.
            "create" when BaseOf(head) is { } basis => usable.Where(instance => instance.Has(basis) == true || holding.Contains(instance)).ToList() is { Count: > 0 } having ? having : [.. usable.Take(1)],
            "create" or "blob" => usable,
            _ => [.. holding.Concat(usable).Take(1)],
        };
    }

    // Only Ollama has its models managed; where there is none, another engine's answer says so.
    private static List<Instance> Managing(List<Instance> instances) =>
        instances.FindAll(instance => instance.Kind is null or EngineKind.Ollama) is { Count: > 0 } managing ? managing : instances;

    private static string? BaseOf(RequestHeadResult head) =>
        head.Named?.LastOrDefault(named => named.Property == "from").Model is { Length: > 0 } name ? ModelName.FullNameOf(name) : null;
}
