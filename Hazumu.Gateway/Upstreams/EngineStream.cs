using System.Buffers;
using System.Net.Sockets;

namespace Hazumu.Gateway.Upstreams;

/// <summary>
/// A connection to an engine. When its request is broken off, it stops sending, which the engine takes for a disconnect, and waits for the
/// engine to close its side: Go's server does that once the handler has returned, Kestrel's immediately. <see cref="UpstreamRelease"/> reports it.
/// </summary>
internal sealed class EngineStream(Socket socket, TimeSpan releaseTimeout) : Stream
{
    private const int LargestHead = 4 * 1024;
    private const int LargestTogether = 64 * 1024;

    private readonly CancellationTokenSource _disposed = new();

    // SocketsHttpHandler, and the readers of its streams, know a broken connection by IOException; a socket's own is none.
    private readonly NetworkStream _reading = new(socket, ownsSocket: false);
    private byte[]? _head;
    private int _headLength;
    private int _isDisposed;
    private bool _isDeaf;
    private bool _isWithin;
    private bool _hasExpected;

    /// <inheritdoc/>
    public override bool CanRead => true;

    /// <inheritdoc/>
    public override bool CanSeek => false;

    /// <inheritdoc/>
    public override bool CanWrite => true;

    /// <inheritdoc/>
    public override long Length => throw new NotSupportedException();

    /// <inheritdoc/>
    public override long Position
    {
        get => throw new NotSupportedException();
        set => throw new NotSupportedException();
    }

    /// <inheritdoc/>
    public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        // The next bytes that are written are a head again.
        _isWithin = false;
        return _reading.ReadAsync(buffer, _disposed.Token);
    }

    /// <inheritdoc/>
    /// <remarks>
    /// YARP flushes a request's head before its body is there (StreamCopyHttpContent.SerializeToStreamAsync), which makes two packets of a
    /// request that fits into one, and wakes the engine twice. A head whose body must follow waits for it here.
    /// </remarks>
    public override ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
    {
        if (_head is not null)
        {
            return SendWithHeadAsync(buffer);
        }

        // A part of a body may look like a head: it must not wait for what will never come. A request that expects 100 (Continue) is
        // written between two reads, so that nothing distinguishes its body from the next head: nothing is held from then on.
        var isWithin = _isWithin;
        _isWithin = true;
        _hasExpected |= !isWithin && buffer.Span.IndexOf("\r\nExpect:"u8) >= 0;
        if (isWithin || _hasExpected || buffer.Length > LargestHead || !IsHeadWithBody(buffer.Span))
        {
            return SendAsync(buffer);
        }

        _head = ArrayPool<byte>.Shared.Rent(buffer.Length);
        _headLength = buffer.Length;
        buffer.CopyTo(_head);
        return default;
    }

    /// <inheritdoc/>
    public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    /// <inheritdoc/>
    public override Task WriteAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        WriteAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    /// <inheritdoc/>
    public override int Read(byte[] buffer, int offset, int count) => _reading.Read(buffer, offset, count);

    /// <inheritdoc/>
    public override void Write(byte[] buffer, int offset, int count) => socket.Send(buffer, offset, count, SocketFlags.None);

    /// <inheritdoc/>
    public override void Flush()
    {
    }

    /// <inheritdoc/>
    public override Task FlushAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    /// <inheritdoc/>
    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    /// <inheritdoc/>
    public override void SetLength(long value) => throw new NotSupportedException();

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        if (disposing && Interlocked.Exchange(ref _isDisposed, 1) == 0)
        {
            if (UpstreamRelease.Current is { } release)
            {
                release.Begin();
                _ = WaitForEngineAsync(release);
            }
            else
            {
                CloseSocket();
            }
        }

        base.Dispose(disposing);
    }

    private static bool IsHeadWithBody(ReadOnlySpan<byte> bytes) =>
        bytes.EndsWith("\r\n\r\n"u8)
        && bytes.IndexOf("\r\nContent-Length: "u8) is var length and > 0
        && bytes[length + "\r\nContent-Length: ".Length] != (byte)'0'
        && bytes.IndexOf(" HTTP/1."u8) > 0;

    private async ValueTask SendWithHeadAsync(ReadOnlyMemory<byte> body)
    {
        var head = _head!;
        _head = null;
        try
        {
            if (_headLength + body.Length > LargestTogether)
            {
                await SendAsync(head.AsMemory(0, _headLength));
                await SendAsync(body);
                return;
            }

            var together = ArrayPool<byte>.Shared.Rent(_headLength + body.Length);
            try
            {
                head.AsSpan(0, _headLength).CopyTo(together);
                body.CopyTo(together.AsMemory(_headLength));
                await SendAsync(together.AsMemory(0, _headLength + body.Length));
            }
            finally
            {
                ArrayPool<byte>.Shared.Return(together);
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(head);
        }
    }

    private ValueTask SendAsync(ReadOnlyMemory<byte> buffer)
    {
        if (_isDeaf)
        {
            return default;
        }

        var sending = socket.SendAsync(buffer, SocketFlags.None, _disposed.Token);
        if (!sending.IsCompletedSuccessfully)
        {
            return SendRestAsync(sending, buffer);
        }

        var sent = sending.Result;
        return sent == buffer.Length ? default : SendRestAsync(new(sent), buffer);
    }

    // An engine may answer and close before it has read the whole body: Ollama does where it has the blob already. SocketsHttpHandler reads
    // the answer only after the body, so that what cannot be written is dropped, and what there is to read shows how it went.
    private async ValueTask SendRestAsync(ValueTask<int> sending, ReadOnlyMemory<byte> buffer)
    {
        try
        {
            buffer = buffer[await sending..];
            while (!buffer.IsEmpty)
            {
                buffer = buffer[await socket.SendAsync(buffer, SocketFlags.None, _disposed.Token)..];
            }
        }
        catch (SocketException error) when (error.SocketErrorCode is SocketError.ConnectionReset or SocketError.ConnectionAborted or SocketError.Shutdown)
        {
            _isDeaf = true;
        }
        catch (SocketException error)
        {
            throw new IOException(error.Message, error);
        }
    }

    private async Task WaitForEngineAsync(UpstreamRelease release)
    {
        try
        {
            // Ends the handler's own read first; one socket is read by one.
            await _disposed.CancelAsync();
            using var limit = new CancellationTokenSource(releaseTimeout);
            socket.Shutdown(SocketShutdown.Send);
            var rest = new byte[512];
            while (await socket.ReceiveAsync(rest, SocketFlags.None, limit.Token) > 0)
            {
            }
        }
        catch (Exception error) when (error is SocketException or OperationCanceledException or ObjectDisposedException)
        {
            // A reset closes the connection too, and the wait has a limit.
        }
        finally
        {
            CloseSocket();
            release.End();
        }
    }

    private void CloseSocket()
    {
        _reading.Dispose();
        socket.Dispose();
        _disposed.Dispose();
    }
}
