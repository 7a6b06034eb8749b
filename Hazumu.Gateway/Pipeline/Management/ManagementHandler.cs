using Hazumu.Gateway.Configuration;
using Hazumu.Gateway.Keys;
using Hazumu.Gateway.Pipeline.Bodies;
using Hazumu.Gateway.Pipeline.Forwarding;
using Hazumu.Gateway.Pipeline.Operations;
using Hazumu.Gateway.Pipeline.Requests;
using Hazumu.Gateway.Upstreams;
using Yarp.ReverseProxy.Forwarder;

namespace Hazumu.Gateway.Pipeline.Management;

/// <summary>
/// Everything that runs no model: looking at one, managing them, and what the gateway does not know. Goes to the instance that the
/// header <c>Hazumu-Instance</c> names, else to one that has the model, else to the first that is well; what changes a model goes to all that have it.
/// </summary>
/// <remarks>Not tried again: what changes something must not be done twice.</remarks>
internal sealed class ManagementHandler(ModelGate gate, Fleet fleet, FleetMonitor monitor, InstanceBroadcast broadcast, IHttpForwarder forwarder, AttemptWatch watch, GatewaySettings settings)
{
    private static readonly string[] s_removedHeaders = [GatewayHeaders.Instance];

    /// <summary>Handles a request.</summary>
    /// <returns>Why it is refused; <see langword="null"/> where it was answered, or broken off.</returns>
    public async ValueTask<GatewayRefusal?> HandleAsync(HttpContext context, GatewayRequest request)
    {
        RequestBody? body = null;
        RequestHeadResult head = default;
        if (request.Operation.Model is ModelPlace.Body or ModelPlace.Source)
        {
            (body, head, var refusal) = await gate.ReadAsync(context, request);
            if (body is null)
            {
                return refusal;
            }
        }
        else if (request.Operation.Model == ModelPlace.Path && gate.Check(request, context.Request.Path.Value!["/v1/models/".Length..]) is { } refusal)
        {
            return refusal;
        }

        using (body)
        {
            return await SendAsync(context, request, body, head);
        }
    }

    /// <summary>Sends a request where it belongs.</summary>
    /// <param name="context">The request.</param>
    /// <param name="request">What is known of it.</param>
    /// <param name="body">Its body, if it was read.</param>
    /// <param name="head">What the body says.</param>
    /// <returns>Why it is refused; <see langword="null"/> where it was answered, or broken off.</returns>
    public async ValueTask<GatewayRefusal?> SendAsync(HttpContext context, GatewayRequest request, RequestBody? body, RequestHeadResult head)
    {
        var named = context.Request.Headers[GatewayHeaders.Instance].ToString();
        var instances = await TargetsAsync(request, named, head, context.RequestAborted);
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

    private async ValueTask<GatewayRefusal?> ForwardAsync(HttpContext context, GatewayRequest request, Instance instance, RequestBody? body)
    {
        request.Instance = instance.Name;
        if (body is not null)
        {
            context.Request.Body = body.Open();
        }

        var end = await new Attempt(request, instance, lease: null, body, s_removedHeaders).RunAsync(context, forwarder, watch);
        if (request.Operation.Scope == Scope.Admin)
        {
            monitor.Refresh(instance);
        }

        return Judgement.Of(end).Conclude(request, context.Response.StatusCode);
    }

    // What changes a model goes to every instance that holds it, as they are now: one that kept the old model would answer in turn with the others.
    private async ValueTask<IReadOnlyList<Instance>> TargetsAsync(GatewayRequest request, string named, RequestHeadResult head, CancellationToken cancellationToken)
    {
        if (named.Length > 0)
        {
            return [.. fleet.Instances.Where(instance => instance.HeaderName == named)];
        }

        var model = request.Model is { } given ? ModelName.Normalise(given) ?? given : null;
        var isChange = request.Operation.Scope == Scope.Admin;
        if (fleet.Instances.Length > 1 && model is not null && (isChange || !fleet.Knows(model)))
        {
            // It may have come, or gone, behind the gateway's back.
            await monitor.RefreshStoredAsync(cancellationToken, isForced: isChange);
        }

        lock (fleet.Gate)
        {
            var usable = fleet.Instances.Where(instance => instance.Circuit.State != CircuitState.Open).ToList();
            List<Instance> holding = model is null ? [] : fleet.Holding(model);
            return request.Operation.Name switch
            {
                "delete" or "copy" when holding.Count > 0 => holding,
                "pull" when holding.Count > 0 => holding,
                "pull" when settings.Current.Fleet.PullEverywhere => usable,
                "pull" => [.. usable.OrderBy(instance => instance.Stored?.Values.Sum(stored => stored.Size) ?? 0).Take(1)],
                // What is made of files is made of blobs, which every instance has got.
                "create" when BaseOf(head) is { } basis => usable.Where(instance => instance.Has(basis) == true || holding.Contains(instance)).ToList() is { Count: > 0 } having ? having : [.. usable.Take(1)],
                "create" or "blob" => usable,
                _ => [.. holding.Concat(usable).Take(1)],
            };
        }
    }

    private static string? BaseOf(RequestHeadResult head) =>
        head.Named?.LastOrDefault(named => named.Property == "from").Model is { Length: > 0 } name ? ModelName.Normalise(name) ?? name : null;
}
