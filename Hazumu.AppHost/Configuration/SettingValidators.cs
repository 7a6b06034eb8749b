using System.ComponentModel.DataAnnotations;
using System.Net;
using System.Net.Sockets;
using System.Text.RegularExpressions;

namespace Hazumu.AppHost.Configuration;

/// <summary>The value is an IPv4 address: Aspire puts an IPv6 address into URLs without brackets (AllocatedEndpoint.UriString), where no health check finds it.</summary>
[AttributeUsage(AttributeTargets.Property)]
internal sealed class IPv4AddressAttribute : ValidationAttribute
{
    public override bool IsValid(object? value) =>
        value is string text && IPAddress.TryParse(text, out var address) && address.AddressFamily == AddressFamily.InterNetwork && address.ToString() == text;
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
