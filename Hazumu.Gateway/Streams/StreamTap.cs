using System.Runtime.CompilerServices;

namespace Hazumu.Gateway.Streams;

/// <summary>Looks at an engine's answer as it passes, one for each answer, and writes what it reads into the request's facts.</summary>
/// <remarks>
/// It wants the bytes as the engine made them: of a body with a content encoding nothing can be read, and it should get no content type
/// then. Apart from the model's name and the finish reason, once each, it allocates nothing.
/// </remarks>
internal sealed class StreamTap
{
    private const int LongestName = 32;

    private static readonly JsonFields s_native = JsonFields.Of(
        JsonField.Model, JsonField.Done, JsonField.Status, JsonField.Error, JsonField.FinishReason,
        JsonField.TotalDuration, JsonField.LoadDuration, JsonField.PromptEvalDuration, JsonField.EvalDuration,
        JsonField.InputTokens, JsonField.OutputTokens, JsonField.CachedTokens);

    private static readonly JsonFields s_openAI = JsonFields.Of(
        JsonField.Model, JsonField.Type, JsonField.Error, JsonField.FinishReason,
        JsonField.Choices, JsonField.Response, JsonField.Usage, JsonField.UsageDetails,
        JsonField.InputTokens, JsonField.OutputTokens, JsonField.CachedTokens);

    private static readonly JsonFields s_anthropic = JsonFields.Of(
        JsonField.Model, JsonField.Type, JsonField.Error, JsonField.FinishReason,
        JsonField.Message, JsonField.Delta, JsonField.Usage,
        JsonField.InputTokens, JsonField.OutputTokens, JsonField.CacheReadTokens, JsonField.CacheWriteTokens);

    private readonly Framing _framing;
    private readonly bool _hidesUsage;
    private JsonScanner _scanner;
    private EventStreamReader _events;
    private long _inputTokens;
    private long _cacheReadTokens;
    private long _cacheWriteTokens;

    // The state of the current event.
    private Name _name;
    private int _nameLength;
    private int _doneLength;
    private bool _hasData;
    private bool _isClosing;
    private bool _hasNoChoices;
    private bool _hasUsage;

    private StreamTap(Framing framing, JsonFields wanted, bool hidesUsage)
    {
        _framing = framing;
        _hidesUsage = hidesUsage;
        _scanner = new(wanted);
    }

    private enum Framing
    {
        Unknown,
        Document,
        Lines,
        Events,
    }

    /// <summary>The tap for an answer.</summary>
    /// <param name="contentType">The answer's content type.</param>
    /// <param name="dialect">The dialect it is in.</param>
    /// <param name="hidesUsage">Whether the event that reports the usage is kept from the client: it is not counted then.</param>
    public static StreamTap For(string? contentType, Dialect dialect, bool hidesUsage = false)
    {
        var wanted = dialect switch
        {
            Dialect.OpenAI => s_openAI,
            Dialect.Anthropic => s_anthropic,
            _ => s_native,
        };
        return new(FramingOf(contentType), wanted, hidesUsage);
    }

    /// <summary>Reads the next bytes of the answer.</summary>
    public void Observe(ReadOnlySpan<byte> bytes, ref StreamFacts facts)
    {
        switch (_framing)
        {
            case Framing.Lines:
                ObserveLines(bytes, ref facts);
                break;

            case Framing.Events:
                ObserveEvents(bytes, ref facts);
                break;

            case Framing.Document:
                Scan(bytes, ref facts);
                break;
        }
    }

    /// <summary>Takes note that the answer has ended, and not been broken off.</summary>
    public void Complete(ref StreamFacts facts)
    {
        switch (_framing)
        {
            case Framing.Unknown:
                facts.IsComplete = true;
                break;

            case Framing.Document when _scanner.IsClosed:
                _isClosing = true;
                EndEvent(ref facts);
                break;

            // The last line feed, or blank line, is missing.
            case Framing.Lines when _scanner.IsClosed:
            case Framing.Events when _hasData && (IsDone || _scanner.IsClosed):
                EndEvent(ref facts);
                break;
        }
    }

    private static Framing FramingOf(string? contentType)
    {
        var mediaType = contentType.AsSpan();
        var end = mediaType.IndexOf(';');
        mediaType = (end < 0 ? mediaType : mediaType[..end]).Trim();
        return mediaType.Equals("application/x-ndjson", StringComparison.OrdinalIgnoreCase) ? Framing.Lines :
            mediaType.Equals("text/event-stream", StringComparison.OrdinalIgnoreCase) ? Framing.Events :
            mediaType.Equals("application/json", StringComparison.OrdinalIgnoreCase) ? Framing.Document :
            Framing.Unknown;
    }

    private static ReadOnlySpan<byte> DoneMark => "[DONE]"u8;

    private bool IsDone => _doneLength == DoneMark.Length;

    private void ObserveLines(ReadOnlySpan<byte> bytes, ref StreamFacts facts)
    {
        while (true)
        {
            var end = bytes.IndexOf((byte)'\n');
            if (end < 0)
            {
                Scan(bytes, ref facts);
                return;
            }

            Scan(bytes[..end], ref facts);
            if (!_scanner.IsUntouched)
            {
                EndEvent(ref facts);
            }

            bytes = bytes[(end + 1)..];
        }
    }

    private void ObserveEvents(ReadOnlySpan<byte> bytes, ref StreamFacts facts)
    {
        while (true)
        {
            switch (_events.Read(ref bytes, out var piece))
            {
                case EventPart.None:
                    return;

                case EventPart.Name:
                    TakeName(piece);
                    break;

                case EventPart.Data:
                    TakeDone(piece);
                    _hasData = true;
                    Scan(piece, ref facts);
                    break;

                case EventPart.End when _hasData:
                    TakeEventName(((ReadOnlySpan<byte>)_name)[.._nameLength], ref facts);
                    EndEvent(ref facts);
                    break;

                // A comment, or fields without data: no event.
                case EventPart.End:
                    _nameLength = 0;
                    break;
            }
        }
    }

    private void TakeName(ReadOnlySpan<byte> piece)
    {
        piece = piece[..Math.Min(piece.Length, LongestName - _nameLength)];
        piece.CopyTo(((Span<byte>)_name)[_nameLength..]);
        _nameLength += piece.Length;
    }

    private void TakeDone(ReadOnlySpan<byte> piece)
    {
        if (_doneLength < 0)
        {
            return;
        }

        var isDone = DoneMark[_doneLength..].StartsWith(piece);
        _doneLength = isDone ? _doneLength + piece.Length : -1;
    }

    private void Scan(ReadOnlySpan<byte> bytes, ref StreamFacts facts)
    {
        while (_scanner.Read(ref bytes))
        {
            Take(ref facts);
        }
    }

    private void Take(ref StreamFacts facts)
    {
        switch (_scanner.Kind)
        {
            case JsonKind.Number:
                TakeNumber(_scanner.Number, ref facts);
                break;

            case JsonKind.Text:
                TakeText(ref facts);
                break;

            case JsonKind.True when _scanner.Field == JsonField.Done:
                _isClosing = true;
                break;

            case JsonKind.EmptyArray:
                _hasNoChoices = true;
                break;

            case JsonKind.Object when _scanner.Field == JsonField.Usage:
                _hasUsage = true;
                break;
        }

        if (_scanner.Field == JsonField.Error && _scanner.Kind != JsonKind.Null)
        {
            facts.HasError = true;
        }
    }

    private void TakeNumber(long number, ref StreamFacts facts)
    {
        switch (_scanner.Field)
        {
            case JsonField.TotalDuration:
                facts.TotalDuration = number;
                break;

            case JsonField.LoadDuration:
                facts.LoadDuration = number;
                break;

            case JsonField.PromptEvalDuration:
                facts.PromptEvalDuration = number;
                break;

            case JsonField.EvalDuration:
                facts.EvalDuration = number;
                break;

            case JsonField.CachedTokens:
                facts.CachedTokens = number;
                break;

            case JsonField.OutputTokens:
                facts.OutputTokens = number;
                facts.HasUsage |= number > 0;
                break;

            case JsonField.InputTokens:
                _inputTokens = number;
                SumInputTokens(ref facts);
                break;

            case JsonField.CacheReadTokens:
                _cacheReadTokens = number;
                facts.CachedTokens = number;
                SumInputTokens(ref facts);
                break;

            case JsonField.CacheWriteTokens:
                _cacheWriteTokens = number;
                SumInputTokens(ref facts);
                break;
        }
    }

    private void SumInputTokens(ref StreamFacts facts)
    {
        var sum = (Int128)_inputTokens + _cacheReadTokens + _cacheWriteTokens;
        facts.InputTokens = sum > long.MaxValue ? long.MaxValue : (long)sum;
        facts.HasUsage |= sum > 0;
    }

    private void TakeText(ref StreamFacts facts)
    {
        switch (_scanner.Field)
        {
            case JsonField.Model when _scanner.GetText() is { } model:
                facts.ResponseModel = model;
                _scanner.Forget(JsonField.Model);
                break;

            case JsonField.FinishReason when _scanner.GetText() is { } reason:
                facts.FinishReason = reason;
                _scanner.Forget(JsonField.FinishReason);
                break;

            case JsonField.Status:
                _isClosing |= _scanner.RawText.SequenceEqual("success"u8);
                break;

            case JsonField.Type:
                TakeEventName(_scanner.RawText, ref facts);
                break;
        }
    }

    private void TakeEventName(ReadOnlySpan<byte> name, ref StreamFacts facts)
    {
        if (_framing != Framing.Events)
        {
            return;
        }

        if (name.SequenceEqual("message_stop"u8) || name.SequenceEqual("response.completed"u8) || name.SequenceEqual("response.incomplete"u8))
        {
            _isClosing = true;
        }
        else if (name.SequenceEqual("response.failed"u8))
        {
            _isClosing = true;
            facts.HasError = true;
        }
        else if (name.SequenceEqual("error"u8))
        {
            facts.HasError = true;
        }
    }

    private void EndEvent(ref StreamFacts facts)
    {
        if (!(_hidesUsage && _hasNoChoices && _hasUsage))
        {
            facts.Events++;
        }

        if (IsDone || (_isClosing && _scanner.IsClosed))
        {
            facts.IsComplete = true;
        }

        _scanner.Reset();
        _nameLength = 0;
        _doneLength = 0;
        _hasData = false;
        _isClosing = false;
        _hasNoChoices = false;
        _hasUsage = false;
    }

    [InlineArray(LongestName)]
    private struct Name
    {
        private byte _first;
    }
}
