using System.Net;
using Hazumu.Gateway.Configuration;
using Hazumu.Gateway.Instances;
using Hazumu.Gateway.Keys;
using Hazumu.Gateway.Operations;
using Hazumu.Gateway.Requests;
using Yarp.ReverseProxy.Forwarder;

namespace Hazumu.Gateway.Forwarding;

/// <summary>
/// Everything that runs no model: looking at one, managing them, and what the gateway does not know. Goes to the instance that the
/// header <c>Hazumu-Instance</c> names, else to one that has the model, else to the first that is well; a deletion to all that have it.
/// </summary>
/// <remarks>Not tried again: what changes something must not be done twice.</remarks>
internal sealed class ManagementHandler(ModelGate gate, Fleet fleet, FleetMonitor monitor, IHttpForwarder forwarder, AttemptWatch watch)
{
    private static readonly string[] s_removedHeaders = [GatewayHeaders.Instance];

    /// <summary>Handles a request.</summary>
    /// <returns>Why it is refused; <see langword="null"/> where it was answered, or broken off.</returns>
    public async ValueTask<GatewayRefusal?> HandleAsync(HttpContext context, GatewayRequest request)
    {
        RequestBody? body = null;
        if (request.Operation.Model is ModelPlace.Body or ModelPlace.Source)
        {
            (body, _, var refusal) = await gate.ReadAsync(context, request);
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
            var named = context.Request.Headers[GatewayHeaders.Instance].ToString();
            var instances = Candidates(request, named);
            if (instances.Count == 0)
            {
                return named.Length > 0
                    ? GatewayRefusal.BadRequest(request.Caller.Has(Scope.Read)
                        ? $"There is no instance '{named}'; there are: {string.Join(", ", fleet.Instances.Select(instance => instance.Name))}."
                        : $"There is no instance '{named}'.")
                    : GatewayRefusal.Unreachable();
            }

            if (request.Operation.Handling == Handling.Everywhere && body is { IsWhole: true })
            {
                // All but one beside the forwarder; its answer is the client's.
                foreach (var other in instances.Skip(1))
                {
                    if (await DeleteAsync(context, other, body) is { } problem)
                    {
                        return problem;
                    }

                    monitor.Refresh(other);
                }
            }

            return await ForwardAsync(context, request, instances[0], body);
        }
    }

    private async ValueTask<GatewayRefusal?> ForwardAsync(HttpContext context, GatewayRequest request, Instance instance, RequestBody? body)
    {
        request.Instance = instance.Name;
        if (body is not null)
        {
            context.Request.Body = body.Open();
        }

        var end = await new Attempt(request, instance, lease: null, body, s_removedHeaders, tryRetryBusy: null).RunAsync(context, forwarder, watch);
        if (body is not null)
        {
            request.RequestBytes = Math.Max(request.RequestBytes, body.BytesRead);
        }

        if (request.Operation.Scope == Scope.Admin)
        {
            monitor.Refresh(instance);
        }

        if (end is AttemptEnd.Failed or AttemptEnd.TimedOut or AttemptEnd.BadBody)
        {
            return GatewayRefusal.From(end);
        }

        request.Outcome = InferenceHandler.OutcomeOf(end, request, context.Response.StatusCode);
        return null;
    }

    private List<Instance> Candidates(GatewayRequest request, string named)
    {
        var model = request.Model is { } asked ? ModelName.Normalise(asked) ?? asked : null;
        lock (fleet.Gate)
        {
            if (named.Length > 0)
            {
                return [.. fleet.Instances.Where(instance => instance.Name == named)];
            }

            var usable = fleet.Instances.Where(instance => instance.Circuit.State != CircuitState.Open).ToList();
            if (request.Operation.Name is "create" or "blob")
            {
                // What is made is made of blobs that were sent before: all to the same instance.
                return [.. usable.Take(1)];
            }

            var having = model is null ? [] : usable.Where(instance => instance.Has(model) == true).ToList();
            return having.Count > 0 ? having : request.Operation.Name == "pull"
                ? [.. usable.OrderBy(instance => instance.Stored?.Values.Sum(stored => stored.Size) ?? 0).Take(1)]
                : [.. usable.Take(1)];
        }
    }

    private static async ValueTask<GatewayRefusal?> DeleteAsync(HttpContext context, Instance instance, RequestBody body)
    {
        using var delete = new HttpRequestMessage(HttpMethod.Delete, new Uri(instance.Url, "/api/delete")) { Content = new ReadOnlyMemoryContent(body.Head) };
        delete.Content.Headers.ContentType = new("application/json");
        delete.Headers.Add(RequestId.HeaderName, context.TraceIdentifier);
        try
        {
            using var response = await instance.Client.SendAsync(delete, context.RequestAborted);
            return response.IsSuccessStatusCode || response.StatusCode == HttpStatusCode.NotFound ? null
                : new(Outcome.EngineError, StatusCodes.Status502BadGateway, $"The instance '{instance.Name}' did not delete the model: {(int)response.StatusCode}.");
        }
        catch (HttpRequestException error)
        {
            return new(Outcome.EngineUnreachable, StatusCodes.Status502BadGateway, $"The instance '{instance.Name}' could not be reached to delete the model: {error.Message}");
        }
    }
}
