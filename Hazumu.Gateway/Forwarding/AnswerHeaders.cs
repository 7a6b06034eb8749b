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

    private AnswerHeaders(HttpResponse response, Dialect dialect, string requestId)
    {
        _response = response;
        _dialect = dialect;
        RequestId = requestId;
    }

    /// <summary>The request's id.</summary>
    public string RequestId { get; }

    /// <summary>Sets the headers by which a page of another origin may read the answer; <see langword="null"/> where it may not, or need not.</summary>
    public Action<HttpResponse>? ApplyCors { get; set; }

    /// <summary>Gives a request its id, which the engine gets too, and sets the headers of its answer when that starts.</summary>
    public static AnswerHeaders Attach(HttpContext context, Dialect dialect)
    {
        var headers = new AnswerHeaders(context.Response, dialect, Requests.RequestId.Of(context.Request));
        context.TraceIdentifier = headers.RequestId;
        context.Request.Headers[Requests.RequestId.HeaderName] = headers.RequestId;
        context.Response.OnStarting(static state => ((AnswerHeaders)state).SetAsync(), headers);
        return headers;
    }

    private Task SetAsync()
    {
        var headers = _response.Headers;
        headers[Requests.RequestId.HeaderName] = RequestId;
        if (_dialect == Dialect.Anthropic)
        {
            headers[Requests.RequestId.AnthropicHeaderName] = RequestId;
        }

        // An engine knows nothing of the page's origin.
        headers.AccessControlAllowOrigin = default;
        headers.AccessControlAllowCredentials = default;
        headers.AccessControlExposeHeaders = default;
        ApplyCors?.Invoke(_response);
        return Task.CompletedTask;
    }
}
