using System.ComponentModel.DataAnnotations;
using System.Net;
using System.Net.Sockets;
using System.Text.RegularExpressions;

namespace Hazumu.Hosting.Settings;

/// <summary>
/// The value is an IPv4 address: Aspire puts an IPv6 address into URLs without brackets (AllocatedEndpoint.UriString),
/// where no health check finds it.
/// </summary>
[AttributeUsage(AttributeTargets.Property)]
internal sealed class IPv4AddressAttribute : ValidationAttribute
{
    public override bool IsValid(object? value) =>
        value is string text && IPAddress.TryParse(text, out var address) && address.AddressFamily == AddressFamily.InterNetwork && address.ToString() == text;
}

/// <summary>
/// The value is a host name or an IPv4 address, without scheme, port and path; as <c>caddy/start.sh</c> checks it.
/// </summary>
[AttributeUsage(AttributeTargets.Property)]
internal sealed class HostNameAttribute : ValidationAttribute
{
    public override bool IsValid(object? value) =>
        value is null || (value is string text && Uri.CheckHostName(text) is UriHostNameType.Dns or UriHostNameType.IPv4 && Regex.IsMatch(text, "^[A-Za-z0-9.-]+$")
            && (Uri.CheckHostName(text) == UriHostNameType.IPv4 || !Regex.IsMatch(text, "^[0-9.]+$")));
}

/// <summary>
/// The value is a list of addresses and ranges, separated by commas; as <c>caddy/start.sh</c> checks it.
/// </summary>
[AttributeUsage(AttributeTargets.Property)]
internal sealed class AddressRangesAttribute : ValidationAttribute
{
    public override bool IsValid(object? value) =>
        value is string text && text.Split(',', StringSplitOptions.TrimEntries).All(item => IPAddress.TryParse(item.Split('/')[0], out var address)
            && (address.AddressFamily == AddressFamily.InterNetworkV6 || address.ToString() == item.Split('/')[0])
            && (!item.Contains('/', StringComparison.Ordinal) || (int.TryParse(item.Split('/', 2)[1], System.Globalization.NumberStyles.None, null, out var length) && length <= (address.AddressFamily == AddressFamily.InterNetwork ? 32 : 128))));
}

/// <summary>The value is an engine's address: http or https, without a path and a user.</summary>
[AttributeUsage(AttributeTargets.Property)]
internal sealed class EngineUrlAttribute : ValidationAttribute
{
    public override bool IsValid(object? value) =>
        value is string text && Uri.TryCreate(text, UriKind.Absolute, out var url) && (url.Scheme == Uri.UriSchemeHttp || url.Scheme == Uri.UriSchemeHttps)
            && url is { PathAndQuery: "/", UserInfo: "", Fragment: "" };
}

/// <summary>The value is a container image reference.</summary>
[AttributeUsage(AttributeTargets.Property)]
internal sealed class ImageReferenceAttribute : ValidationAttribute
{
    public override bool IsValid(object? value) => value is null || ImageReference.Parse((string)value) is not null;
}

/// <summary>Each item of the list matches the whole pattern.</summary>
/// <param name="pattern">A regular expression.</param>
[AttributeUsage(AttributeTargets.Property)]
internal sealed class EachMatchesAttribute(string pattern) : ValidationAttribute
{
    public override bool IsValid(object? value) =>
        value is IEnumerable<string> items && items.All(item => Regex.IsMatch(item, $"^(?:{pattern})$"));
}
