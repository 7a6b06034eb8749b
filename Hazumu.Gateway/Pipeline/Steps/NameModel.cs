using Hazumu.Gateway.Admission;
using Hazumu.Gateway.Pipeline.Bodies;
using Hazumu.Gateway.Pipeline.Operations;
using Hazumu.Gateway.Pipeline.Requests;
using Hazumu.Gateway.Streams;
using Hazumu.Gateway.Upstreams;

namespace Hazumu.Gateway.Pipeline.Steps;

/// <summary>
/// Has a request name the model that serves it, as its engine spells it, where the client has named it otherwise.
/// </summary>
internal static class NameModel
{
    /// <summary>Names the model in the body, or in the path.</summary>
    /// <param name="context">The request.</param>
    /// <param name="request">The request's state.</param>
    /// <param name="body">Its body; <see langword="null"/> if it has none.</param>
    /// <param name="instance">Its instance; <see langword="null"/> if none is chosen yet.</param>
    /// <param name="model">The model's full name.</param>
    /// <param name="fallback">Why the model before it in its chain does not serve the request.</param>
    public static void Run(
        HttpContext context,
        GatewayRequest request,
        RequestBody? body,
        Instance? instance,
        string model,
        FallbackReason fallback)
    {
        if (request.Chain is { } chain)
        {
            request.Served = model == request.FullModel ? null : chain.Find(model);
            request.Fallback = fallback;
        }

        if (body is not null)
        {
            // If Ollama's API is translated, the translation finds the id, and answers with the client's name.
            var id = request.Operation.Dialect == Dialect.Native ? null : instance?.Ids.Find(model);
            var name = id ?? request.Served?.Name;
            body.NameModel(name == request.Model ? null : name);
            context.Request.ContentLength = body.Length;
        }
        else if (request is { Served: { } served, Operation.Model: ModelPlace.Path })
        {
            context.Request.Path = OperationTable.ModelPath + served.Name;
        }
    }
}
