using System.Globalization;

namespace Hazumu.Gateway.Keys;

/// <summary>Points in time of a key, as they are written: a date or a time of ISO 8601, UTC where no offset is given.</summary>
internal static class KeyTime
{
    /// <summary>The allowed values, for messages.</summary>
    public const string Allowed = "a date or time such as 2027-01-01 or 2027-01-01T12:00:00Z";

    private const string Written = "yyyy-MM-dd'T'HH:mm:ss'Z'";

    private static readonly string[] s_formats =
    [
        "yyyy-MM-dd",
        "yyyy-MM-dd'T'HH:mmK",
        "yyyy-MM-dd'T'HH:mm:ssK",
        "yyyy-MM-dd'T'HH:mm:ss.FFFFFFFK",
    ];

    /// <summary>Reads one.</summary>
    public static bool TryParse(string? text, out DateTimeOffset time) =>
        DateTimeOffset.TryParseExact(text, s_formats, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal | DateTimeStyles.AdjustToUniversal, out time);

    /// <summary>Writes one, to the second.</summary>
    public static string Format(DateTimeOffset time) => time.ToUniversalTime().ToString(Written, CultureInfo.InvariantCulture);
}
