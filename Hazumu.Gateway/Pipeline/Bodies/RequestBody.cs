using System.Buffers;
using System.IO.MemoryMappedFiles;
using System.Text;
using System.Text.Json;
using Hazumu.Gateway.Keys;
using Hazumu.Gateway.Pipeline.Operations;
using Hazumu.Gateway.Streams;
using Microsoft.Win32.SafeHandles;

namespace Hazumu.Gateway.Pipeline.Bodies;

/// <summary>How far a body was read.</summary>
internal enum BodyRead
{
    /// <summary>As far as requested, or to its end.</summary>
    Done,

    /// <summary>It is larger than a body may be.</summary>
    TooLarge,

    /// <summary>The bodies of other requests take all of the room.</summary>
    NoRoom,

    /// <summary>It has no room even if there are no other requests.</summary>
    NeverFits,
}

/// <summary>
/// A request's body. It is read whole before it is sent on, so that the model's name can be read, nothing behind it contradicts it, and
/// another attempt can be made: in memory that grows with what arrives, and in a file beyond <see cref="LargestInMemory"/>.
/// </summary>
internal sealed class RequestBody(BodyBudget budget) : IDisposable
{
    /// <summary>Bytes of a body that are kept in memory if there is a disk for larger ones.</summary>
    public const int LargestInMemory = 1024 * 1024;

    // Not counted: it costs no more than the connection that it came by, and a small request is answered however large others are.
    private const int FirstBuffer = 16 * 1024;
    private const int WriteBuffer = 64 * 1024;

    private byte[] _buffer = [];
    private int _buffered;
    private byte _first;
    private SafeFileHandle? _file;
    private long _written;
    private ReplayStream? _open;
    private (int Start, int End, byte[] Text)[] _edits = [];
    private long _added;

    /// <summary>Whether all of it is here.</summary>
    public bool IsWhole { get; private set; }

    /// <summary>Whether it begins as an object in JSON does.</summary>
    public bool IsObject => _first == (byte)'{';

    /// <summary>The members that were found at its beginning; none if it is not parsed.</summary>
    public RequestHeadResult Head { get; set; }

    /// <summary>Bytes that have come.</summary>
    public long BytesRead { get; private set; }

    /// <summary>Bytes that are sent on.</summary>
    public long Length => BytesRead + _added;

    /// <summary>Whether it can be sent.</summary>
    public bool CanSend => _buffer.Length > 0 || _file is not null;

    /// <summary>Reads on.</summary>
    /// <param name="source">The client's body.</param>
    /// <param name="length">Its length, if it is known.</param>
    /// <param name="enough">Reads until this many bytes are here; the bytes at hand may be more.</param>
    /// <param name="limit">Bytes that a body may have.</param>
    /// <param name="cancellationToken">The client went away, or is too slow.</param>
    /// <exception cref="BadHttpRequestException">The body is malformed, too slow or cut off.</exception>
    /// <exception cref="IOException">The connection broke.</exception>
    public async ValueTask<BodyRead> ReadAsync(Stream source, long? length, long enough, long limit, CancellationToken cancellationToken)
    {
        while (!IsWhole && BytesRead < enough)
        {
            if (_buffered == _buffer.Length && await MakeRoomAsync(length) is var room and not BodyRead.Done)
            {
                return room;
            }

            var count = await source.ReadAsync(_buffer.AsMemory(_buffered), cancellationToken);
            if (_first == 0)
            {
                _first = _buffer.AsSpan(_buffered, count).TrimStart(" \t\r\n"u8) is [var first, ..] ? first : default;
            }

            _buffered += count;
            BytesRead += count;
            if (BytesRead > limit)
            {
                return BodyRead.TooLarge;
            }

            IsWhole = count == 0 || BytesRead == length;
        }

        if (_file is not null && _buffered > 0 && !await TryWriteAsync())
        {
            return NoRoom;
        }

        if (_file is not null && IsWhole)
        {
            ReturnBuffer();
        }

        return BodyRead.Done;
    }

    /// <summary>Reads what routing and admission need of it, if it is JSON.</summary>
    /// <param name="operation">The requested operation.</param>
    /// <param name="place">The place of the model's name.</param>
    /// <param name="namesEndUser">Whether the end user that it names is wanted.</param>
    public RequestHeadResult Parse(Operation operation, ModelPlace place, bool namesEndUser = false)
    {
        if (_file is null)
        {
            return RequestHead.Parse(_buffer.AsSpan(0, _buffered), IsWhole, operation.Dialect, place, operation.Scope == Scope.Admin, namesEndUser);
        }

        // Nothing but this process can write to the file, which has no name: the mapping stays valid.
        using var map = MemoryMappedFile.CreateFromFile(_file, null, 0, MemoryMappedFileAccess.Read, HandleInheritability.None, leaveOpen: true);
        using var view = map.CreateViewAccessor(0, _written, MemoryMappedFileAccess.Read);
        unsafe
        {
            byte* start = null;
            view.SafeMemoryMappedViewHandle.AcquirePointer(ref start);
            try
            {
                return RequestHead.Parse(new ReadOnlySpan<byte>(start + view.PointerOffset, (int)_written), IsWhole, operation.Dialect, place, operation.Scope == Scope.Admin, namesEndUser);
            }
            finally
            {
                view.SafeMemoryMappedViewHandle.ReleasePointer();
            }
        }
    }

    /// <summary>Puts other bytes in the place of some when it is sent.</summary>
    public void Replace(Range place, ReadOnlySpan<byte> text)
    {
        var (start, end) = (place.Start.Value, place.End.Value);
        Restore(place);
        _edits = [.. _edits, (start, end, text.ToArray())];
        Array.Sort(_edits, static (one, other) => one.Start.CompareTo(other.Start));
        _added += text.Length - (end - start);
    }

    /// <summary>
    /// Names another model when it is sent; <see langword="null"/> for the one that the client named.
    /// </summary>
    public void NameModel(string? model)
    {
        if (model is null)
        {
            Restore(Head.ModelRange);
        }
        else
        {
            var text = IsObject ? JsonSerializer.SerializeToUtf8Bytes(model) : Encoding.UTF8.GetBytes(model);
            Replace(Head.ModelRange, text);
        }
    }

    /// <summary>The body from its start, for one attempt.</summary>
    public Stream Open() => _open = new ReplayStream(this);

    /// <summary>Gives memory and file back once the engine has begun to answer: nothing is sent again then.</summary>
    public void ReleaseIfSent()
    {
        if (_open is { IsAtEnd: true })
        {
            Dispose();
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        ReturnBuffer();
        if (_file is { } file)
        {
            _file = null;
            file.Dispose();
            budget.ReturnDisk(_written);
        }
    }

    private void Restore(Range place)
    {
        var at = Array.FindIndex(_edits, edit => edit.Start == place.Start.Value);
        if (at >= 0)
        {
            _added -= _edits[at].Text.Length - (_edits[at].End - _edits[at].Start);
            _edits = [.. _edits[..at], .. _edits[(at + 1)..]];
        }
    }

    private BodyRead NoRoom => budget.HasDisk ? BytesRead > budget.DiskLimit ? BodyRead.NeverFits : BodyRead.NoRoom
        : _buffer.Length * 3L > budget.MemoryLimit ? BodyRead.NeverFits : BodyRead.NoRoom;

    private async ValueTask<BodyRead> MakeRoomAsync(long? length)
    {
        if (_file is not null)
        {
            return await TryWriteAsync() ? BodyRead.Done : NoRoom;
        }

        if (_buffer.Length < LargestInMemory && TryGrow(length))
        {
            return BodyRead.Done;
        }

        if ((_file = budget.TryCreateFile()) is { } file)
        {
            if (await TryWriteAsync())
            {
                return BodyRead.Done;
            }

            _file = null;
            file.Dispose();
        }

        return TryGrow(length) ? BodyRead.Done : NoRoom;
    }

    private bool TryGrow(long? length)
    {
        var size = Math.Max(FirstBuffer, Math.Min(_buffer.Length * 2L, Array.MaxLength));
        var larger = ArrayPool<byte>.Shared.Rent((int)Math.Min(size, Math.Max(length ?? size, 1)));
        if (!budget.TryTakeMemory(Counted(larger)))
        {
            ArrayPool<byte>.Shared.Return(larger);
            return false;
        }

        var buffered = _buffered;
        _buffer.AsSpan(0, buffered).CopyTo(larger);
        ReturnBuffer();
        (_buffer, _buffered) = (larger, buffered);
        return true;
    }

    private async ValueTask<bool> TryWriteAsync()
    {
        if (!budget.TryTakeDisk(_buffered))
        {
            return false;
        }

        try
        {
            await RandomAccess.WriteAsync(_file!, _buffer.AsMemory(0, _buffered), _written);
        }
        catch (IOException error)
        {
            budget.ReturnDisk(_buffered);
            budget.OnDiskFailed(error);
            return false;
        }

        _written += _buffered;
        _buffered = 0;
        if (_buffer.Length > WriteBuffer)
        {
            ReturnBuffer();
            _buffer = ArrayPool<byte>.Shared.Rent(FirstBuffer);
        }

        return true;
    }

    private void ReturnBuffer()
    {
        var buffer = _buffer;
        _buffer = [];
        _buffered = 0;
        if (buffer.Length > 0)
        {
            budget.ReturnMemory(Counted(buffer));
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    private static long Counted(byte[] buffer) => buffer.Length > FirstBuffer ? buffer.Length : 0;

    private async ValueTask<int> ReadAtAsync(long offset, Memory<byte> buffer, CancellationToken cancellationToken)
    {
        if (_file is { } file)
        {
            try
            {
                return await RandomAccess.ReadAsync(file, buffer, offset, cancellationToken);
            }
            catch (IOException error)
            {
                // An IOException would be taken for the client's connection.
                budget.OnDiskReadFailed(error);
                throw new InvalidOperationException("A request's body cannot be read back from its file.", error);
            }
        }

        var rest = _buffer.AsSpan(0, _buffered)[(int)Math.Min(offset, _buffered)..];
        var count = Math.Min(buffer.Length, rest.Length);
        rest[..count].CopyTo(buffer.Span);
        return count;
    }

    private sealed class ReplayStream(RequestBody body) : BodyStream
    {
        private long _position;

        public bool IsAtEnd { get; private set; }

        // No code seeks, but a form's reader reports the position of a field only for a seekable stream.
        public override bool CanSeek => true;

        public override long Position
        {
            get => _position;
            set => throw new NotSupportedException();
        }

        public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
        {
            if (buffer.IsEmpty)
            {
                return 0;
            }

            var count = TryCopyEdit(ref buffer, out var at);
            count = count > 0 ? count : await body.ReadAtAsync(at, buffer, cancellationToken);
            _position += count;
            IsAtEnd |= count == 0;
            return count;
        }

        // Else cuts the buffer off at the next edit, and says where in the body to read.
        private int TryCopyEdit(ref Memory<byte> buffer, out long at)
        {
            at = _position;
            foreach (var (start, end, text) in body._edits)
            {
                if (at < start)
                {
                    buffer = buffer[..(int)Math.Min(buffer.Length, start - at)];
                    return 0;
                }

                if (at - start < text.Length)
                {
                    var rest = text.AsSpan((int)(at - start));
                    var count = Math.Min(rest.Length, buffer.Length);
                    rest[..count].CopyTo(buffer.Span);
                    return count;
                }

                at += end - start - text.Length;
            }

            return 0;
        }
    }
}
