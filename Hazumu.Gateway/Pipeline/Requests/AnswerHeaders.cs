using System.Net.Http.Headers;
using Hazumu.Gateway.Streams;
using Hazumu.Gateway.Upstreams;

namespace Hazumu.Gateway.Pipeline.Requests;

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
        context.Request.Headers[GatewayHeaders.RequestId] = headers.RequestId;
        context.Response.OnStarting(static state => ((AnswerHeaders)state).SetAsync(), headers);
        return headers;
    }

    /// <summary>Removes headers that an engine may send and Kestrel refuses to: those with a control character.</summary>
    public static void RemoveInvalid(HttpResponseMessage answer)
    {
        RemoveInvalid(answer.Headers);
        RemoveInvalid(answer.Content.Headers);
    }

    private static void RemoveInvalid(HttpHeaders headers)
    {
        List<string>? invalid = null;
        foreach (var (name, values) in headers.NonValidated)
        {
            foreach (var value in values)
            {
                if (value.AsSpan().ContainsAnyInRange('\0', '\x1F') || value.Contains('\x7F', StringComparison.Ordinal))
                {
                    (invalid ??= []).Add(name);
                    break;
                }
            }
        }

        foreach (var name in invalid ?? [])
        {
            headers.Remove(name);
        }
    }

    private Task SetAsync()
    {
        var headers = _response.Headers;
        headers[GatewayHeaders.RequestId] = RequestId;
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
