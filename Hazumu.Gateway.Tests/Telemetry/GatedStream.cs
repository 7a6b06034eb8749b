using System.Text;

namespace Hazumu.Gateway.Tests.Telemetry;

/// <summary>A stream whose reader can stop to read, or be gone.</summary>
internal sealed class GatedStream(bool keeps = true) : MemoryStream
{
    private readonly ManualResetEventSlim _open = new(initialState: true);
    private readonly ManualResetEventSlim _held = new();
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
                return Encoding.UTF8.GetString(ToArray()).Split('\n', StringSplitOptions.RemoveEmptyEntries);
            }
        }
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
                base.Write(buffer, offset, count);
            }
        }
    }

    protected override void Dispose(bool disposing)
    {
        _open.Set();
        base.Dispose(disposing);
    }
}
