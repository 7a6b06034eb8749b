using Hazumu.Gateway.Pipeline.Forwarding;
using Hazumu.Gateway.Pipeline.Requests;

namespace Hazumu.Gateway.Pipeline.Steps;

/// <summary>Ends a request: writes the gateway's own answer if there is one, and decides the outcome. Nothing else sets it.</summary>
internal sealed partial class Complete(ILogger<Complete> logger)
{
    /// <summary>Turns what was thrown into the end of the request.</summary>
    public Completion FromException(HttpContext context, GatewayRequest request, Exception error)
    {
        switch (error)
        {
            case OperationCanceledException when context.RequestAborted.IsCancellationRequested:
                return Completion.ClientDisconnect;
            case BadHttpRequestException malformed:
                return GatewayRefusal.BadRequest(malformed.Message) with { Status = malformed.StatusCode };

            // Only the client's side is read and written here.
            case IOException:
                return Judgement.IsMalformed(error) ? GatewayRefusal.BadRequest(error.Message) : Completion.ClientDisconnect;
            default:
                LogBug(error, request.Operation.Name);
                return new(Outcome.GatewayError, GatewayRefusal.GatewayFailed, ExemptsInstance: true);
        }
    }

    /// <summary>Writes the gateway's own answer, and sets outcome and status.</summary>
    public static async ValueTask RunAsync(HttpContext context, GatewayRequest request, Completion completion)
    {
        request.Outcome = completion.Refusal is { } refusal && !await TryWriteAsync(context, request, refusal) ? Outcome.ClientDisconnect : completion.Outcome;
        request.StatusCode = request.KeepAlive is { HasBegun: true } ? StatusCodes.Status200OK
            : request.Outcome == Outcome.ClientDisconnect && !context.Response.HasStarted
                ? StatusCodes.Status499ClientClosedRequest
                : context.Response.StatusCode;
        request.ExemptsInstance = completion.ExemptsInstance;
    }

    /// <returns>Whether the client is there to have it.</returns>
    private static async ValueTask<bool> TryWriteAsync(HttpContext context, GatewayRequest request, GatewayRefusal refusal)
    {
        if (request.KeepAlive is { HasBegun: true } keepAlive && request.FirstByte == 0)
        {
            await keepAlive.WriteErrorAsync(refusal);
            return true;
        }

        var hasStarted = context.Response.HasStarted || request.KeepAlive is { HasBegun: true };
        if (hasStarted && refusal.Outcome != Outcome.BadRequest)
        {
            // The client must not take what it has for the whole answer.
            context.Abort();
            return true;
        }

        try
        {
            if (!context.Response.HasStarted)
            {
                // For the log, if the connection is gone already: then no answer is written.
                context.Response.StatusCode = refusal.Status;
            }

            await DialectError.WriteAsync(context, request.Operation.Dialect, refusal.Status, refusal.Message, refusal.RetryAfter, refusal.Challenge);

            // Kestrel takes a body that ends with its connection for a malformed one, and lets the connection go before it says so.
            return refusal.Outcome != Outcome.BadRequest || !(await context.Response.BodyWriter.FlushAsync()).IsCompleted;
        }
        catch (Exception error) when (error is OperationCanceledException or IOException)
        {
            return false;
        }
    }

    [LoggerMessage(Level = LogLevel.Error, Message = "The operation '{Operation}' failed in the gateway itself.")]
    private partial void LogBug(Exception error, string operation);
}
