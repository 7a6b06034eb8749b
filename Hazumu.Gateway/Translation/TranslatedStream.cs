using System.Buffers;
using Hazumu.Gateway.Streams;

namespace Hazumu.Gateway.Translation;

/// <summary>An engine's stream of events in the client's dialect: each read takes from the engine what it needs, and no more.</summary>
/// <remarks>
/// What ends the engine's stream ends this one: a broken connection throws here, and a stream that ends before its answer does ends here
/// without the mark of an end, which the gateway notices.
/// </remarks>
/// <param name="content">The engine's answer, disposed of with this stream.</param>
/// <param name="source">Its body.</param>
/// <param name="reader">Reads its events.</param>
/// <param name="writer">Gets what is read.</param>
/// <param name="onProgress">
/// Is called when something has come from the engine. The gateway does not see it otherwise where nothing comes of it yet:
/// in Ollama's dialect a call of a tool is sent whole.
/// </param>
internal sealed class TranslatedStream(HttpContent content, Stream source, AnswerReader reader, AnswerWriter writer, Action? onProgress) : BodyStream
{
    // A chunk with the probabilities of twenty alternatives has a few kilobytes.
    private const int LargestEvent = 4 * 1024 * 1024;

    private readonly byte[] _input = new byte[4 * 1024];
    private readonly ArrayBufferWriter<byte> _data = new();
    private EventStreamReader _events;
    private int _sent;
    private bool _isAtEnd;

    /// <inheritdoc/>
    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        while (writer.Output.WrittenCount == _sent && !_isAtEnd)
        {
            writer.Output.ResetWrittenCount();
            _sent = 0;
            var count = await source.ReadAsync(_input, cancellationToken);
            onProgress?.Invoke();
            _isAtEnd = count == 0;
            if (_isAtEnd)
            {
                reader.Complete();
            }
            else
            {
                Read(_input.AsSpan(0, count));
            }
        }

        var rest = writer.Output.WrittenMemory[_sent..];
        var taken = rest[..Math.Min(rest.Length, buffer.Length)];
        taken.CopyTo(buffer);
        _sent += taken.Length;
        return taken.Length;
    }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            content.Dispose();
        }

        base.Dispose(disposing);
    }

    private void Read(ReadOnlySpan<byte> bytes)
    {
        while (true)
        {
            switch (_events.Read(ref bytes, out var piece))
            {
                case EventPart.None:
                    return;

                case EventPart.Data:
                    if (_data.WrittenCount + piece.Length > LargestEvent)
                    {
                        throw new IOException($"The engine's stream has an event of more than {LargestEvent} bytes.");
                    }

                    _data.Write(piece);
                    break;

                case EventPart.End:
                    if (_data.WrittenCount > 0)
                    {
                        reader.Read(_data.WrittenSpan);
                        _data.ResetWrittenCount();
                    }

                    break;
            }
        }
    }
}
