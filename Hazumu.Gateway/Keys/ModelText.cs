namespace Hazumu.Gateway.Keys;

/// <summary>The text that a client sends as the name of a model, before it is parsed.</summary>
internal static class ModelText
{
    /// <summary>Characters that it may have.</summary>
    public const int MaxLength = 512;

    /// <summary>The result of <see cref="ProblemOf"/> for a longer text.</summary>
    public const string TooLong = "is longer than 512 characters";

    /// <summary>Why a text cannot be a name, as the end of a sentence; null where it may be one.</summary>
    public static string? ProblemOf(string name)
    {
        ArgumentNullException.ThrowIfNull(name);
        return name.Length > MaxLength ? TooLong :
            name.AsSpan().ContainsAnyInRange('\0', '\x1F') || name.AsSpan().ContainsAnyInRange('\x7F', '\x9F') ? "has control characters" :
            string.IsNullOrWhiteSpace(name) ? "is empty" :
            null;
    }
}
