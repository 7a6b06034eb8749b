using System.Globalization;
using System.Text.RegularExpressions;

namespace Hazumu.Settings;

/// <summary>
/// Durations as people and Prometheus write them: <c>500ms</c>, <c>30s</c>, <c>5m</c>, <c>1h</c>, <c>2d</c>.
/// </summary>
public static partial class Duration
{
    /// <summary>The allowed values, for messages.</summary>
    public const string Rule = "a duration such as '500ms', '30s', '5m' or '1h'";

    private static readonly (string Unit, TimeSpan Length)[] s_units =
    [
        ("d", TimeSpan.FromDays(1)),
        ("h", TimeSpan.FromHours(1)),
        ("m", TimeSpan.FromMinutes(1)),
        ("s", TimeSpan.FromSeconds(1)),
        ("ms", TimeSpan.FromMilliseconds(1)),
    ];

    /// <summary>Reads a whole number with its unit.</summary>
    /// <param name="text">The text.</param>
    /// <param name="duration">The duration; zero where the text is none.</param>
    /// <returns>Whether the text is a duration of at most 10,000 days.</returns>
    public static bool TryParse(string? text, out TimeSpan duration)
    {
        duration = default;
        var match = Pattern().Match(text ?? "");
        if (!match.Success || !int.TryParse(match.Groups[1].ValueSpan, NumberStyles.None, CultureInfo.InvariantCulture, out var number))
        {
            return false;
        }

        var length = s_units.Single(unit => unit.Unit == match.Groups[2].Value).Length;
        if (number > TimeSpan.FromDays(10_000) / length)
        {
            return false;
        }

        duration = number * length;
        return true;
    }

    /// <summary>Writes a duration in its largest whole unit.</summary>
    /// <param name="duration">The duration, a whole number of milliseconds.</param>
    public static string Format(TimeSpan duration)
    {
        var (unit, length) = s_units.First(unit => duration.Ticks % unit.Length.Ticks == 0 && (duration >= unit.Length || unit.Unit == "ms"));
        return string.Create(CultureInfo.InvariantCulture, $"{duration.Ticks / length.Ticks}{unit}");
    }

    [GeneratedRegex(@"\A([0-9]+)(ms|[smhd])\z")]
    private static partial Regex Pattern();
}
