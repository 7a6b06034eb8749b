using System.Text.Json;

namespace Hazumu.Gateway.Streams;

/// <summary>The part of an event of an OpenAI stream that exists only because usage was requested.</summary>
internal readonly struct UsageInEvent
{
    /// <summary>Whether the event is there for the usage alone: it has no choices.</summary>
    public bool IsWholeEvent { get; private init; }

    /// <summary>
    /// The member <c>usage</c> with one comma, where its numbers are all zero, or it is null: that is what engines add to other chunks.
    /// Numbers there are reported without a request (llama.cpp's <c>/v1/completions</c>).
    /// </summary>
    public Range Cut { get; private init; }

    /// <summary>The member <c>timings</c> with the comma before it, of an event that is there for the usage alone.</summary>
    public Range Timings { get; private init; }

    /// <summary>Looks for it; what is no event with one line of JSON has nothing.</summary>
    public static UsageInEvent Find(ReadOnlySpan<byte> bytes)
    {
        if (bytes.IndexOf("\"usage\""u8) < 0 || !TryFindData(bytes, out var start, out var length))
        {
            return default;
        }

        try
        {
            return Read(bytes.Slice(start, length), start);
        }
        catch (JsonException)
        {
            return default;
        }
    }

    private static bool TryFindData(ReadOnlySpan<byte> bytes, out int start, out int length)
    {
        (start, length) = (0, 0);
        var reader = default(EventStreamReader);
        var rest = bytes;
        while (reader.Read(ref rest, out var piece) is var part and not (EventPart.None or EventPart.End))
        {
            if (part == EventPart.Data && (length > 0 || !bytes.Overlaps(piece, out start)))
            {
                // More than one line.
                return false;
            }

            length = part == EventPart.Data ? piece.Length : length;
        }

        return length > 0;
    }

    private static UsageInEvent Read(ReadOnlySpan<byte> json, int start)
    {
        var reader = new Utf8JsonReader(json);
        if (!reader.Read() || reader.TokenType != JsonTokenType.StartObject)
        {
            return default;
        }

        var hasNoChoices = false;
        var hasUsage = false;
        var isUntold = false;
        Range usage = default;
        Range timings = default;
        var isFirst = true;
        var isFirstCut = false;
        var previousEnd = (int)reader.BytesConsumed;
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            var key = (int)reader.TokenStartIndex;
            if (isFirstCut)
            {
                usage = usage.Start..key;
                isFirstCut = false;
            }

            var isChoices = reader.ValueTextEquals("choices"u8);
            var isUsage = reader.ValueTextEquals("usage"u8);
            var isTimings = reader.ValueTextEquals("timings"u8);
            reader.Read();
            var value = (int)reader.TokenStartIndex;
            var type = reader.TokenType;
            reader.Skip();
            var end = (int)reader.BytesConsumed;
            if (isChoices)
            {
                hasNoChoices = type == JsonTokenType.StartArray && IsEmptyArray(json[value..end]);
            }
            else if (isUsage)
            {
                hasUsage = type == JsonTokenType.StartObject;
                isUntold = type == JsonTokenType.Null || (hasUsage && IsZero(json[value..end]));
                usage = (isFirst ? key : previousEnd)..end;
                isFirstCut = isFirst;
            }
            else if (isTimings)
            {
                timings = previousEnd..end;
            }

            isFirst = false;
            previousEnd = end;
        }

        if (hasNoChoices && hasUsage)
        {
            return new() { IsWholeEvent = true, Timings = Moved(timings, start) };
        }

        return isUntold ? new() { Cut = Moved(usage, start) } : default;
    }

    private static Range Moved(Range range, int by) => (range.Start.Value + by)..(range.End.Value + by);

    private static bool IsEmptyArray(ReadOnlySpan<byte> json) => json.Length > 1 && json[1..^1].Trim(" \t"u8).IsEmpty;

    private static bool IsZero(ReadOnlySpan<byte> json)
    {
        var reader = new Utf8JsonReader(json);
        while (reader.Read())
        {
            if (reader.TokenType == JsonTokenType.Number && !reader.ValueSpan.SequenceEqual("0"u8))
            {
                return false;
            }
        }

        return true;
    }
}
