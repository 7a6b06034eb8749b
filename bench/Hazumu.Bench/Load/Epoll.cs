using System.ComponentModel;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Hazumu.Bench.Load;

/// <summary>Linux's epoll, level-triggered, for reading only: one thread, no queue between the kernel and the clock.</summary>
internal sealed partial class Epoll : IDisposable
{
    private const int AddOperation = 1;
    private const int RemoveOperation = 2;
    private const uint Readable = 1;

    /// <summary>Events of one wait.</summary>
    private const int Batch = 256;

    /// <summary>The kernel's struct is packed on x64 and nowhere else.</summary>
    private static readonly int s_dataOffset = RuntimeInformation.ProcessArchitecture == Architecture.X64 ? 4 : 8;
    private static readonly int s_stride = s_dataOffset + 8;

    private readonly int _descriptor;
    private readonly SafeFileHandle _handle;
    private readonly byte[] _events = new byte[Batch * s_stride];

    public Epoll()
    {
        _descriptor = Create(0);
        Check(_descriptor);
        _handle = new SafeFileHandle(_descriptor, ownsHandle: true);
    }

    public void Add(int descriptor, int key)
    {
        Span<byte> what = stackalloc byte[s_stride];
        MemoryMarshal.Write(what, Readable);
        MemoryMarshal.Write(what[s_dataOffset..], (long)key);
        Check(Control(_descriptor, AddOperation, descriptor, ref MemoryMarshal.GetReference(what)));
    }

    public void Remove(int descriptor)
    {
        Span<byte> none = stackalloc byte[s_stride];
        Check(Control(_descriptor, RemoveOperation, descriptor, ref MemoryMarshal.GetReference(none)));
    }

    /// <summary>
    /// Waits for sockets to become readable, or for a number of milliseconds, and returns the number of keys.
    /// </summary>
    public int Wait(int milliseconds)
    {
        var count = Wait(_descriptor, ref _events[0], Batch, milliseconds);
        if (count < 0)
        {
            const int Interrupted = 4;
            return Marshal.GetLastPInvokeError() == Interrupted ? 0 : throw new Win32Exception(Marshal.GetLastPInvokeError());
        }

        return count;
    }

    /// <summary>A key of the last wait.</summary>
    public int Key(int index) => (int)MemoryMarshal.Read<long>(_events.AsSpan((index * s_stride) + s_dataOffset));

    public void Dispose() => _handle.Dispose();

    private static void Check(int result)
    {
        if (result < 0)
        {
            throw new Win32Exception(Marshal.GetLastPInvokeError());
        }
    }

    [LibraryImport("libc", EntryPoint = "epoll_create1", SetLastError = true)]
    private static partial int Create(int flags);

    [LibraryImport("libc", EntryPoint = "epoll_ctl", SetLastError = true)]
    private static partial int Control(int epoll, int operation, int descriptor, ref byte what);

    [LibraryImport("libc", EntryPoint = "epoll_wait", SetLastError = true)]
    private static partial int Wait(int epoll, ref byte events, int count, int milliseconds);
}
