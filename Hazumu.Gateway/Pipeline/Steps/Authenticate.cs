using Hazumu.Gateway.Keys;
using Hazumu.Gateway.Pipeline.Operations;
using Hazumu.Gateway.Pipeline.Requests;

namespace Hazumu.Gateway.Pipeline.Steps;

/// <summary>Finds the caller of a request and checks that its key has the scope of the operation.</summary>
internal sealed class Authenticate(Authenticator authenticator)
{
    /// <summary>Sets the caller, and removes the headers that hold the gateway's key.</summary>
    /// <param name="context">The request.</param>
    /// <param name="request">What is known of it.</param>
    /// <param name="caller">The caller, if it is known already.</param>
    /// <returns>Why the request is refused; <see langword="null"/> if it goes on.</returns>
    public async ValueTask<GatewayRefusal?> RunAsync(HttpContext context, GatewayRequest request, Caller? caller = null)
    {
        var operation = request.Operation;
        var authentication = caller is null
            ? await authenticator.AuthenticateAsync(context.Request, context.RequestAborted)
            : new(caller, Refusal.None, KeyHeaders.None);
        request.Caller = authentication.Caller;
        if (authentication.Refusal != Refusal.None && operation.Scope != Scope.None)
        {
            request.Refusal = authentication.Refusal;
            var sentence = authentication.ToSentence(IsOllama(context));
            return authentication.Refusal switch
            {
                Refusal.NoRule => GatewayRefusal.Forbidden(sentence),
                Refusal.IssuerUnreachable => new(Outcome.GatewayError, StatusCodes.Status503ServiceUnavailable, sentence, IssuerKeys.Pause),
                _ => Unauthorized(context, sentence) with { Challenge = authentication.Challenge },
            };
        }

        var isAllowed = request.Caller.May(operation.Scope);
        if (operation.Handling == Handling.Unknown
            && OperationTable.FindIntended(context.Request.Method, context.Request.Path.Value!) is var intended
            && (intended is not null || !isAllowed))
        {
            return GatewayRefusal.NotFound(context.Request.Method, context.Request.Path.Value!, intended);
        }

        if (!isAllowed)
        {
            return GatewayRefusal.Forbidden($"{request.Caller.Credential} lacks the scope '{string.Join(", ", ScopeNames.Of(operation.Scope))}' that this needs.");
        }

        authentication.Headers.RemoveFrom(context.Request.Headers);
        return null;
    }

    /// <summary>Refuses a request whose key is missing or not valid any more.</summary>
    /// <remarks>Ollama's client shows no message of a 401: it reports "You need to be signed in to Ollama", and exits with 0.</remarks>
    public static GatewayRefusal Unauthorized(HttpContext context, string message) =>
        new(Outcome.Unauthorized, IsOllama(context) ? StatusCodes.Status403Forbidden : StatusCodes.Status401Unauthorized, message);

    private static bool IsOllama(HttpContext context) => context.Request.Headers.UserAgent.ToString().StartsWith("ollama/", StringComparison.Ordinal);
}
