using System.Buffers;
using System.ComponentModel.DataAnnotations;

namespace Hazumu.Gateway.Configuration;

/// <summary>The origins whose pages may use the gateway, as patterns: Ollama's <c>OLLAMA_ORIGINS</c>.</summary>
internal static class Origins
{
    private const string SchemeEnd = "://";
    private const string AnyPort = ":*";

    private static readonly SearchValues<char> s_noOrigin = SearchValues.Create("/?# ,\"");

    // AllowedOrigins in Ollama's envconfig/config.go.
    private static readonly string[] s_default =
    [
        "http://localhost:*", "https://localhost:*", "http://127.0.0.1:*", "https://127.0.0.1:*", "http://0.0.0.0:*", "https://0.0.0.0:*",
        "app://*", "file://*", "tauri://*", "vscode-webview://*", "vscode-file://*",
    ];

    /// <summary>Whether a page of this origin may use the gateway.</summary>
    /// <param name="origin">The request's Origin.</param>
    /// <param name="patterns">The allowed ones; Ollama's own list where there are none.</param>
    public static bool IsAllowed(string origin, IReadOnlyList<string> patterns)
    {
        foreach (var pattern in patterns.Count > 0 ? patterns : s_default)
        {
            if (Matches(origin, pattern))
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>Whether a page of this origin was itself served under the request's Host.</summary>
    public static bool IsSame(ReadOnlySpan<char> origin, string host)
    {
        var end = origin.IndexOf(SchemeEnd, StringComparison.Ordinal);
        return end > 0 && origin[..end] is "http" or "https" && origin[(end + SchemeEnd.Length)..].Equals(host, StringComparison.OrdinalIgnoreCase);
    }

    /// <summary>Whether a value of the setting is an origin with one <c>*</c> at most, or <c>*</c>.</summary>
    public static bool IsValid(string text)
    {
        var end = text.IndexOf(SchemeEnd, StringComparison.Ordinal);
        return text == "*" || (end > 0 && Uri.CheckSchemeName(text[..end]) && text.Length > end + SchemeEnd.Length
            && !text.AsSpan(end + SchemeEnd.Length).ContainsAny(s_noOrigin) && text.AsSpan().Count('*') <= 1);
    }

    private static bool Matches(ReadOnlySpan<char> origin, ReadOnlySpan<char> pattern)
    {
        // Any port, or none.
        if (pattern.EndsWith(AnyPort) && origin.Equals(pattern[..^AnyPort.Length], StringComparison.OrdinalIgnoreCase))
        {
            return true;
        }

        var star = pattern.IndexOf('*');
        if (star < 0)
        {
            return origin.Equals(pattern, StringComparison.OrdinalIgnoreCase);
        }

        return origin.Length >= pattern.Length - 1
            && origin.StartsWith(pattern[..star], StringComparison.OrdinalIgnoreCase)
            && origin.EndsWith(pattern[(star + 1)..], StringComparison.OrdinalIgnoreCase);
    }
}

/// <summary>Every value is an origin with one <c>*</c> at most, or <c>*</c>.</summary>
[AttributeUsage(AttributeTargets.Property)]
internal sealed class OriginsAttribute : ValidationAttribute
{
    public override bool IsValid(object? value) => value is IReadOnlyList<string> list && list.All(Origins.IsValid);
}
