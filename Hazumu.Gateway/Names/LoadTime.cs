using NodaTime;
using NodaTime.Text;

namespace Hazumu.Gateway.Names;

/// <summary>A time of some days of the week, at which a model is loaded: <c>07:30 mon-fri</c>.</summary>
internal sealed record LoadTime(LocalTime Time, IReadOnlySet<IsoDayOfWeek> Days)
{
    private static readonly LocalTimePattern s_time = LocalTimePattern.CreateWithInvariantCulture("HH':'mm");
    private static readonly string[] s_days = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

    /// <summary>Reads a time and, behind it, days and ranges of days; without these, every day is meant.</summary>
    /// <returns><see langword="null"/> where it is none.</returns>
    public static LoadTime? Parse(string text)
    {
        var words = text.ToLowerInvariant().Split(' ', StringSplitOptions.RemoveEmptyEntries);
        var days = words.Skip(1).Select(DaysOf).ToList();
        return words.Length > 0 && s_time.Parse(words[0]) is { Success: true } time && !days.Exists(some => some.Count == 0)
            ? new(time.Value, (days.Count == 0 ? DaysOf("mon-sun") : days.SelectMany(some => some)).ToHashSet())
            : null;
    }

    /// <summary>The last such time that is not after a moment.</summary>
    /// <remarks>A time that a change of the clocks leaves out is meant an hour later; of one that comes twice, the first.</remarks>
    public Instant LastBefore(Instant moment, DateTimeZone zone)
    {
        var today = moment.InZone(zone).Date;
        return Enumerable.Range(0, 8)
            .Select(days => today.PlusDays(-days))
            .Where(date => Days.Contains(date.DayOfWeek))
            .Select(date => (date + Time).InZoneLeniently(zone).ToInstant())
            .First(time => time <= moment);
    }

    // From Friday to Monday is meant too. None where it is no day.
    private static List<IsoDayOfWeek> DaysOf(string text)
    {
        var ends = text.Split('-');
        var (first, last) = (Array.IndexOf(s_days, ends[0]), Array.IndexOf(s_days, ends[^1]));
        return ends.Length > 2 || first < 0 || last < 0
            ? []
            : [.. Enumerable.Range(first, ((last - first + 7) % 7) + 1).Select(day => (IsoDayOfWeek)((day % 7) + 1))];
    }
}
