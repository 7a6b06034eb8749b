using System.Text;

namespace Hazumu.Gateway.Tests.Telemetry;

/// <summary>A stream whose reader can stop to read, or be gone.</summary>
internal sealed class GatedStream(bool keeps = true) : Stream
{
    private readonly ManualResetEventSlim _open = new(initialState: true);
    private readonly ManualResetEventSlim _held = new();
    private readonly List<byte> _written = [];
    private readonly Lock _gate = new();
    private int _writes;

    /// <summary>What a write meets.</summary>
    public IOException? Error { get; set; }

    /// <summary>Writes that went through.</summary>
    public int Writes => Volatile.Read(ref _writes);

    /// <summary>Lines that have arrived.</summary>
    public string[] Lines
    {
        get
        {
            lock (_gate)
            {
                return Encoding.UTF8.GetString([.. _written]).Split('\n', StringSplitOptions.RemoveEmptyEntries);
            }
        }
    }

    public override bool CanRead => false;

    public override bool CanSeek => false;

    public override bool CanWrite => true;

    public override long Length => throw new NotSupportedException();

    public override long Position
    {
        get => throw new NotSupportedException();
        set => throw new NotSupportedException();
    }

    /// <summary>Holds every write from now on.</summary>
    public void Hold() => _open.Reset();

    public void Open() => _open.Set();

    /// <summary>Waits until a write is held.</summary>
    public bool WaitUntilHeld() => _held.Wait(TimeSpan.FromSeconds(30));

    public override void Write(byte[] buffer, int offset, int count)
    {
        if (!_open.IsSet)
        {
            _held.Set();
            _open.Wait();
        }

        if (Error is { } error)
        {
            throw error;
        }

        Interlocked.Increment(ref _writes);
        if (keeps)
        {
            lock (_gate)
            {
                _written.AddRange(buffer.AsSpan(offset, count));
            }
        }
    }

    public override void Flush()
    {
    }

    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    protected override void Dispose(bool disposing)
    {
        _open.Set();
        base.Dispose(disposing);
    }
}
