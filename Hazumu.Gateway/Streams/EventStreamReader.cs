namespace Hazumu.Gateway.Streams;

/// <summary>A part of a stream of server-sent events.</summary>
internal enum EventPart : byte
{
    /// <summary>Nothing more: the next bytes are needed.</summary>
    None,

    /// <summary>A piece of the event's name.</summary>
    Name,

    /// <summary>A piece of the event's data.</summary>
    Data,

    /// <summary>The blank line that ends an event.</summary>
    End,
}

/// <summary>
/// Takes a stream of server-sent events apart that comes in pieces, cut anywhere.
/// https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation
/// </summary>
/// <remarks>A mutable struct, kept by its tap.</remarks>
internal struct EventStreamReader
{
    private State _state;
    private EventPart _field;
    private bool _hasData;
    private bool _isAfterReturn;
    private bool _isBlankLine;
    private int _nameLength;
    private ulong _name;

    private enum State : byte
    {
        LineStart,
        FieldName,
        ValueStart,
        Value,
    }

    /// <summary>Whether a line has ended with a carriage return alone, which the specification allows and no engine does.</summary>
    public bool HasLoneReturn { get; private set; }

    /// <summary>Reads on to the next part. A line that ends with a carriage return ends when the next byte is here: that may belong to it.</summary>
    /// <param name="bytes">The bytes at hand; what is left of them afterwards.</param>
    /// <param name="piece">The piece of a name or of data. Lines of data are joined by line feeds.</param>
    public EventPart Read(ref ReadOnlySpan<byte> bytes, out ReadOnlySpan<byte> piece)
    {
        piece = default;
        while (!bytes.IsEmpty)
        {
            switch (_state)
            {
                case State.LineStart when _isAfterReturn:
                    _isAfterReturn = false;
                    HasLoneReturn |= bytes[0] != '\n';
                    bytes = bytes[(bytes[0] == '\n' ? 1 : 0)..];
                    if (_isBlankLine)
                    {
                        return EndEvent();
                    }

                    break;

                case State.LineStart when IsLineEnd(bytes[0]):
                    EndLine(ref bytes, 0);
                    _isBlankLine = true;
                    if (!_isAfterReturn)
                    {
                        return EndEvent();
                    }

                    break;

                case State.LineStart:
                    _name = 0;
                    _nameLength = 0;
                    _state = State.FieldName;
                    break;

                case State.FieldName:
                    TakeFieldName(ref bytes);
                    break;

                case State.ValueStart:
                    _state = State.Value;
                    if (bytes[0] == ' ')
                    {
                        bytes = bytes[1..];
                    }

                    if (_field == EventPart.Data)
                    {
                        if (_hasData)
                        {
                            piece = "\n"u8;
                            return EventPart.Data;
                        }

                        _hasData = true;
                    }

                    break;

                default:
                    piece = TakeValue(ref bytes);
                    if (_field != EventPart.None && !piece.IsEmpty)
                    {
                        return _field;
                    }

                    break;
            }
        }

        return EventPart.None;
    }

    private EventPart EndEvent()
    {
        (_isBlankLine, _hasData) = (false, false);
        return EventPart.End;
    }

    private static bool IsLineEnd(byte b) => b is (byte)'\n' or (byte)'\r';

    private void TakeFieldName(ref ReadOnlySpan<byte> bytes)
    {
        for (var i = 0; i < bytes.Length; i++)
        {
            var b = bytes[i];
            if (b == ':')
            {
                _field = (_nameLength, _name) switch
                {
                    (4, Data) => EventPart.Data,
                    (5, Event) => EventPart.Name,
                    _ => EventPart.None,
                };
                _state = State.ValueStart;
                bytes = bytes[(i + 1)..];
                return;
            }

            if (IsLineEnd(b))
            {
                EndLine(ref bytes, i);
                return;
            }

            _name = (_name << 8) | b;
            _nameLength++;
        }

        bytes = default;
    }

    private ReadOnlySpan<byte> TakeValue(ref ReadOnlySpan<byte> bytes)
    {
        var all = bytes;
        var end = all.IndexOfAny((byte)'\n', (byte)'\r');
        if (end < 0)
        {
            bytes = default;
            return all;
        }

        EndLine(ref bytes, end);
        return all[..end];
    }

    private void EndLine(ref ReadOnlySpan<byte> bytes, int end)
    {
        _isAfterReturn = bytes[end] == '\r';
        _state = State.LineStart;
        bytes = bytes[(end + 1)..];
    }

    // The names as big-endian numbers.
    private const ulong Data = 0x64617461;
    private const ulong Event = 0x6576656e74;
}
