using Hazumu.Gateway.Keys;
using Hazumu.Gateway.Pipeline.Bodies;
using Hazumu.Gateway.Pipeline.Requests;
using Hazumu.Gateway.Upstreams;

namespace Hazumu.Gateway.Pipeline.Steps;

/// <summary>
/// Finds the person behind a key that is trusted to name them. For any other key, headers and body are ignored, and
/// pass unchanged.
/// </summary>
internal sealed class NameEndUser(EndUsers endUsers)
{
    /// <summary>Whether only the body can name the end user of a request.</summary>
    public static bool NeedsBody(GatewayRequest request) => request.EndUser is null && request.Caller.Key?.EndUsers is { ReadsBody: true };

    /// <summary>Reads the headers.</summary>
    /// <returns>Why the request is refused; <see langword="null"/> if it goes on.</returns>
    public GatewayRefusal? FromHeaders(HttpContext context, GatewayRequest request)
    {
        if (request.Caller.EndUser is { } subject)
        {
            return Set(request, subject, "the token");
        }

        if (request.Caller.Key?.EndUsers is not { } sources)
        {
            return null;
        }

        foreach (var header in sources.Headers)
        {
            if (context.Request.Headers.TryGetValue(header, out var values) && values is [{ } value] && GatewayHeaders.Decode(value).Trim() is { Length: > 0 } name)
            {
                return Set(request, name, header);
            }
        }

        return null;
    }

    /// <summary>Reads what was found in the body.</summary>
    /// <returns>Why the request is refused; <see langword="null"/> if it goes on.</returns>
    public GatewayRefusal? FromBody(GatewayRequest request, in RequestHeadResult head) =>
        head.EndUser?.Trim() is { Length: > 0 } name ? Set(request, name, "user") : null;

    private GatewayRefusal? Set(GatewayRequest request, string name, string source)
    {
        if (name.Length > EndUsers.LongestName)
        {
            return GatewayRefusal.BadRequest($"The end user in '{source}' has {name.Length} characters; allowed: {EndUsers.LongestName}.");
        }

        request.EndUser = endUsers.Name(name);
        return null;
    }
}
