using System.Net;
using Hazumu.Gateway.Configuration;
using Hazumu.Gateway.Upstreams;
using Microsoft.AspNetCore.HttpOverrides;

namespace Hazumu.Gateway.Pipeline.Clients;

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

    private readonly Lock _gate = new();
    private volatile Dictionary<string, IPAddress[]> _known = [];
    private DateTimeOffset _resolvedAt;
    private Task? _resolving;

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
        if (IsKnown(plain, proxies))
        {
            return true;
        }

        // A proxy that was replaced has another address. Requests that come together wait for the same resolution.
        Task resolving;
        lock (_gate)
        {
            if (_resolving is not { IsCompleted: false })
            {
                if (time.GetUtcNow() - _resolvedAt < s_interval)
                {
                    return IsKnown(plain, proxies);
                }

                _resolving = ResolveAsync(proxies);
            }

            resolving = _resolving;
        }

        await resolving.WaitAsync(cancellationToken);
        return IsKnown(plain, proxies);
    }

    private bool IsKnown(IPAddress address, IReadOnlyList<string> proxies)
    {
        var known = _known;
        return proxies.Any(proxy => known.TryGetValue(proxy, out var addresses) && addresses.Contains(address));
    }

    private async Task ResolveAsync(IReadOnlyList<string> proxies)
    {
        var known = new Dictionary<string, IPAddress[]>();
        foreach (var proxy in proxies)
        {
            try
            {
                known[proxy] = IPAddress.TryParse(proxy, out var given) ? [given] : await resolve(proxy, CancellationToken.None);
            }
            catch (System.Net.Sockets.SocketException)
            {
                // A name that cannot be resolved just now keeps its addresses.
                known[proxy] = _known.GetValueOrDefault(proxy) ?? [];
            }
        }

        _known = known;
        _resolvedAt = time.GetUtcNow();
    }
}
