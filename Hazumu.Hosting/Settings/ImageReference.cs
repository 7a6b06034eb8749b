using System.Text.RegularExpressions;

namespace Hazumu.Hosting.Settings;

/// <summary>A container image reference, taken apart as Docker does.</summary>
/// <param name="Registry">Host, with its port; <see langword="null"/> where the reference names none.</param>
/// <param name="Repository">The path in the registry.</param>
/// <param name="Tag">The tag, or <see langword="null"/>.</param>
/// <param name="Sha256">The digest's hexadecimal digits, or <see langword="null"/>.</param>
internal sealed partial record ImageReference(string? Registry, string Repository, string? Tag, string? Sha256)
{
    /// <summary>Takes a reference apart; <see langword="null"/> where it is none.</summary>
    public static ImageReference? Parse(string? text)
    {
        var match = Pattern().Match(text ?? "");
        return match.Success
            ? new(Part("registry"), match.Groups["repository"].Value, Part("tag"), Part("sha256"))
            : null;

        string? Part(string name) => match.Groups[name] is { Success: true, Value: var value } ? value : null;
    }

    // The first part is a registry where it has a dot or a port or is "localhost" (distribution/reference,
    // normalize.go).
    [GeneratedRegex(@"^((?<registry>[A-Za-z0-9\-]+(\.[A-Za-z0-9\-]+)+(:\d+)?|[A-Za-z0-9\-]+:\d+|localhost)/)?(?<repository>[a-z0-9]+([._\-]+[a-z0-9]+)*(/[a-z0-9]+([._\-]+[a-z0-9]+)*)*)(:(?<tag>\w[\w.\-]{0,127}))?(@sha256:(?<sha256>[0-9a-f]{64}))?$")]
    private static partial Regex Pattern();
}
