using System.Globalization;
using Hazumu.Gateway.Configuration;

namespace Hazumu.Gateway.Keys;

/// <summary>The table of <c>keys list</c>: all that is stored but the hashes.</summary>
internal static class KeyTable
{
    private const string Gap = "  ";
    private const string None = "-";

    private static readonly string[] s_head = ["NAME", "ID", "GROUP", "SCOPES", "MODELS", "LIMITS", "END USERS", "OLLAMA KEY", "CREATED", "LAST USED", "EXPIRES", "NOTE"];

    /// <summary>Writes the table.</summary>
    public static async Task WriteAsync(TextWriter output, IEnumerable<ApiKey> keys, IReadOnlyDictionary<string, DateTimeOffset> uses, DateTimeOffset now)
    {
        string[][] rows = [s_head, .. keys.Select(key => Row(key, uses.TryGetValue(key.Id, out var used) ? used : null, now))];
        var widths = s_head.Select((_, column) => rows.Max(row => row[column].Length)).ToArray();
        foreach (var row in rows)
        {
            await output.WriteLineAsync(string.Join(Gap, row.Select((cell, column) => cell.PadRight(widths[column]))).TrimEnd());
        }
    }

    private static string[] Row(ApiKey key, DateTimeOffset? used, DateTimeOffset now) =>
    [
        key.Name,
        key.Id,
        key.Group ?? None,
        string.Join(',', ScopeNames.Of(key.Scopes)),
        key.Models.ToString(),
        Limits(key),
        key.EndUsers is not { } sources ? None : Format(key.EndUserLimits) is { Length: > 0 } limits ? $"{sources} ({limits})" : sources.ToString(),
        key.OllamaPublicKey is null ? None : "yes",
        Day(key.Created),
        used is { } time ? Minute(time) : None,
        Ends(key, now),
        key.Note ?? None,
    ];

    private static string Ends(ApiKey key, DateTimeOffset now)
    {
        var end = key.Expires is not { } expires ? None : expires > now ? Day(expires) : $"{Day(expires)} (expired)";
        var former = key.Former.Where(former => former.Expires > now).Select(former => former.Expires).DefaultIfEmpty().Max();
        return former == default ? end : $"{end} (former secret: {Minute(former)})";
    }

    private static string Limits(ApiKey key)
    {
        var priority = key.Priority == Priority.Normal ? "" : $"{PriorityNames.Of(key.Priority)} priority";
        var all = string.Join(", ", new[] { priority, Format(key.Limits) }.Where(part => part.Length > 0));
        return all.Length == 0 ? None : all;
    }

    private static string Format(Limits limits) => string.Join(", ", new (int? Value, string Unit)[]
    {
        (limits.RequestsPerMinute, "requests/min"),
        (limits.TokensPerMinute, "tokens/min"),
        (limits.ConcurrentRequests, "at once"),
    }.Where(limit => limit.Value is not null).Select(limit => $"{limit.Value} {limit.Unit}"));

    private static string Minute(DateTimeOffset time) => time.UtcDateTime.ToString("yyyy-MM-dd HH:mm", CultureInfo.InvariantCulture);

    private static string Day(DateTimeOffset time) => time.UtcDateTime.ToString("yyyy-MM-dd", CultureInfo.InvariantCulture);
}
