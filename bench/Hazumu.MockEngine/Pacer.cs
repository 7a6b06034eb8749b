using System.Diagnostics;
using System.Threading.Tasks.Sources;

namespace Hazumu.Mocks;

/// <summary>
/// The clock of all streams: a wheel with a slot a millisecond, turned by one thread. A timer a token would cost more than the token.
/// </summary>
internal sealed class Pacer : IDisposable
{
    private const int Slots = 1024;
    private static readonly long s_ticksPerSlot = Stopwatch.Frequency / 1000;

    private readonly Lock _gate = new();
    private readonly AutoResetEvent _wake = new(false);
    private readonly Wait?[] _wheel = new Wait?[Slots];
    private readonly long _origin = Stopwatch.GetTimestamp();
    private readonly bool _inline;
    private long _turned;
    private long _sleepsUntil;
    private int _count;
    private bool _disposed;

    /// <param name="inline">Whether streams go on on the wheel's own thread. They must not block it.</param>
    public Pacer(bool inline)
    {
        _inline = inline;
        new Thread(Turn) { IsBackground = true, Name = "pacer" }.Start();
    }

    /// <summary>A reusable place on the wheel; one wait at a time.</summary>
    public Wait CreateWait() => new(this);

    public void Dispose()
    {
        lock (_gate)
        {
            _disposed = true;
        }

        _wake.Set();
    }

    private void Add(Wait wait)
    {
        bool early;
        lock (_gate)
        {
            if (_disposed)
            {
                early = false;
            }
            else
            {
                wait.Slot = Math.Max(_turned + 1, (wait.Due - _origin + s_ticksPerSlot - 1) / s_ticksPerSlot);
                ref var head = ref _wheel[wait.Slot % Slots];
                wait.Next = head;
                head = wait;
                _count++;
                early = wait.Slot < _sleepsUntil;
            }
        }

        if (early)
        {
            _wake.Set();
        }
    }

    private void Turn()
    {
        while (true)
        {
            Wait? due = null;
            int sleep;
            lock (_gate)
            {
                if (_disposed)
                {
                    return;
                }

                var now = (Stopwatch.GetTimestamp() - _origin) / s_ticksPerSlot;
                while (_turned < now)
                {
                    if (_count == 0)
                    {
                        _turned = now;
                        break;
                    }

                    _turned++;
                    Take(ref _wheel[_turned % Slots], ref due);
                }

                sleep = due is not null ? 0 : NextSleep();
                _sleepsUntil = _turned + (sleep < 0 ? long.MaxValue / 2 : sleep);
            }

            while (due is not null)
            {
                var next = due.Next;
                due.Next = null;
                due.Complete();
                due = next;
            }

            if (sleep != 0)
            {
                _wake.WaitOne(sleep);
            }
        }
    }

    /// <summary>Takes out of a slot what is due in this turn and leaves what is due in a later one.</summary>
    private void Take(ref Wait? slot, ref Wait? due)
    {
        Wait? stays = null;
        for (var wait = slot; wait is not null;)
        {
            var next = wait.Next;
            if (wait.Slot <= _turned)
            {
                wait.Next = due;
                due = wait;
                _count--;
            }
            else
            {
                wait.Next = stays;
                stays = wait;
            }

            wait = next;
        }

        slot = stays;
    }

    private int NextSleep()
    {
        if (_count == 0)
        {
            return Timeout.Infinite;
        }

        for (var ahead = 1; ahead < Slots; ahead++)
        {
            if (_wheel[(_turned + ahead) % Slots] is not null)
            {
                return ahead;
            }
        }

        return Slots;
    }

    internal sealed class Wait : IValueTaskSource
    {
        private readonly Pacer _pacer;
        private ManualResetValueTaskSourceCore<bool> _core;

        public Wait(Pacer pacer)
        {
            _pacer = pacer;
            _core.RunContinuationsAsynchronously = !pacer._inline;
        }

        internal Wait? Next { get; set; }

        internal long Due { get; private set; }

        internal long Slot { get; set; }

        /// <summary>Waits until <see cref="Stopwatch.GetTimestamp"/> is at <paramref name="due"/>, to a millisecond, never less.</summary>
        public ValueTask UntilAsync(long due)
        {
            _core.Reset();
            Due = due;
            _pacer.Add(this);
            return new ValueTask(this, _core.Version);
        }

        internal void Complete() => _core.SetResult(true);

        void IValueTaskSource.GetResult(short token) => _core.GetResult(token);

        ValueTaskSourceStatus IValueTaskSource.GetStatus(short token) => _core.GetStatus(token);

        void IValueTaskSource.OnCompleted(
            Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags) =>
            _core.OnCompleted(continuation, state, token, flags);
    }
}
