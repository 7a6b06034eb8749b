using System.Buffers.Text;
using System.Diagnostics;
using System.Net.Sockets;
using System.Text;

namespace Hazumu.Bench.Load;

/// <summary>
/// A client's connection that knows as much of HTTP/1.1 as it takes to see where an answer ends: its length, or its chunks.
/// </summary>
internal abstract class HttpConnection : IDisposable
{
    private enum State
    {
        Idle,
        Head,
        Length,
        ChunkSize,
        ChunkData,
        ChunkEnd,
        Trailer,
    }

    private readonly LoadLoop _loop;
    private readonly int _key;
    private readonly byte[] _line = new byte[4096];
    private Socket? _socket;
    private State _state;
    private int _lineLength;
    private long _left;
    private bool _closes;
    private bool _hasBegun;

    protected HttpConnection(LoadLoop loop)
    {
        _loop = loop;
        _key = loop.Register(this);
    }

    protected LoadLoop Loop => _loop;

    /// <summary>Status of the answer that is being read.</summary>
    protected int Status { get; private set; }

    /// <summary>When the last bytes were there.</summary>
    protected long ReceivedAt { get; private set; }

    /// <summary>Whether no request is on its way.</summary>
    public bool IsIdle => _state == State.Idle;

    public void Dispose() => Drop();

    /// <summary>Sends a whole request; connects first where that is needed.</summary>
    public void Send(ReadOnlySpan<byte> request)
    {
        if (_socket is null)
        {
            Connect();
        }

        _state = State.Head;
        _lineLength = 0;
        _hasBegun = false;
        if (_socket!.Send(request, SocketFlags.None, out var error) != request.Length)
        {
            Break($"send: {error}");
        }
    }

    public void OnReadable(byte[] buffer)
    {
        if (_socket is null)
        {
            return;
        }

        var count = _socket.Receive(buffer, SocketFlags.None, out var error);
        ReceivedAt = Stopwatch.GetTimestamp();
        if (error == SocketError.WouldBlock)
        {
            return;
        }

        if (count > 0)
        {
            Read(buffer.AsSpan(0, count));
        }
        else if (_state == State.Idle)
        {
            Drop();
        }
        else
        {
            Break(error == SocketError.Success ? "the connection was closed within an answer" : $"receive: {error}");
        }
    }

    /// <summary>The first bytes of an answer are there.</summary>
    protected virtual void OnFirstBytes()
    {
    }

    /// <summary>Bytes of a body are there.</summary>
    protected virtual void OnBody(ReadOnlySpan<byte> bytes)
    {
    }

    /// <summary>An answer is whole. The next request may be sent from here.</summary>
    protected abstract void OnAnswered();

    /// <summary>An answer will never be whole. The next request may be sent from here.</summary>
    protected abstract void OnBroken();

    private void Connect()
    {
        _socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        _socket.Connect(_loop.TargetOf(_key));
        _socket.Blocking = false;
        _loop.Watch((int)_socket.Handle, _key);
    }

    private void Drop()
    {
        if (_socket is null)
        {
            return;
        }

        _loop.Unwatch((int)_socket.Handle);
        _socket.Dispose();
        _socket = null;
        _state = State.Idle;
    }

    private void Break(string what)
    {
        _loop.Fail(what);
        Drop();
        OnBroken();
    }

    private void Read(ReadOnlySpan<byte> bytes)
    {
        if (!_hasBegun)
        {
            _hasBegun = true;
            Status = 0;
            _left = -1;
            _closes = false;
            OnFirstBytes();
        }

        while (!bytes.IsEmpty)
        {
            switch (_state)
            {
                case State.Idle:
                    Break("bytes that nobody asked for");
                    return;
                case State.Length or State.ChunkData:
                    var count = (int)Math.Min(_left, bytes.Length);
                    OnBody(bytes[..count]);
                    bytes = bytes[count..];
                    _left -= count;
                    if (_left == 0)
                    {
                        if (_state == State.Length)
                        {
                            End();
                            return;
                        }

                        _state = State.ChunkEnd;
                    }

                    break;
                default:
                    var end = bytes.IndexOf((byte)'\n');
                    var part = end < 0 ? bytes : bytes[..end];
                    if (_lineLength + part.Length > _line.Length)
                    {
                        Break("a line that is too long");
                        return;
                    }

                    part.CopyTo(_line.AsSpan(_lineLength));
                    _lineLength += part.Length;
                    if (end < 0)
                    {
                        return;
                    }

                    bytes = bytes[(end + 1)..];
                    var line = _line.AsSpan(0, _lineLength).TrimEnd((byte)'\r');
                    _lineLength = 0;
                    if (ReadLine(line))
                    {
                        return;
                    }

                    break;
            }
        }
    }

    /// <summary>Whether the answer ends with it.</summary>
    private bool ReadLine(ReadOnlySpan<byte> line)
    {
        switch (_state)
        {
            case State.Head when line.IsEmpty:
                if (_left == 0)
                {
                    End();
                    return true;
                }

                _state = _left > 0 ? State.Length : State.ChunkSize;
                return false;
            case State.Head:
                ReadHeader(line);
                return false;
            case State.ChunkSize:
                if (!Utf8Parser.TryParse(line, out _left, out _, 'x'))
                {
                    Break($"a chunk of size '{Encoding.ASCII.GetString(line)}'");
                    return true;
                }

                _state = _left == 0 ? State.Trailer : State.ChunkData;
                return false;
            case State.ChunkEnd:
                _state = State.ChunkSize;
                return false;
            case State.Trailer when line.IsEmpty:
                End();
                return true;
            default:
                return false;
        }
    }

    private void ReadHeader(ReadOnlySpan<byte> line)
    {
        if (Status == 0)
        {
            const int Before = 9; // "HTTP/1.1 "
            Status = line.Length > Before && Utf8Parser.TryParse(line[Before..], out int status, out _) ? status : -1;
            return;
        }

        const string Length = "content-length:";
        const string Connection = "connection:";
        if (StartsWith(line, Length))
        {
            _left = Utf8Parser.TryParse(line[Length.Length..].TrimStart((byte)' '), out long length, out _) ? length : -1;
        }
        else if (StartsWith(line, Connection))
        {
            _closes = line[Connection.Length..].Trim((byte)' ').SequenceEqual("close"u8);
        }
    }

    private static bool StartsWith(ReadOnlySpan<byte> line, string name) =>
        line.Length >= name.Length && Ascii.EqualsIgnoreCase(line[..name.Length], name);

    private void End()
    {
        _state = State.Idle;
        if (_closes)
        {
            Drop();
        }

        if (Status != 200)
        {
            _loop.Fail($"status {Status}");
        }

        OnAnswered();
    }
}
