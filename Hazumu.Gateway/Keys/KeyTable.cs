using System.Globalization;
using Hazumu.Gateway.Configuration;

namespace Hazumu.Gateway.Keys;

/// <summary>The table of <c>keys list</c>: all that is stored but the hashes.</summary>
internal static class KeyTable
{
    private const string Gap = "  ";
    private const string None = "-";

    private static readonly string[] s_head = ["NAME", "ID", "SCOPES", "MODELS", "LIMITS", "OLLAMA KEY", "CREATED", "EXPIRES"];

    /// <summary>Writes the table.</summary>
    public static async Task WriteAsync(TextWriter output, IEnumerable<ApiKey> keys, DateTimeOffset now)
    {
        string[][] rows = [s_head, .. keys.Select(key => Row(key, now))];
        var widths = s_head.Select((_, column) => rows.Max(row => row[column].Length)).ToArray();
        foreach (var row in rows)
        {
            await output.WriteLineAsync(string.Join(Gap, row.Select((cell, column) => cell.PadRight(widths[column]))).TrimEnd());
        }
    }

    private static string[] Row(ApiKey key, DateTimeOffset now) =>
    [
        key.Name,
        key.Id,
        string.Join(',', ScopeNames.Of(key.Scopes)),
        key.Models.ToString(),
        Limits(key),
        key.OllamaPublicKey is null ? None : "yes",
        Day(key.Created),
        key.Expires is not { } expires ? None : expires > now ? Day(expires) : $"{Day(expires)} (expired)",
    ];

    private static string Limits(ApiKey key)
    {
        (int? Value, string Unit)[] limits =
        [
            (key.RequestsPerMinute, "requests/min"),
            (key.TokensPerMinute, "tokens/min"),
            (key.ConcurrentRequests, "at once"),
        ];
        var given = limits.Where(limit => limit.Value is not null).Select(limit => $"{limit.Value} {limit.Unit}").ToArray();
        var priority = $"{PriorityNames.Of(key.Priority)} priority";
        string[] all = key.Priority == Priority.Normal ? given : [priority, .. given];
        return all.Length == 0 ? None : string.Join(", ", all);
    }

    private static string Day(DateTimeOffset time) => time.UtcDateTime.ToString("yyyy-MM-dd", CultureInfo.InvariantCulture);
}
