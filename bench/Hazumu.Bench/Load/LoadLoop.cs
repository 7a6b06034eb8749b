using System.Diagnostics;
using System.Net;

namespace Hazumu.Bench.Load;

/// <summary>The load generator: one thread, all connections, and what is to happen at which time.</summary>
internal sealed class LoadLoop(params IReadOnlyList<IPEndPoint> targets) : IDisposable
{
    private readonly Epoll _epoll = new();
    private readonly List<HttpConnection> _connections = [];
    private readonly PriorityQueue<Action, long> _timers = new();
    private readonly byte[] _received = new byte[64 * 1024];
    private bool _disposed;

    /// <summary>Requests that failed: a broken connection, a broken answer, or a status other than 200.</summary>
    public int Errors { get; private set; }

    /// <summary>The first of them.</summary>
    public string? FirstError { get; private set; }

    /// <summary>The target of a connection: each in turn.</summary>
    public IPEndPoint TargetOf(int key) => targets[key % targets.Count];

    /// <summary>Lets something happen at a time of <see cref="Stopwatch.GetTimestamp"/>.</summary>
    public void At(long time, Action action) => _timers.Enqueue(action, time);

    public void Fail(string what)
    {
        Errors++;
        FirstError ??= what;
    }

    /// <summary>Runs until a time, or until something else is true.</summary>
    public void Run(long until, Func<bool>? isOver = null)
    {
        while (isOver?.Invoke() != true)
        {
            var now = Stopwatch.GetTimestamp();
            while (_timers.TryPeek(out var action, out var due) && due <= now)
            {
                _timers.Dequeue();
                action();
            }

            if (now >= until)
            {
                return;
            }

            var next = _timers.TryPeek(out _, out var nextDue) ? Math.Min(nextDue, until) : until;
            var wait = (int)Math.Min(100, Math.Ceiling(Stopwatch.GetElapsedTime(now, next).TotalMilliseconds));
            var ready = _epoll.Wait(Math.Max(0, wait));
            for (var i = 0; i < ready; i++)
            {
                _connections[_epoll.Key(i)].OnReadable(_received);
            }
        }
    }

    public void Dispose()
    {
        if (_disposed)
        {
            return;
        }

        _disposed = true;
        foreach (var connection in _connections)
        {
            connection.Dispose();
        }

        _epoll.Dispose();
    }

    internal int Register(HttpConnection connection)
    {
        _connections.Add(connection);
        return _connections.Count - 1;
    }

    internal void Watch(int descriptor, int key) => _epoll.Add(descriptor, key);

    internal void Unwatch(int descriptor) => _epoll.Remove(descriptor);
}
