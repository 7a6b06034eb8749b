namespace Hazumu.Gateway.Telemetry;

/// <summary>
/// Writes lines to a stream on a separate thread, many at a time, so that no request waits for the reader of the
/// stream.
/// </summary>
/// <remarks>
/// A line is copied to the end of a buffer; the thread takes the whole buffer and leaves an empty one. The first line
/// after a pause is written immediately, further ones after a short delay or when they are enough for a large write.
/// </remarks>
internal sealed class LineWriter : IDisposable
{
    /// <summary>The most bytes that wait.</summary>
    public const int Capacity = 4 * 1024 * 1024;

    private const int SmallBuffer = 64 * 1024;
    private const int LargeWrite = SmallBuffer / 2;

    private static readonly TimeSpan s_pause = TimeSpan.FromMilliseconds(20);
    private static readonly TimeSpan s_lastFlush = TimeSpan.FromSeconds(5);

    private readonly Stream _output;
    private readonly Action<int> _dropped;
    private readonly Thread _thread;

    // Guards the following fields. A monitor: the two sides notify each other by its waits and pulses.
    private readonly object _gate = new();
    private byte[] _buffer = new byte[SmallBuffer];
    private byte[] _spare = new byte[SmallBuffer];
    private int _count;
    private int _wakeAt = int.MaxValue;
    private bool _isWriting;
    private int _flushes;
    private bool _isClosed;

    /// <param name="output">The destination of lines; not disposed.</param>
    /// <param name="dropped">Called for lost lines.</param>
    public LineWriter(Stream output, Action<int> dropped)
    {
        _output = output;
        _dropped = dropped;
        _thread = new Thread(Run) { IsBackground = true, Name = "standard output" };
        _thread.Start();
    }

    /// <summary>Queues a line, including its end of line; reports it as dropped if the buffer is full.</summary>
    public void Write(ReadOnlySpan<byte> line)
    {
        if (!TryTake(line))
        {
            _dropped(1);
        }
    }

    /// <summary>Waits until all that was taken before is written.</summary>
    /// <returns>Whether that came to pass in time.</returns>
    public bool Flush(TimeSpan limit)
    {
        var end = Environment.TickCount64 + (long)limit.TotalMilliseconds;
        lock (_gate)
        {
            _flushes++;
            Monitor.PulseAll(_gate);
            while (_count > 0 || _isWriting)
            {
                var left = end - Environment.TickCount64;
                if (left <= 0 || !Monitor.Wait(_gate, (int)left))
                {
                    break;
                }
            }

            _flushes--;
            return _count == 0 && !_isWriting;
        }
    }

    /// <summary>Writes what waits and stops; a stream that takes nothing any more is waited for a few seconds.</summary>
    public void Dispose()
    {
        lock (_gate)
        {
            _isClosed = true;
            Monitor.PulseAll(_gate);
        }

        _thread.Join(s_lastFlush);
    }

    private bool TryTake(ReadOnlySpan<byte> line)
    {
        lock (_gate)
        {
            var end = _count + line.Length;
            if (_isClosed || end > Capacity)
            {
                return false;
            }

            if (end > _buffer.Length)
            {
                Array.Resize(ref _buffer, Math.Min(Math.Max(end, 2 * _buffer.Length), Capacity));
            }

            line.CopyTo(_buffer.AsSpan(_count));
            _count = end;
            if (end >= _wakeAt)
            {
                _wakeAt = int.MaxValue;
                Monitor.PulseAll(_gate);
            }

            return true;
        }
    }

    private void Run()
    {
        while (true)
        {
            byte[] lines;
            int count;
            lock (_gate)
            {
                while (_count == 0)
                {
                    if (_isClosed)
                    {
                        return;
                    }

                    _wakeAt = 1;
                    Monitor.Wait(_gate);
                }

                _wakeAt = int.MaxValue;
                (lines, count) = (_buffer, _count);
                (_buffer, _spare, _count, _isWriting) = (_spare, [], 0, true);
            }

            Write(lines, count);
            lock (_gate)
            {
                // A backlog is rare; its memory is not kept.
                _spare = lines.Length > SmallBuffer ? new byte[SmallBuffer] : lines;
                _isWriting = false;
                Monitor.PulseAll(_gate);
                if (_flushes == 0 && !_isClosed && _count < LargeWrite)
                {
                    _wakeAt = LargeWrite;
                    Monitor.Wait(_gate, s_pause);
                }
            }
        }
    }

    private void Write(byte[] lines, int count)
    {
        try
        {
            _output.Write(lines, 0, count);
            _output.Flush();
        }
        catch (Exception error) when (error is IOException or ObjectDisposedException or UnauthorizedAccessException)
        {
            // The reader has stopped. The next lines are tried again.
            _dropped(lines.AsSpan(0, count).Count((byte)'\n'));
        }
    }
}
