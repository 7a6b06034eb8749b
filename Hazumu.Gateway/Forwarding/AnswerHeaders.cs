using Hazumu.Gateway.Operations;
using Hazumu.Gateway.Requests;

namespace Hazumu.Gateway.Forwarding;

/// <summary>
/// Headers that every answer carries, whether the engine gives it or the gateway. They are set when the answer starts: an attempt that
/// fails clears what was set before, and an engine's own headers of the same names are replaced.
/// </summary>
internal sealed class AnswerHeaders
{
    private readonly HttpResponse _response;
    private readonly Dialect _dialect;
    private readonly string _requestId;

    private AnswerHeaders(HttpResponse response, Dialect dialect, string requestId)
    {
        _response = response;
        _dialect = dialect;
        _requestId = requestId;
    }

    /// <summary>Gives the request its id, which the engine gets too, and sets the answer's headers when it starts.</summary>
    /// <returns>The request's id.</returns>
    public static string Attach(HttpContext context, Dialect dialect)
    {
        var id = RequestId.Of(context.Request);
        context.TraceIdentifier = id;
        context.Request.Headers[RequestId.HeaderName] = id;
        context.Response.OnStarting(static headers => ((AnswerHeaders)headers).SetAsync(), new AnswerHeaders(context.Response, dialect, id));
        return id;
    }

    private Task SetAsync()
    {
        _response.Headers[RequestId.HeaderName] = _requestId;
        if (_dialect == Dialect.Anthropic)
        {
            _response.Headers[RequestId.AnthropicHeaderName] = _requestId;
        }

        return Task.CompletedTask;
    }
}
