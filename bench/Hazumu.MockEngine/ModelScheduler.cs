using System.Diagnostics;

namespace Hazumu.Mocks;

/// <summary>
/// Memory, slots and queues as Ollama has them: requests for a loaded model wait for its slots without a bound; those for another one
/// wait in one bounded queue, whose head is loaded, one model at a time, after as many evictions as that takes.
/// </summary>
internal sealed class ModelScheduler(Func<MockEngineOptions> options)
{
    private readonly Lock _gate = new();
    private readonly Dictionary<string, State> _models = new(StringComparer.Ordinal);
    private readonly LinkedList<Waiter> _pending = [];
    private TaskCompletionSource? _roomMayBe;
    private bool _loading;
    private long _coldLoads;
    private long _evictions;
    private long _refused;

    /// <summary>Counts a request as here, before it waits for anything.</summary>
    public void Arrive(MockModel model)
    {
        lock (_gate)
        {
            var state = StateOf(model);
            state.MaxInFlight = Math.Max(state.MaxInFlight, ++state.InFlight);
        }
    }

    /// <summary>The opposite of <see cref="Arrive"/>.</summary>
    public void Depart(MockModel model)
    {
        lock (_gate)
        {
            StateOf(model).InFlight--;
        }
    }

    /// <summary>Waits for a slot of a loaded model and tells how long this request waited until it was loaded.</summary>
    /// <exception cref="QueueFullException">Too many requests wait for a load.</exception>
    public ValueTask<TimeSpan> EnterAsync(MockModel model, MockRequest request, CancellationToken cancellation)
    {
        Waiter waiter;
        lock (_gate)
        {
            ExpireIdle();
            var state = StateOf(model);
            if (state.IsLoaded && !state.IsLeaving)
            {
                if (state.Running < SlotsOf(state) && state.Waiting.Count == 0)
                {
                    state.Running++;
                    return ValueTask.FromResult(TimeSpan.Zero);
                }

                waiter = new Waiter(state, request);
                waiter.Place = state.Waiting.AddLast(waiter);
            }
            else
            {
                if (_pending.Count >= options().MaxQueue)
                {
                    _refused++;
                    throw new QueueFullException();
                }

                waiter = new Waiter(state, request);
                waiter.Place = _pending.AddLast(waiter);
                if (!_loading)
                {
                    _loading = true;
                    _ = Task.Run(LoadPendingAsync, CancellationToken.None);
                }
            }

            request.Phase = MockPhase.Waiting;
            state.MaxWaiting = Math.Max(state.MaxWaiting, ++state.WaitingCount);
        }

        return WaitAsync(waiter, cancellation);
    }

    /// <summary>Gives a slot back.</summary>
    /// <param name="model">Of this model.</param>
    /// <param name="keepAlive">How long the model is to stay; the engine's own time when <see langword="null"/>, for ever when negative.</param>
    public void Leave(MockModel model, TimeSpan? keepAlive)
    {
        lock (_gate)
        {
            var state = StateOf(model);
            state.Running--;
            Touch(state, keepAlive);
            GrantSlots(state);
            if (state.Running == 0 && state.Waiting.Count == 0 && state.KeepAlive == TimeSpan.Zero)
            {
                Unload(state);
            }

            RoomMayBe();
        }
    }

    /// <summary>Unloads a model as <c>keep_alive: 0</c> without a prompt does: at once, or when its last request is over.</summary>
    public void Expire(MockModel model)
    {
        lock (_gate)
        {
            var state = StateOf(model);
            if (!state.IsLoaded)
            {
                return;
            }

            state.KeepAlive = TimeSpan.Zero;
            if (state.Running == 0 && state.Waiting.Count == 0)
            {
                Unload(state);
            }

            RoomMayBe();
        }
    }

    /// <summary>The models in memory and when they expire, the last to expire first.</summary>
    public List<(MockModel Model, DateTimeOffset ExpiresAt)> Loaded()
    {
        lock (_gate)
        {
            ExpireIdle();
            return [.. _models.Values
                .Where(state => state.IsLoaded)
                .Select(state => (state.Model, state.ExpiresAt))
                .OrderByDescending(loaded => loaded.ExpiresAt)];
        }
    }

    public void Reset()
    {
        lock (_gate)
        {
            _coldLoads = _evictions = _refused = 0;
            foreach (var state in _models.Values)
            {
                state.MaxInFlight = state.InFlight;
                state.MaxWaiting = state.WaitingCount;
                state.ColdLoads = 0;
            }
        }
    }

    /// <summary>Puts every idle model out of memory, and counts nothing.</summary>
    public void UnloadIdle()
    {
        lock (_gate)
        {
            foreach (var state in _models.Values.Where(state => state.IsLoaded && state.Running == 0 && state.Waiting.Count == 0))
            {
                Unload(state);
            }

            RoomMayBe();
        }
    }

    public (long ColdLoads, long Evictions, long Refused, Dictionary<string, MockModelStatistics> Models) Statistics()
    {
        lock (_gate)
        {
            ExpireIdle();
            return (_coldLoads, _evictions, _refused, _models.Values.ToDictionary(
                state => state.Model.Name,
                state => new MockModelStatistics(
                    state.InFlight, state.MaxInFlight, state.WaitingCount, state.MaxWaiting, state.ColdLoads, state.IsLoaded),
                StringComparer.Ordinal));
        }
    }

    private async ValueTask<TimeSpan> WaitAsync(Waiter waiter, CancellationToken cancellation)
    {
        using var registration = cancellation.UnsafeRegister(
            static (state, token) => ((Waiter)state!).Granted.TrySetCanceled(token), waiter);
        try
        {
            return await waiter.Granted.Task.ConfigureAwait(false);
        }
        finally
        {
            lock (_gate)
            {
                waiter.Place?.List?.Remove(waiter.Place);
                waiter.State.WaitingCount--;
                RoomMayBe();
            }
        }
    }

    private async Task LoadPendingAsync()
    {
        while (true)
        {
            State state;
            Task? room = null;
            TimeSpan duration;
            lock (_gate)
            {
                ExpireIdle();
                if (_pending.First is not { } first)
                {
                    _loading = false;
                    return;
                }

                state = first.Value.State;
                duration = state.Model.LoadTime ?? options().LoadTime;
                if (state.IsLoaded && !state.IsLeaving)
                {
                    MovePending(state, cold: false);
                    continue;
                }

                if (!MakeRoom(state))
                {
                    _roomMayBe = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
                    room = _roomMayBe.Task;
                }
                else
                {
                    foreach (var waiter in _pending.Where(waiter => waiter.State == state))
                    {
                        waiter.Request.Phase = MockPhase.Loading;
                    }
                }
            }

            if (room is not null)
            {
                await room.ConfigureAwait(false);
                continue;
            }

            if (duration > TimeSpan.Zero)
            {
                await Task.Delay(duration).ConfigureAwait(false);
            }

            lock (_gate)
            {
                state.IsLoaded = true;
                state.IsLeaving = false;
                state.ColdLoads++;
                _coldLoads++;
                Touch(state, null);
                MovePending(state, cold: true);
            }
        }
    }

    /// <summary>Hands those that waited for a load over to the slots of their model.</summary>
    private void MovePending(State state, bool cold)
    {
        for (var node = _pending.First; node is not null;)
        {
            var next = node.Next;
            if (node.Value.State == state)
            {
                _pending.Remove(node);
                node.Value.Load = Stopwatch.GetElapsedTime(node.Value.Arrived);
                node.Value.Request.WasCold = cold;
                state.Waiting.AddLast(node);
            }

            node = next;
        }

        GrantSlots(state);
    }

    private bool MakeRoom(State wanted)
    {
        while (true)
        {
            var loaded = _models.Values.Where(state => state.IsLoaded).ToList();
            if (!wanted.IsLoaded && loaded.Count < Math.Max(1, options().MemoryModels))
            {
                return true;
            }

            // One that is already on its way out is the wanted one too: it has to be gone before it can come again.
            var victim = loaded.Find(state => state.IsLeaving) ?? loaded
                .OrderBy(state => state.Running + state.Waiting.Count > 0)
                .ThenBy(state => state.LastUsed)
                .First();
            if (victim.Running > 0 || victim.Waiting.Count > 0)
            {
                victim.IsLeaving = true;
                return false;
            }

            _evictions++;
            Unload(victim);
        }
    }

    private void GrantSlots(State state)
    {
        while (state.Running < SlotsOf(state) && state.Waiting.First is { } first)
        {
            state.Waiting.RemoveFirst();
            if (first.Value.Granted.TrySetResult(first.Value.Load))
            {
                state.Running++;
            }
        }
    }

    private int SlotsOf(State state) => state.Model.Parallel ?? options().Parallel;

    private void Touch(State state, TimeSpan? keepAlive)
    {
        state.LastUsed = Stopwatch.GetTimestamp();
        state.KeepAlive = keepAlive ?? options().KeepAlive;
        state.ExpiresAt = state.KeepAlive < TimeSpan.Zero
            ? DateTimeOffset.UtcNow.AddYears(100)
            : DateTimeOffset.UtcNow + state.KeepAlive;
    }

    private void ExpireIdle()
    {
        foreach (var state in _models.Values)
        {
            if (state.IsLoaded && state.Running == 0 && state.Waiting.Count == 0 && state.ExpiresAt <= DateTimeOffset.UtcNow)
            {
                Unload(state);
            }
        }
    }

    private static void Unload(State state)
    {
        state.IsLoaded = false;
        state.IsLeaving = false;
    }

    private void RoomMayBe()
    {
        _roomMayBe?.TrySetResult();
        _roomMayBe = null;
    }

    private State StateOf(MockModel model)
    {
        if (!_models.TryGetValue(model.Name, out var state))
        {
            _models.Add(model.Name, state = new State());
        }

        state.Model = model;
        return state;
    }

    private sealed class State
    {
        public MockModel Model = null!;
        public readonly LinkedList<Waiter> Waiting = [];
        public bool IsLoaded;
        public bool IsLeaving;
        public int Running;
        public int InFlight;
        public int MaxInFlight;
        public int WaitingCount;
        public int MaxWaiting;
        public long ColdLoads;
        public long LastUsed;
        public TimeSpan KeepAlive;
        public DateTimeOffset ExpiresAt;
    }

    private sealed class Waiter(State state, MockRequest request)
    {
        public State State { get; } = state;

        public MockRequest Request { get; } = request;

        public TaskCompletionSource<TimeSpan> Granted { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public long Arrived { get; } = Stopwatch.GetTimestamp();

        /// <summary>Time until its model was loaded, other models' loads before that included.</summary>
        public TimeSpan Load { get; set; }

        public LinkedListNode<Waiter>? Place { get; set; }
    }
}

/// <summary>Too many requests wait for a load.</summary>
internal sealed class QueueFullException : Exception;
