using Hazumu.Gateway.Configuration;

namespace Hazumu.Gateway.Keys;

/// <summary>Priorities as people write them: <c>interactive</c>, <c>normal</c>, <c>batch</c>.</summary>
internal static class PriorityNames
{
    private static readonly string[] s_names = [.. Enum.GetNames<Priority>().Select(name => name.ToLowerInvariant())];

    /// <summary>Every priority, for messages.</summary>
    public static string Allowed { get; } = string.Join(", ", s_names);

    /// <summary>The name of a priority.</summary>
    public static string Of(Priority priority) => s_names[(int)priority];

    /// <summary>Reads a priority, without regard to case.</summary>
    public static bool TryParse(string? name, out Priority priority)
    {
        var index = Array.FindIndex(s_names, known => known.Equals(name, StringComparison.OrdinalIgnoreCase));
        priority = index < 0 ? Priority.Normal : (Priority)index;
        return index >= 0;
    }
}
