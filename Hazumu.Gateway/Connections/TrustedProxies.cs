using System.Net;
using Hazumu.Gateway.Configuration;
using Hazumu.Gateway.Instances;
using Microsoft.AspNetCore.HttpOverrides;

namespace Hazumu.Gateway.Connections;

/// <summary>
/// Removes X-Forwarded-… from requests that do not come from one of the proxies that <c>Gateway:Proxies</c> names, before the framework
/// believes it: every container of the gateway's network could choose its address otherwise.
/// </summary>
/// <param name="resolve">Resolves names.</param>
/// <param name="settings">The settings.</param>
/// <param name="time">The clock.</param>
internal sealed class TrustedProxies(NameResolver resolve, GatewaySettings settings, TimeProvider time) : IStartupFilter
{
    private static readonly TimeSpan s_interval = TimeSpan.FromSeconds(1);

    private HashSet<IPAddress> _known = [];
    private DateTimeOffset _resolvedAt;

    /// <inheritdoc/>
    public Action<IApplicationBuilder> Configure(Action<IApplicationBuilder> next) => app =>
    {
        app.Use(async (HttpContext context, RequestDelegate rest) =>
        {
            var headers = context.Request.Headers;
            if ((headers.ContainsKey(ForwardedHeadersDefaults.XForwardedForHeaderName) || headers.ContainsKey(ForwardedHeadersDefaults.XForwardedProtoHeaderName) || headers.ContainsKey(ForwardedHeadersDefaults.XForwardedHostHeaderName))
                && settings.Current.Proxies is { Count: > 0 } proxies
                && !await IsTrustedAsync(context.Connection.RemoteIpAddress, proxies, context.RequestAborted))
            {
                headers.Remove(ForwardedHeadersDefaults.XForwardedForHeaderName);
                headers.Remove(ForwardedHeadersDefaults.XForwardedProtoHeaderName);
                headers.Remove(ForwardedHeadersDefaults.XForwardedHostHeaderName);
            }

            await rest(context);
        });
        next(app);
    };

    private async ValueTask<bool> IsTrustedAsync(IPAddress? address, IReadOnlyList<string> proxies, CancellationToken cancellationToken)
    {
        if (address is null)
        {
            return false;
        }

        var plain = address.IsIPv4MappedToIPv6 ? address.MapToIPv4() : address;
        if (_known.Contains(plain))
        {
            return true;
        }

        // A proxy that was replaced has another address.
        var now = time.GetUtcNow();
        if (now - _resolvedAt < s_interval)
        {
            return false;
        }

        _resolvedAt = now;
        var known = new HashSet<IPAddress>();
        foreach (var proxy in proxies)
        {
            try
            {
                known.UnionWith(IPAddress.TryParse(proxy, out var given) ? [given] : await resolve(proxy, cancellationToken));
            }
            catch (System.Net.Sockets.SocketException)
            {
                // Not there, and so it has sent nothing.
            }
        }

        _known = known;
        return known.Contains(plain);
    }
}
