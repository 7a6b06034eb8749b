namespace Hazumu.Gateway.Keys;

/// <summary>The description of a key: its group, and a note.</summary>
internal static class KeyNote
{
    /// <summary>The form of a group, for messages.</summary>
    public const string AllowedGroup = "1 to 64 characters without control characters or space at either end";

    /// <summary>The form of a note, for messages.</summary>
    public const string AllowedNote = "1 to 200 characters without control characters";

    private const int LongestGroup = 64;
    private const int LongestNote = 200;

    /// <summary>Whether a text can be the name of a group.</summary>
    public static bool IsGroup(string text) => text.Length is > 0 and <= LongestGroup && text.Trim().Length == text.Length && !text.Any(char.IsControl);

    /// <summary>Whether a text can be a note.</summary>
    public static bool IsNote(string text) => text.Length is > 0 and <= LongestNote && !text.Any(char.IsControl);
}
