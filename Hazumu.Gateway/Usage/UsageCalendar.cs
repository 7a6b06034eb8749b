using System.Globalization;
using Hazumu.Gateway.Configuration;
using NodaTime;
using NodaTime.Text;

namespace Hazumu.Gateway.Usage;

/// <summary>Days and months in the time zone of <c>Gateway:Usage:TimeZone</c>.</summary>
/// <remarks>By Noda Time, which brings the time zones along: Microsoft's Alpine image has none.</remarks>
internal sealed class UsageCalendar(string timeZone)
{
    private readonly DateTimeZone _zone = DateTimeZoneProviders.Tzdb[timeZone];

    /// <summary>The calendar of the settings.</summary>
    public UsageCalendar(UsageOptions options) : this(options.TimeZone)
    {
    }

    /// <summary>The name of the time zone.</summary>
    public string TimeZone => _zone.Id;

    /// <summary>The day that a time is in.</summary>
    public LocalDate DayOf(DateTimeOffset time) => Instant.FromDateTimeOffset(time).InZone(_zone).Date;

    /// <summary>When a day begins: after midnight, where clocks are put forward then.</summary>
    public DateTimeOffset StartOf(LocalDate day) => _zone.AtStartOfDay(day).ToInstant().ToDateTimeOffset();

    /// <summary>The first day of a day's month.</summary>
    public static LocalDate MonthOf(LocalDate day) => new(day.Year, day.Month, 1);

    /// <summary>Reads a day, as <c>2026-11-30</c>.</summary>
    public static bool TryParseDay(string text, out LocalDate day) =>
        LocalDatePattern.Iso.Parse(text).TryGetValue(default, out day) && day.Year is >= 1970 and < 9999;

    /// <summary>Writes a day as <c>2026-11-30</c>.</summary>
    public static string Format(LocalDate day) => day.ToString("uuuu-MM-dd", CultureInfo.InvariantCulture);
}
