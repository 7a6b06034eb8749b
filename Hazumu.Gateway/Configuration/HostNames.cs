using System.ComponentModel.DataAnnotations;
using System.Net;

namespace Hazumu.Gateway.Configuration;

/// <summary>
/// The names by which clients may call the gateway. A page of a stranger's can have its own name resolve to this machine (DNS rebinding):
/// the browser then sends that name as Host, and takes the gateway for a part of the page.
/// </summary>
/// <remarks>Ollama has the same rules where it listens on loopback: <c>allowedHost</c> in its <c>server/routes.go</c>.</remarks>
internal static class HostNames
{
    /// <summary>Allows every name.</summary>
    public const string Any = "*";

    private const string AnySubdomain = "*.";

    // No public name ends with these, so that no stranger's page can have one.
    private static readonly string[] s_localSuffixes = [".localhost", ".local", ".internal"];

    private static readonly string[] s_ownNames = ["", "localhost", Environment.MachineName, Dns.GetHostName()];

    /// <summary>Whether a request with this Host is for the gateway.</summary>
    /// <param name="host">The request's Host.</param>
    /// <param name="settings">The settings.</param>
    public static bool IsAllowed(HostString host, GatewayOptions settings)
    {
        var name = host.Host.AsSpan().TrimEnd('.');
        if (IPAddress.TryParse(name.Trim("[]"), out _))
        {
            // Only names can be pointed somewhere else.
            return true;
        }

        foreach (var suffix in s_localSuffixes)
        {
            if (name.EndsWith(suffix, StringComparison.OrdinalIgnoreCase))
            {
                return true;
            }
        }

        foreach (var own in s_ownNames)
        {
            if (name.Equals(own, StringComparison.OrdinalIgnoreCase))
            {
                return true;
            }
        }

        foreach (var allowed in settings.AllowedHosts)
        {
            if (allowed == Any
                || name.Equals(allowed, StringComparison.OrdinalIgnoreCase)
                || (allowed.StartsWith(AnySubdomain, StringComparison.Ordinal) && name.EndsWith(allowed.AsSpan(1), StringComparison.OrdinalIgnoreCase)))
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>Whether a value of the setting is a name, <c>*.</c> with a name, or <c>*</c>. An address is allowed anyhow, and no mistake.</summary>
    public static bool IsValid(string text) =>
        text == Any || Uri.CheckHostName(text.StartsWith(AnySubdomain, StringComparison.Ordinal) ? text[AnySubdomain.Length..] : text) != UriHostNameType.Unknown;
}

/// <summary>Every value is a host name, <c>*.</c> with a host name, or <c>*</c>.</summary>
[AttributeUsage(AttributeTargets.Property)]
internal sealed class HostNamesAttribute : ValidationAttribute
{
    public override bool IsValid(object? value) => value is IReadOnlyList<string> list && list.All(HostNames.IsValid);
}
