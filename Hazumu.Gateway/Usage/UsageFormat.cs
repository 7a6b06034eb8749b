using System.Globalization;
using System.Text;
using System.Text.Json;

namespace Hazumu.Gateway.Usage;

/// <summary>Reports of usage as CSV, as JSON and as a table: the same columns in each.</summary>
internal static class UsageFormat
{
    private const string Gap = "  ";

    private static readonly (string Name, Func<UsageRow, object?> Value)[] s_sums =
    [
        ("requests", row => row.Requests),
        ("failed", row => row.Failed),
        ("input_tokens", row => row.InputTokens),
        ("cached_tokens", row => row.CachedTokens),
        ("output_tokens", row => row.OutputTokens),
        ("queue_s", row => row.Queue),
        ("load_s", row => row.Load),
        ("prefill_s", row => row.Prefill),
        ("decode_s", row => row.Decode),
    ];

    /// <summary>Writes CSV (RFC 4180). What is not known is empty. A text that a spreadsheet would take for a formula begins with an apostrophe.</summary>
    public static string ToCsv(UsageReport report)
    {
        var csv = new StringBuilder();
        csv.AppendJoin(',', [.. report.Query.By, .. s_sums.Select(sum => sum.Name)]).Append("\r\n");
        foreach (var row in report.Rows)
        {
            csv.AppendJoin(',', [.. row.By.Select(Quote), .. s_sums.Select(sum => Text(sum.Value(row)))]).Append("\r\n");
        }

        return csv.ToString();
    }

    /// <summary>Writes JSON: an object with <c>from</c>, <c>to</c>, <c>time_zone</c>, <c>truncated</c> and <c>rows</c>. What is not known is null.</summary>
    public static byte[] ToJson(UsageReport report)
    {
        using var bytes = new MemoryStream();
        using (var json = new Utf8JsonWriter(bytes))
        {
            json.WriteStartObject();
            json.WriteString("from"u8, Keys.KeyTime.Format(report.Query.From));
            json.WriteString("to"u8, Keys.KeyTime.Format(report.Query.To));
            json.WriteString("time_zone"u8, report.TimeZone);
            json.WriteBoolean("truncated"u8, report.IsTruncated);
            json.WriteStartArray("rows"u8);
            foreach (var row in report.Rows)
            {
                json.WriteStartObject();
                for (var index = 0; index < row.By.Count; index++)
                {
                    json.WriteString(report.Query.By[index], row.By[index]);
                }

                foreach (var (name, value) in s_sums)
                {
                    json.WritePropertyName(name);
                    json.WriteRawValue(Text(value(row)) is { Length: > 0 } number ? number : "null");
                }

                json.WriteEndObject();
            }

            json.WriteEndArray();
            json.WriteEndObject();
        }

        return bytes.ToArray();
    }

    /// <summary>Writes a table for people; control characters of clients' texts are left out.</summary>
    public static async Task WriteTableAsync(TextWriter output, UsageReport report)
    {
        var texts = report.Query.By.Count;
        string[][] rows =
        [
            [.. report.Query.By.Select(name => name.ToUpperInvariant()), .. s_sums.Select(sum => sum.Name.Replace('_', ' ').ToUpperInvariant())],
            .. report.Rows.Select(row => (string[])
            [
                .. row.By.Select(text => text is null ? "-" : string.Concat(text.Where(letter => !char.IsControl(letter)))),
                .. s_sums.Select(sum => sum.Value(row) switch
                {
                    null => "-",
                    double seconds => seconds.ToString("N1", CultureInfo.InvariantCulture),
                    var count => string.Create(CultureInfo.InvariantCulture, $"{count:N0}"),
                }),
            ]),
        ];
        var widths = rows[0].Select((_, column) => rows.Max(row => row[column].Length)).ToArray();
        foreach (var row in rows)
        {
            var cells = row.Select((cell, column) => column < texts ? cell.PadRight(widths[column]) : cell.PadLeft(widths[column]));
            await output.WriteLineAsync(string.Join(Gap, cells).TrimEnd());
        }
    }

    // To the millisecond: the sum of many has more digits than mean anything.
    private static string Text(object? value) => value switch
    {
        null => "",
        double seconds => seconds.ToString("0.###", CultureInfo.InvariantCulture),
        _ => string.Create(CultureInfo.InvariantCulture, $"{value}"),
    };

    // https://owasp.org/www-community/attacks/CSV_Injection
    private static string Quote(string? text)
    {
        if (string.IsNullOrEmpty(text))
        {
            return "";
        }

        var safe = text[0] is '=' or '+' or '-' or '@' or '\t' or '\r' or '\n' ? $"'{text}" : text;
        return safe.AsSpan().ContainsAny("\",\r\n") ? $"\"{safe.Replace("\"", "\"\"", StringComparison.Ordinal)}\"" : safe;
    }
}
