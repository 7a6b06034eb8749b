using Hazumu.Gateway.Configuration;
using Hazumu.Gateway.Keys;
using Hazumu.Gateway.Pipeline.Requests;
using Hazumu.Gateway.Upstreams;

namespace Hazumu.Gateway.Pipeline.Steps;

/// <summary>Reads the priority of a request: that of its key, or the lower one that its header gives.</summary>
internal static class ReadPriority
{
    private const int LongestText = 40;

    /// <summary>Sets the priority.</summary>
    /// <returns>Why the request is refused; <see langword="null"/> if it goes on.</returns>
    public static GatewayRefusal? Run(HttpContext context, GatewayRequest request)
    {
        var own = request.Caller.Key?.Priority ?? Priority.Normal;
        request.Priority = own;
        if (context.Request.Headers[GatewayHeaders.Priority] is not { Count: > 0 } wanted)
        {
            return null;
        }

        var text = wanted.ToString();
        if (!PriorityNames.TryParse(text, out var priority))
        {
            text = text[..Math.Min(text.Length, LongestText)];
            return GatewayRefusal.BadRequest(
                $"The header '{GatewayHeaders.Priority}' is '{text}'; allowed: {PriorityNames.Allowed}.");
        }

        request.Priority = priority > own ? priority : own;
        return null;
    }
}
