using Hazumu.Gateway.Admission;
using Hazumu.Gateway.Pipeline.Bodies;
using Hazumu.Gateway.Pipeline.Operations;
using Hazumu.Gateway.Pipeline.Requests;

namespace Hazumu.Gateway.Pipeline.Steps;

/// <summary>Has a request name the model that serves it, where the client has named another one.</summary>
internal static class NameModel
{
    /// <summary>Names the model in the body, or in the path.</summary>
    /// <param name="context">The request.</param>
    /// <param name="request">What is known of it.</param>
    /// <param name="body">Its body; <see langword="null"/> if it has none.</param>
    /// <param name="model">The model's full name.</param>
    /// <param name="fallback">Why the model before it in its chain does not serve the request.</param>
    public static void Run(
        HttpContext context, GatewayRequest request, RequestBody? body, string model, FallbackReason fallback)
    {
        if (request.Chain is not { } chain)
        {
            return;
        }

        request.Served = model == request.FullModel ? null : chain.Find(model);
        request.Fallback = fallback;
        if (body is not null)
        {
            body.NameModel(request.Served?.Name);
            context.Request.ContentLength = body.Length;
        }
        else if (request is { Served: { } served, Operation.Model: ModelPlace.Path })
        {
            context.Request.Path = OperationTable.ModelPath + served.Name;
        }
    }
}
