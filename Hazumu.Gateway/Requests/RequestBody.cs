using System.Buffers;

namespace Hazumu.Gateway.Requests;

/// <summary>
/// A request's body, its beginning kept so that the model's name can be read and another attempt be made. A body within the limit is
/// kept whole; of a larger one the rest passes once, unread.
/// </summary>
internal sealed class RequestBody : IDisposable
{
    private const int FirstBuffer = 4 * 1024;

    private readonly Stream _source;
    private byte[] _buffer;
    private ReplayStream? _open;
    private bool _isRestTouched;

    private RequestBody(Stream source, byte[] buffer, int length, bool isWhole)
    {
        _source = source;
        _buffer = buffer;
        Head = buffer.AsMemory(0, length);
        IsWhole = isWhole;
    }

    /// <summary>The beginning; all of it where <see cref="IsWhole"/>.</summary>
    public ReadOnlyMemory<byte> Head { get; private set; }

    /// <summary>Whether there is no more.</summary>
    public bool IsWhole { get; }

    /// <summary>Whether it can be sent from its start.</summary>
    public bool CanSend => !_isRestTouched && _buffer.Length > 0;

    /// <summary>Bytes that have come, in all.</summary>
    public long BytesRead { get; private set; }

    /// <summary>Reads up to the limit.</summary>
    /// <param name="source">The client's body.</param>
    /// <param name="length">Its length, where the client told.</param>
    /// <param name="limit">Bytes to keep.</param>
    /// <param name="cancellationToken">The client went away.</param>
    /// <exception cref="BadHttpRequestException">The body is malformed, too slow or cut off.</exception>
    /// <exception cref="IOException">The connection broke.</exception>
    public static async ValueTask<RequestBody> ReadAsync(Stream source, long? length, int limit, CancellationToken cancellationToken)
    {
        var buffer = ArrayPool<byte>.Shared.Rent((int)Math.Min(limit, Math.Max(length ?? FirstBuffer, 1)));
        var read = 0;
        try
        {
            while (true)
            {
                if (read == buffer.Length || read == limit)
                {
                    if (read == length)
                    {
                        return new RequestBody(source, buffer, read, isWhole: true) { BytesRead = read };
                    }

                    if (read >= limit)
                    {
                        return new RequestBody(source, buffer, read, isWhole: false) { BytesRead = read };
                    }

                    buffer = Grow(buffer, read, limit);
                }

                var count = await source.ReadAsync(buffer.AsMemory(read, Math.Min(buffer.Length, limit) - read), cancellationToken);
                if (count == 0)
                {
                    return new RequestBody(source, buffer, read, isWhole: true) { BytesRead = read };
                }

                read += count;
            }
        }
        catch
        {
            ArrayPool<byte>.Shared.Return(buffer);
            throw;
        }
    }

    /// <summary>Puts another body in its place: one that asks for usage too. The body must be whole.</summary>
    public void Replace(ReadOnlySpan<byte> body)
    {
        var buffer = ArrayPool<byte>.Shared.Rent(Math.Max(1, body.Length));
        body.CopyTo(buffer);
        ArrayPool<byte>.Shared.Return(_buffer);
        _buffer = buffer;
        Head = buffer.AsMemory(0, body.Length);
    }

    /// <summary>The body from its start, for one attempt.</summary>
    public Stream Open() => _open = new ReplayStream(this);

    /// <summary>Gives the memory back once the engine has begun to answer: nothing is sent again then.</summary>
    public void ReleaseIfSent()
    {
        if (IsWhole && _open is { IsAtEnd: true })
        {
            Dispose();
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        var buffer = _buffer;
        _buffer = [];
        Head = default;
        if (buffer.Length > 0)
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    private static byte[] Grow(byte[] buffer, int read, int limit)
    {
        var larger = ArrayPool<byte>.Shared.Rent((int)Math.Min(limit, buffer.Length * 2L));
        buffer.AsSpan(0, read).CopyTo(larger);
        ArrayPool<byte>.Shared.Return(buffer);
        return larger;
    }

    private sealed class ReplayStream(RequestBody body) : BodyStream
    {
        private int _position;

        public bool IsAtEnd { get; private set; }

        public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
        {
            var head = body.Head;
            if (_position < head.Length || buffer.IsEmpty)
            {
                var count = Math.Min(buffer.Length, head.Length - _position);
                head.Slice(_position, count).CopyTo(buffer);
                _position += count;
                return count;
            }

            if (body.IsWhole)
            {
                IsAtEnd = true;
                return 0;
            }

            body._isRestTouched = true;
            var read = await body._source.ReadAsync(buffer, cancellationToken);
            body.BytesRead += read;
            return read;
        }
    }
}
