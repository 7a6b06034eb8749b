using System.ComponentModel.DataAnnotations;
using System.Globalization;
using NodaTime;

namespace Hazumu.Gateway.Configuration;

/// <summary>The value is the address of an instance.</summary>
[AttributeUsage(AttributeTargets.Property)]
internal sealed class InstanceUrlAttribute : ValidationAttribute
{
    public override bool IsValid(object? value) => value is string text && TryParse(text, out _);

    /// <summary>Reads <c>http://host:port</c>; a path, a query or a user's name has no meaning here.</summary>
    public static bool TryParse(string? text, out Uri url) =>
        Uri.TryCreate(text, UriKind.Absolute, out url!)
            && (url.Scheme == Uri.UriSchemeHttp || url.Scheme == Uri.UriSchemeHttps)
            && url is { AbsolutePath: "/", Query: "", Fragment: "", UserInfo: "" };
}

/// <summary>Every value is such an address.</summary>
[AttributeUsage(AttributeTargets.Property)]
internal sealed class InstanceUrlsAttribute : ValidationAttribute
{
    public override bool IsValid(object? value) => value is IReadOnlyList<string> list && list.All(text => InstanceUrlAttribute.TryParse(text, out _));
}

/// <summary>Every value is a host name or an IP address.</summary>
[AttributeUsage(AttributeTargets.Property)]
internal sealed class ProxiesAttribute : ValidationAttribute
{
    public override bool IsValid(object? value) => value is IReadOnlyList<string> list && list.All(text => Uri.CheckHostName(text) != UriHostNameType.Unknown);
}

/// <summary>Every value is a registry's host, with its port where it has one, or <c>http://</c> before it.</summary>
[AttributeUsage(AttributeTargets.Property)]
internal sealed class RegistriesAttribute : ValidationAttribute
{
    /// <summary>Before the host of a registry without TLS.</summary>
    public const string Insecure = "http://";

    public override bool IsValid(object? value) => value is IReadOnlyList<string> list && list.All(IsHost);

    private static bool IsHost(string text) =>
        Uri.TryCreate(text.StartsWith(Insecure, StringComparison.Ordinal) ? text : $"https://{text}", UriKind.Absolute, out var url)
            && url is { AbsolutePath: "/", Query: "", Fragment: "", UserInfo: "" } && !text.EndsWith('/');
}

/// <summary>The value is a duration longer than none, or is not set.</summary>
[AttributeUsage(AttributeTargets.Property)]
internal sealed class PositiveDurationAttribute : ValidationAttribute
{
    public override bool IsValid(object? value) =>
        value is null || (value is TimeSpan duration && duration > TimeSpan.Zero && duration < TimeSpan.FromDays(20));
}

/// <summary>Every value is a share of requests.</summary>
[AttributeUsage(AttributeTargets.Property)]
internal sealed class SharesAttribute : ValidationAttribute
{
    public override bool IsValid(object? value) => value is IReadOnlyList<string> list && list.All(text => ShareOf(text) is not null);

    /// <summary>Reads a share; <see langword="null"/> where it is none.</summary>
    public static int? ShareOf(string text) =>
        int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var share) && share <= 1_000_000 ? share : null;
}

/// <summary>The value is a time zone of the IANA database.</summary>
[AttributeUsage(AttributeTargets.Property)]
internal sealed class TimeZoneAttribute : ValidationAttribute
{
    public override bool IsValid(object? value) => value is string name && DateTimeZoneProviders.Tzdb.GetZoneOrNull(name) is not null;
}

/// <summary>The value is the address of an issuer of tokens: with TLS, except on this machine.</summary>
[AttributeUsage(AttributeTargets.Property)]
internal sealed class AuthorityAttribute : ValidationAttribute
{
    public override bool IsValid(object? value) => value is string text
        && Uri.TryCreate(text, UriKind.Absolute, out var url)
        && url is { Query: "", Fragment: "", UserInfo: "" }
        && (url.Scheme == Uri.UriSchemeHttps || (url.Scheme == Uri.UriSchemeHttp && url.IsLoopback));
}
