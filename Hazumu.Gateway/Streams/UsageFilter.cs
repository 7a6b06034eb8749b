using System.Buffers;

namespace Hazumu.Gateway.Streams;

/// <summary>
/// Takes the usage out of an OpenAI stream again, which the gateway requested and the client did not, so that the client gets byte for
/// byte what the engine would have sent it: the event that reports it, the zeros that Ollama puts into every chunk of
/// <c>/v1/completions</c> then, and the timings that llama.cpp puts on the last event, whichever that is.
/// </summary>
/// <remarks>
/// Events pass as they come. Held back is only what is not yet whole, and the event with the finish reason until the next one is here:
/// engines send the usage right after it. An event that is larger than <see cref="Limit"/> passes as it is, and so does a stream that
/// ends its lines as no engine does.
/// </remarks>
internal sealed class UsageFilter : IDisposable
{
    /// <summary>The bytes of one event that are held back at most.</summary>
    public const int Limit = 64 * 1024;

    private PooledBytes _part;
    private PooledBytes _finish;
    private EventStreamReader _events;
    private bool _isPassing;
    private bool _isOff;

    /// <summary>Bytes that were passed on.</summary>
    public long Written { get; private set; }

    /// <summary>Passes the next bytes of the stream on.</summary>
    /// <param name="bytes">The bytes as the engine sent them.</param>
    /// <param name="output">The destination.</param>
    public void Write(ReadOnlySpan<byte> bytes, IBufferWriter<byte> output)
    {
        while (!bytes.IsEmpty)
        {
            var end = FindEventEnd(bytes);
            if (_isOff)
            {
                Flush(output);
                Emit(bytes, output);
                return;
            }

            var isWhole = end >= 0;
            var piece = isWhole ? bytes[..end] : bytes;
            bytes = bytes[piece.Length..];
            if (_isPassing || (!isWhole && _part.Count + piece.Length > Limit))
            {
                Flush(output);
                Emit(piece, output);
                _isPassing = !isWhole;
            }
            else if (!isWhole)
            {
                _part.Append(piece);
            }
            else if (_part.Count == 0)
            {
                PassEvent(piece, output);
            }
            else
            {
                _part.Append(piece);
                PassEvent(_part.Span, output);
                _part.Clear();
            }
        }
    }

    /// <summary>Lets go of what is held back: the stream has ended.</summary>
    public void Flush(IBufferWriter<byte> output)
    {
        PassFinish(default, output);
        Emit(_part.Span, output);
        _part.Clear();
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _part.Dispose();
        _finish.Dispose();
        _isOff = true;
    }

    private int FindEventEnd(ReadOnlySpan<byte> bytes)
    {
        var rest = bytes;
        while (!_isOff)
        {
            var part = _events.Read(ref rest, out _);
            _isOff = _events.HasLoneReturn;
            if (part is EventPart.None or EventPart.End)
            {
                return part == EventPart.End ? bytes.Length - rest.Length : -1;
            }
        }

        return -1;
    }

    private void PassEvent(ReadOnlySpan<byte> bytes, IBufferWriter<byte> output)
    {
        var usage = UsageInEvent.Find(bytes);
        if (usage.IsWholeEvent)
        {
            PassFinish(bytes[usage.Timings], output);
            return;
        }

        PassFinish(default, output);
        var before = bytes[..usage.Cut.Start];
        var after = bytes[usage.Cut.End..];
        if (bytes.IndexOf("\"finish_reason\":\""u8) >= 0 && bytes.Length <= Limit)
        {
            _finish.Append(before);
            _finish.Append(after);
        }
        else
        {
            Emit(before, output);
            Emit(after, output);
        }
    }

    private void PassFinish(ReadOnlySpan<byte> timings, IBufferWriter<byte> output)
    {
        var finish = _finish.Span;
        var close = finish.LastIndexOf((byte)'}');
        if (timings.IsEmpty || close < 0)
        {
            Emit(finish, output);
        }
        else
        {
            Emit(finish[..close], output);
            Emit(timings, output);
            Emit(finish[close..], output);
        }

        _finish.Clear();
    }

    private void Emit(ReadOnlySpan<byte> bytes, IBufferWriter<byte> output)
    {
        Written += bytes.Length;
        output.Write(bytes);
    }

    private struct PooledBytes : IDisposable
    {
        private byte[]? _bytes;

        public int Count { get; private set; }

        public readonly ReadOnlySpan<byte> Span => _bytes.AsSpan(0, Count);

        public void Append(ReadOnlySpan<byte> bytes)
        {
            var needed = Count + bytes.Length;
            if (needed > (_bytes?.Length ?? 0))
            {
                var larger = ArrayPool<byte>.Shared.Rent(Math.Max(needed, Count * 2));
                Span.CopyTo(larger);
                Dispose();
                _bytes = larger;
            }

            bytes.CopyTo(_bytes.AsSpan(Count));
            Count = needed;
        }

        public void Clear() => Count = 0;

        public void Dispose()
        {
            if (_bytes is not null)
            {
                ArrayPool<byte>.Shared.Return(_bytes);
                _bytes = null;
            }
        }
    }
}
