using System.Globalization;

namespace Hazumu.Gateway.Console;

/// <summary>Numbers as the console shows them, in both languages alike.</summary>
internal static class Amounts
{
    private static readonly string[] s_units = ["B", "kB", "MB", "GB", "TB"];

    /// <summary>Bytes, in units of a thousand as Ollama shows them: <c>4.7 GB</c>.</summary>
    public static string Bytes(long bytes)
    {
        var (value, unit) = ((double)bytes, 0);
        while (value >= 1000 && unit < s_units.Length - 1)
        {
            (value, unit) = (value / 1000, unit + 1);
        }

        return string.Create(CultureInfo.InvariantCulture, $"{value.ToString(value < 10 && unit > 0 ? "0.0" : "0", CultureInfo.InvariantCulture)} {s_units[unit]}");
    }

    /// <summary>A time in its two largest units: <c>850 ms</c>, <c>4.2 s</c>, <c>3 min 20 s</c>.</summary>
    public static string Time(double seconds) => seconds switch
    {
        < 0.9995 => Invariant($"{seconds * 1000:0} ms"),
        < 10 => Invariant($"{seconds:0.0} s"),
        < 60 => Invariant($"{seconds:0} s"),
        < 3600 => Invariant($"{Math.Floor(seconds / 60):0} min {Math.Floor(seconds % 60):0} s"),
        < 86_400 => Invariant($"{Math.Floor(seconds / 3600):0} h {Math.Floor(seconds % 3600 / 60):0} min"),
        _ => Invariant($"{Math.Floor(seconds / 86_400):0} d {Math.Floor(seconds % 86_400 / 3600):0} h"),
    };

    /// <summary>A count, with separators of thousands: <c>12,345</c>.</summary>
    public static string Count(long count) => count.ToString("#,0", CultureInfo.InvariantCulture);

    /// <summary>A rate: <c>8.4</c>, <c>112</c>.</summary>
    public static string Rate(double rate) => rate < 10 ? Invariant($"{rate:0.0}") : Count((long)Math.Round(rate));

    /// <summary>A coordinate of a drawing.</summary>
    public static string Coordinate(double value) => Invariant($"{value:0.##}");

    private static string Invariant(FormattableString text) => FormattableString.Invariant(text);
}
