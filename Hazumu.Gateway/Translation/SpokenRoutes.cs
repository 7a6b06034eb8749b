using System.Collections.Concurrent;
using System.Net;
using System.Net.Http.Headers;

namespace Hazumu.Gateway.Translation;

/// <summary>Finds out which routes an engine has that not every version has: an empty request, which no model runs, is refused or is not found.</summary>
/// <param name="send">Sends a request to the engine.</param>
/// <param name="clock">Gives the time.</param>
internal sealed class SpokenRoutes(Func<HttpRequestMessage, CancellationToken, Task<HttpResponseMessage>> send, TimeProvider clock)
{
    // Another version of the engine may run after that.
    private static readonly TimeSpan s_memory = TimeSpan.FromMinutes(10);

    private readonly ConcurrentDictionary<string, (bool IsSpoken, long At)> _known = new(StringComparer.Ordinal);

    /// <summary>Whether the engine has a route.</summary>
    /// <param name="request">The client's request.</param>
    /// <param name="path">The route, of a known set.</param>
    /// <param name="cancellationToken">Cancels the request.</param>
    /// <exception cref="HttpRequestException">The engine cannot be reached.</exception>
    public async ValueTask<bool> HasAsync(HttpRequestMessage request, string path, CancellationToken cancellationToken)
    {
        if (_known.TryGetValue(path, out var known) && clock.GetElapsedTime(known.At) < s_memory)
        {
            return known.IsSpoken;
        }

        using var probe = new HttpRequestMessage(HttpMethod.Post, new Uri(request.RequestUri!, path))
        {
            Headers = { Authorization = request.Headers.Authorization },
            Content = new ByteArrayContent("{}"u8.ToArray()) { Headers = { ContentType = new MediaTypeHeaderValue("application/json") } },
        };
        using var answer = await send(probe, cancellationToken);
        if (answer.StatusCode is HttpStatusCode.Unauthorized or HttpStatusCode.Forbidden or HttpStatusCode.TooManyRequests
            or HttpStatusCode.BadGateway or HttpStatusCode.ServiceUnavailable or HttpStatusCode.GatewayTimeout)
        {
            // It says nothing of the route: the request itself gets the engine's answer.
            return true;
        }

        // No route takes an empty request: LM Studio answers those that it does not have with 200 and an error.
        var isSpoken = !answer.IsSuccessStatusCode && answer.StatusCode is not (HttpStatusCode.NotFound or HttpStatusCode.MethodNotAllowed or HttpStatusCode.NotImplemented);
        _known[path] = (isSpoken, clock.GetTimestamp());
        return isSpoken;
    }
}
