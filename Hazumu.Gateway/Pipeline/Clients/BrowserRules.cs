using Hazumu.Gateway.Configuration;
using Hazumu.Gateway.Pipeline.Requests;
using Hazumu.Gateway.Streams;
using Hazumu.Gateway.Upstreams;
using Microsoft.AspNetCore.Cors.Infrastructure;

namespace Hazumu.Gateway.Pipeline.Clients;

/// <summary>
/// Keeps pages of strangers from using the gateway through the browser of a user who may: Host and Origin are checked as Ollama
/// checks them, and allowed pages of other origins get CORS headers with every answer. The engine sees neither header: it would compare
/// the origin with a Host that is its own, and answer only for itself.
/// </summary>
internal sealed class BrowserRules(GatewaySettings settings, ICorsService cors)
{
    // Which origins are allowed is decided before. Keys come in headers, so that no credentials of the browser's are needed.
    private static readonly CorsPolicy s_policy = new CorsPolicyBuilder()
        .SetIsOriginAllowed(_ => true)
        .AllowAnyHeader()
        .AllowAnyMethod()
        .WithExposedHeaders(
            GatewayHeaders.Instance, GatewayHeaders.Model, GatewayHeaders.QueuePosition, GatewayHeaders.RequestId, RequestId.AnthropicHeaderName, "Retry-After", "x-should-retry")
        .SetPreflightMaxAge(TimeSpan.FromHours(12))
        .Build();

    /// <summary>Checks where a request comes from and what it takes the gateway for.</summary>
    /// <param name="context">The request.</param>
    /// <param name="headers">The headers of its answer.</param>
    /// <returns>Why it is refused; <see langword="null"/> where it is not.</returns>
    public GatewayRefusal? Check(HttpContext context, AnswerHeaders headers)
    {
        var request = context.Request;
        if (!HostNames.IsAllowed(request.Host, settings.Current))
        {
            return GatewayRefusal.Forbidden(
                $"'{Printable(request.Host.Host)}' is not a name of this gateway: call it by its address or as 'localhost', or add the name to 'Gateway:AllowedHosts'.");
        }

        if (request.Headers.Origin.ToString() is not { Length: > 0 } origin || Origins.IsSame(origin, request.Host.Value ?? ""))
        {
            request.Headers.Origin = default;
            return null;
        }

        if (!Origins.IsAllowed(origin, settings.Current.AllowedOrigins))
        {
            return GatewayRefusal.Forbidden($"Pages of '{Printable(origin)}' may not use this gateway: add that origin to 'Gateway:AllowedOrigins'.");
        }

        var result = cors.EvaluatePolicy(context, s_policy);
        headers.ApplyCors = response => cors.ApplyResult(result, response);
        request.Headers.Origin = default;
        return null;
    }

    /// <summary>Lets a request reach an endpoint of the gateway's own (health, metrics, peers), if it may.</summary>
    /// <param name="context">The request.</param>
    /// <param name="next">The endpoint.</param>
    public Task ProtectAsync(HttpContext context, RequestDelegate next)
    {
        var headers = AnswerHeaders.Attach(context, Dialect.Native);
        return Check(context, headers) is { } refusal
            ? DialectError.WriteAsync(context, Dialect.Native, refusal.Status, refusal.Message).AsTask()
            : next(context);
    }

    // Shown to people; whatever else a client may have put there is not.
    private static string Printable(string text) => new([.. text.Take(253).Select(character => character is > ' ' and <= '~' and not '\'' ? character : '?')]);
}
