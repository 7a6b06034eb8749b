using System.Globalization;

namespace Hazumu.Gateway.Usage;

/// <summary>Which usage is wanted, and by what it is added up.</summary>
internal sealed record UsageQuery
{
    /// <summary>The most rows of a report.</summary>
    public const int MaxRows = 10_000;

    /// <summary>What usage can be added up by, with its expression in SQL.</summary>
    public static IReadOnlyList<(string Name, string Sql)> Dimensions { get; } =
    [
        ("time", "started"),
        ("request", "request_id"),
        ("day", "day"),
        ("month", "substr(day, 1, 7)"),
        ("key", "key_name"),
        ("user", "end_user"),
        ("group", "user_group"),
        ("operation", "operation"),
        ("model", "model"),
        ("served", "served"),
        ("engine", "engine"),
        ("outcome", "outcome"),
    ];

    /// <summary>The dimensions that can be filtered by a value.</summary>
    public static IReadOnlyList<string> Filterable { get; } = [.. Dimensions.Select(dimension => dimension.Name).Where(name => name is not ("time" or "day" or "month"))];

    /// <summary>Names of <see cref="Dimensions"/>, in the order of the report's columns; one row for all without any.</summary>
    public IReadOnlyList<string> By { get; init; } = [];

    /// <summary>Requests that began then or later.</summary>
    public required DateTimeOffset From { get; init; }

    /// <summary>Requests that began before.</summary>
    public required DateTimeOffset To { get; init; }

    /// <summary>Values of dimensions that the requests have.</summary>
    public IReadOnlyDictionary<string, string> Where { get; init; } = new Dictionary<string, string>();

    /// <summary>The most rows, from 1 to <see cref="MaxRows"/>.</summary>
    public int Limit { get; init; } = MaxRows;

    /// <summary>Reads a query from text, as the endpoint and the command have it.</summary>
    /// <param name="parameters">The values by name: <c>by</c>, <c>from</c>, <c>to</c>, <c>limit</c>, and those of <see cref="Filterable"/>.</param>
    /// <param name="calendar">The calendar.</param>
    /// <param name="now">The time now.</param>
    /// <exception cref="UsageQueryException">A name or a value is not allowed.</exception>
    public static UsageQuery Parse(IReadOnlyDictionary<string, string> parameters, UsageCalendar calendar, DateTimeOffset now)
    {
        foreach (var name in parameters.Keys)
        {
            if (name is not ("by" or "from" or "to" or "limit") && !Filterable.Contains(name))
            {
                throw new UsageQueryException($"'{name}' is no parameter of usage; there are: by, from, to, limit, {string.Join(", ", Filterable)}.");
            }
        }

        var query = new UsageQuery
        {
            By = [.. (parameters.GetValueOrDefault("by") ?? "").Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries).Distinct()],
            From = ParseTime("from", false) ?? calendar.StartOf(UsageCalendar.MonthOf(calendar.DayOf(now))),
            To = ParseTime("to", true) ?? now,
            Where = parameters.Where(parameter => Filterable.Contains(parameter.Key)).ToDictionary(),
            Limit = ParseLimit(),
        };
        foreach (var name in query.By)
        {
            if (Dimensions.All(dimension => dimension.Name != name))
            {
                throw new UsageQueryException($"'by' has '{name}'; allowed: {string.Join(", ", Dimensions.Select(dimension => dimension.Name))}, separated by commas.");
            }
        }

        return query;

        // A day that ends the time is a part of it.
        DateTimeOffset? ParseTime(string name, bool isEnd)
        {
            if (parameters.GetValueOrDefault(name) is not { Length: > 0 } text)
            {
                return null;
            }

            if (UsageCalendar.TryParseDay(text, out var day))
            {
                return calendar.StartOf(isEnd ? day.PlusDays(1) : day);
            }

            return Keys.KeyTime.TryParse(text, out var time) ? time
                : throw new UsageQueryException($"'{name}' is '{text}'; allowed: a day such as 2026-11-30, or a time such as 2026-11-30T09:00:00Z.");
        }

        int ParseLimit() =>
            parameters.GetValueOrDefault("limit") is not { } text ? MaxRows
            : int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var limit) && limit is >= 1 and <= MaxRows ? limit
            : throw new UsageQueryException($"'limit' is '{text}'; allowed: a number from 1 to {MaxRows}.");
    }
}

/// <summary>A query of usage is not as it must be; the message says in what way.</summary>
internal sealed class UsageQueryException(string message) : Exception(message);

/// <summary>Usage that was added up.</summary>
/// <param name="Query">What was wanted.</param>
/// <param name="TimeZone">The time zone of days and months.</param>
/// <param name="Rows">The rows: by time where a dimension is one, else those with the most tokens first.</param>
/// <param name="IsTruncated">Whether there are more rows than <see cref="UsageQuery.Limit"/>.</param>
internal sealed record UsageReport(UsageQuery Query, string TimeZone, IReadOnlyList<UsageRow> Rows, bool IsTruncated);

/// <summary>The sums of some requests. Times are in seconds; null where none of the requests has one.</summary>
/// <param name="By">The values of <see cref="UsageQuery.By"/>; null where the requests have none.</param>
/// <param name="Requests">How many requests they are.</param>
/// <param name="Failed">Those of them that did not succeed.</param>
/// <param name="InputTokens">Tokens of prompts, those from the cache included.</param>
/// <param name="CachedTokens">Tokens of prompts that came from the cache.</param>
/// <param name="OutputTokens">Tokens of answers.</param>
/// <param name="Queue">Waiting for a slot.</param>
/// <param name="Load">Loading models.</param>
/// <param name="Prefill">Reading prompts.</param>
/// <param name="Decode">Making tokens.</param>
internal sealed record UsageRow(
    IReadOnlyList<string?> By,
    long Requests,
    long Failed,
    long? InputTokens,
    long? CachedTokens,
    long? OutputTokens,
    double? Queue,
    double? Load,
    double? Prefill,
    double? Decode);
