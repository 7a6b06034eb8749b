using System.Buffers;

namespace Hazumu.Gateway.Keys;

/// <summary>The rules for names of keys: a name is a label of metrics and a word in logs.</summary>
internal static class KeyName
{
    /// <summary>The allowed values, for messages.</summary>
    public const string Allowed = "1 to 64 letters, digits, '.', '_' or '-', beginning with a letter or digit, and not 'anonymous'";

    private static readonly SearchValues<char> s_characters =
        SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-");

    /// <summary>Whether it is allowed.</summary>
    public static bool IsValid(string? name) =>
        name is { Length: >= 1 and <= 64 }
        && char.IsAsciiLetterOrDigit(name[0])
        && !name.AsSpan().ContainsAnyExcept(s_characters)
        && !name.Equals(Caller.Anonymous.Name, StringComparison.OrdinalIgnoreCase);
}
