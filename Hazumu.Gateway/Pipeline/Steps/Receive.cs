using Hazumu.Gateway.Pipeline.Clients;
using Hazumu.Gateway.Pipeline.Operations;
using Hazumu.Gateway.Pipeline.Requests;

namespace Hazumu.Gateway.Pipeline.Steps;

/// <summary>Takes a request in: gives it its id, matches its operation, and rejects what no key could allow.</summary>
internal sealed class Receive(AddressLimit addresses, BrowserRules browsers, TimeProvider time)
{
    /// <summary>Begins a request. Its operation is matched first: every answer, a refusal too, has the operation's dialect.</summary>
    public Received Begin(HttpContext context)
    {
        var isPathClean = EncodedSlashes.TryDecode(context);
        var operation = OperationTable.Match(context.Request.Method, context.Request.Path.Value ?? "/");
        var headers = AnswerHeaders.Attach(context, operation.Dialect);
        var problem = !OperationTable.IsMethod(context.Request.Method) ? GatewayRefusal.BadRequest($"The method '{context.Request.Method}' is not in upper case; methods are case-sensitive.")
            : !isPathClean ? GatewayRefusal.BadRequest("The path has a segment '.' or '..' beside an encoded slash.")

            // SocketsHttpHandler would take it for a tunnel of its own, and the instance for broken when that fails.
            : HttpMethods.IsConnect(context.Request.Method) ? GatewayRefusal.BadRequest("CONNECT requests a tunnel, but the gateway is not such a proxy.")
            : null;
        return new(new GatewayRequest { Operation = operation, Context = context, Id = headers.RequestId, Clock = time }, headers, problem);
    }

    /// <summary>Checks a request and where it comes from, and counts it against the limit of its address.</summary>
    /// <returns>Why it is refused; <see langword="null"/> if it goes on.</returns>
    public GatewayRefusal? Check(HttpContext context, in Received received)
    {
        if (received.Problem is not null)
        {
            return received.Problem;
        }

        // First, so that a page may read the answer that its address has reached its limit.
        var stranger = browsers.Check(context, received.Headers);
        return addresses.Take(context.Connection.RemoteIpAddress) is { } wait
            ? new GatewayRefusal(Outcome.RateLimited, StatusCodes.Status429TooManyRequests, "This address has reached its limit of requests per minute; try again later.", wait)
            : stranger;
    }
}

/// <summary>A received request.</summary>
/// <param name="Request">The request's state.</param>
/// <param name="Headers">The headers of its answer.</param>
/// <param name="Problem">Why it is malformed; <see langword="null"/> if it is not.</param>
internal readonly record struct Received(GatewayRequest Request, AnswerHeaders Headers, GatewayRefusal? Problem);
