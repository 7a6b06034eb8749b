using Hazumu.Gateway.Configuration;
using Hazumu.Gateway.Upstreams;
using Microsoft.Extensions.Logging.Abstractions;

namespace Hazumu.Gateway.Admission;

/// <summary>Whether a gateway gives slots.</summary>
internal enum AdmissionMode
{
    /// <summary>It does.</summary>
    Open,

    /// <summary>Not yet: requests wait.</summary>
    Paused,

    /// <summary>Another gateway does.</summary>
    Elsewhere,
}

/// <summary>
/// Gives slots to requests. As many run at an instance and model as it has slots, so that Ollama's own queue, which is neither bounded nor
/// fair (ollama/ollama#7758), stays empty; the others wait here, in a bounded queue with a deadline, in turns between keys.
/// </summary>
internal sealed partial class Scheduler : IHostedService, IDisposable
{
    /// <summary>How many short requests count as much as one that is not.</summary>
    public const int Weight = 16;

    // An outage ends within a second of the engine's return, and clients' libraries obey Retry-After.
    private static readonly TimeSpan s_outageRetry = TimeSpan.FromSeconds(1);

    // After a 503: longer than most requests wait for a retry, shorter than what keeps an instance idle.
    private const long BusyMilliseconds = 2_000;

    private static readonly TimeSpan s_tick = TimeSpan.FromMilliseconds(100);

    private readonly Fleet _fleet;
    private readonly GatewaySettings _settings;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly Dictionary<string, ModelQueue> _queues = new(StringComparer.Ordinal);
    private readonly Dictionary<string, int> _weights = new(StringComparer.Ordinal);
    private ITimer? _timer;
    private int _waiting;
    private long _weight;
    private bool _isClosed;
    private AdmissionMode _mode;

    public Scheduler(Fleet fleet, GatewaySettings settings, TimeProvider time, ILogger<Scheduler>? logger = null)
    {
        _logger = logger ?? NullLogger<Scheduler>.Instance;
        _fleet = fleet;
        _settings = settings;
        _time = time;
        _fleet.Changed += DispatchAll;
        settings.Changed += _ => DispatchAll();
    }

    /// <summary>Whether slots are given here. A change to elsewhere moves the queued requests there.</summary>
    public AdmissionMode Mode
    {
        get => _mode;
        set
        {
            lock (_fleet.Gate)
            {
                _mode = value;
                if (value == AdmissionMode.Elsewhere)
                {
                    foreach (var (model, queue) in _queues.ToList())
                    {
                        foreach (var ticket in Everyone(queue))
                        {
                            Answer(model, queue, ticket, new SlotDecision(AdmissionStatus.Moved));
                        }
                    }
                }
            }

            DispatchAll();
        }
    }

    /// <summary>How many wait, over all models.</summary>
    public int Waiting => Volatile.Read(ref _waiting);

    /// <summary>How many wait for each model.</summary>
    public IReadOnlyList<(string Model, int Waiting)> WaitingByModel()
    {
        lock (_fleet.Gate)
        {
            return [.. _queues.Select(queue => (queue.Key, queue.Value.Count))];
        }
    }

    /// <summary>How many wait for each model, and how long the last of them is expected to wait, in seconds, if that is known.</summary>
    public IReadOnlyList<(string Model, int Waiting, double? Seconds)> Queues()
    {
        lock (_fleet.Gate)
        {
            var options = _settings.Current;
            return [.. _queues.Select(queue => (queue.Key, queue.Value.Count, ExpectedSeconds(queue.Key, queue.Value.Count, options)))];
        }
    }

    /// <summary>Acquires a slot, waiting in the queue if none is free.</summary>
    /// <param name="ticket">The request; after a failed attempt, the same again.</param>
    /// <param name="cancellationToken">Leaves the queue at once.</param>
    /// <returns>A slot, or why there is none; <see cref="AdmissionStatus.Cancelled"/> where the client went away, with no exception: ten thousand may leave at once.</returns>
    public ValueTask<SlotDecision> AcquireAsync(Ticket ticket, CancellationToken cancellationToken)
    {
        if (cancellationToken.IsCancellationRequested)
        {
            return new(new SlotDecision(AdmissionStatus.Cancelled));
        }

        var options = _settings.Current;
        lock (_fleet.Gate)
        {
            var now = _fleet.Now;
            ticket.IsAgain = ticket.WasAdmitted;
            ticket.QueuedAt = ticket.QueuedAt >= 0 ? ticket.QueuedAt + now - ticket.Placed : now;

            if (_isClosed)
            {
                return new(new SlotDecision(AdmissionStatus.ShuttingDown, TimeSpan.FromSeconds(5)));
            }

            if (_mode == AdmissionMode.Elsewhere)
            {
                return new(new SlotDecision(AdmissionStatus.Moved));
            }

            if (ticket.Chain is not null)
            {
                ChooseModel(ticket);
            }

            if (!ticket.IsAgain)
            {
                _fleet.Rates.Count(ticket.Model, now);
            }

            if (HasOutageLasted(ticket.Model, options.Queue, now))
            {
                return new(new SlotDecision(AdmissionStatus.EngineUnreachable, s_outageRetry));
            }

            _queues.TryGetValue(ticket.Model, out var queue);

            // Queued requests were here before; a retry was here before them.
            if ((queue is null || ticket.IsAgain) && Place(ticket, options, waiting: 0) is { } lease)
            {
                return new(new SlotDecision(lease));
            }

            if (!ticket.IsAgain && !TryMakeRoom(ticket, options))
            {
                return new(new SlotDecision(AdmissionStatus.QueueFull, RetryAfter(ticket.Model, queue?.Count ?? 0, options)));
            }

            if (!_queues.TryGetValue(ticket.Model, out queue))
            {
                _queues.Add(ticket.Model, queue = new ModelQueue(() => _settings.Current.Priorities));
            }

            queue.Add(ticket);
            ticket.Position = Math.Max(ticket.Position, ticket.IsAgain ? 1 : queue.LastPlaceOf(ticket));
            Interlocked.Increment(ref _waiting);
            _weight += ticket.Weight;
            _weights[ticket.Key] = _weights.GetValueOrDefault(ticket.Key) + ticket.Weight;
            ticket.WasAdmitted = ticket.HasWaited = true;
            ticket.Waiter = new TaskCompletionSource<SlotDecision>(TaskCreationOptions.RunContinuationsAsynchronously);

            // The first of a model that others hold may be worth another copy of it.
            Dispatch(ticket.Model, queue, options);
        }

        return new(WaitAsync(ticket, cancellationToken));
    }

    /// <summary>Whether a request would be refused because the queue is full: known before its body is here.</summary>
    /// <param name="model">The model's normalised name.</param>
    /// <param name="key">The name of the key.</param>
    /// <returns>The refusal; <see langword="null"/> where the request may find a slot or a place.</returns>
    public SlotDecision? RefusalOf(string model, string key)
    {
        lock (_fleet.Gate)
        {
            // If no request waits for the model, a slot may be free.
            var options = _settings.Current;
            var limit = (long)options.Queue.Limit * Weight;
            return _mode == AdmissionMode.Open && _weight + Weight > limit && _queues.TryGetValue(model, out var queue) && !HasShare(key, Weight, limit)
                ? new SlotDecision(AdmissionStatus.QueueFull, RetryAfter(model, queue.Count, options))
                : null;
        }
    }

    /// <summary>Counts a slot that another gateway has given.</summary>
    public Lease Adopt(Instance instance, string model, bool isCold)
    {
        lock (_fleet.Gate)
        {
            return Take(instance, model, isCold, isStreamed: false, trial: 0, _fleet.Now);
        }
    }

    /// <summary>Rejects queued requests, and all later ones: the gateway stops.</summary>
    public void Close()
    {
        lock (_fleet.Gate)
        {
            _isClosed = true;
            foreach (var (model, queue) in _queues.ToList())
            {
                foreach (var ticket in Everyone(queue))
                {
                    Refuse(model, queue, ticket, AdmissionStatus.ShuttingDown, TimeSpan.FromSeconds(5));
                }
            }
        }
    }

    /// <summary>An answer has begun: its model is loaded, and its instance works.</summary>
    public void OnFirstByte(Lease lease)
    {
        lock (_fleet.Gate)
        {
            var now = _fleet.Now;
            MarkResident(lease.Slots, now);
            if (lease.IsSeenStreaming && lease.Slots.OnStreamBegan(lease.Taken, now))
            {
                LogSerial(lease.Slots.Model, lease.Instance.Name);
            }

            if (lease.Trial == 0)
            {
                Dispatch(lease.Slots.Model);
                return;
            }

            lease.Instance.Circuit.OnSuccess(isProbe: false, now);
            DispatchAll();
        }
    }

    /// <summary>Takes a slot back.</summary>
    public void Release(Lease lease, LeaseEnd end)
    {
        lock (_fleet.Gate)
        {
            var (instance, slots, now) = (lease.Instance, lease.Slots, _fleet.Now);
            slots.InUse--;
            instance.InUse--;
            slots.LastUsed = now;
            if (lease.IsSeenStreaming && slots.OnStreamEnded(now))
            {
                LogSerial(slots.Model, instance.Name);
            }

            if (lease.IsCold && !lease.HasAnswered)
            {
                slots.EndLoad();
            }

            switch (end)
            {
                case LeaseEnd.Answered:
                    instance.Circuit.OnSuccess(isProbe: false, now);
                    if (lease.HasAnswered)
                    {
                        MarkResident(slots, now);
                        slots.IsResident = !lease.Unloads;
                        SawTimes(lease, now);
                    }

                    break;
                case LeaseEnd.Failed:
                    _fleet.OnFailure(instance);
                    break;
                case LeaseEnd.Undecided or LeaseEnd.Busy:
                    instance.Circuit.OnUndecided(lease.Trial);
                    slots.BusyUntil = end == LeaseEnd.Busy ? now + BusyMilliseconds : slots.BusyUntil;
                    break;
            }

            if (slots is { InUse: 0, IsResident: false } && instance.Has(slots.Model) == false)
            {
                instance.Slots.Remove(slots.Model);
            }

            // A slot of this model goes to requests for it first; an idle model may also make room for another.
            Dispatch(slots.Model);
            if (slots.InUse == 0 || end is LeaseEnd.Failed or LeaseEnd.Busy)
            {
                DispatchAll();
            }
        }
    }

    /// <inheritdoc/>
    public Task StartAsync(CancellationToken cancellationToken)
    {
        _timer = _time.CreateTimer(_ => Tick(), null, s_tick, s_tick);
        return Task.CompletedTask;
    }

    /// <inheritdoc/>
    public Task StopAsync(CancellationToken cancellationToken)
    {
        Dispose();
        return Task.CompletedTask;
    }

    /// <inheritdoc/>
    public void Dispose() => _timer?.Dispose();

    /// <summary>Rejects requests past their deadline, and re-evaluates the others.</summary>
    internal void Tick()
    {
        if (Waiting == 0)
        {
            return;
        }

        lock (_fleet.Gate)
        {
            var options = _settings.Current;
            var now = _fleet.Now;
            foreach (var (model, queue) in _queues.ToList())
            {
                if (HasOutageLasted(model, options.Queue, now))
                {
                    foreach (var ticket in Everyone(queue))
                    {
                        Refuse(model, queue, ticket, AdmissionStatus.EngineUnreachable, s_outageRetry);
                    }

                    continue;
                }

                foreach (var late in queue.Late((ticket, lastTurn) => IsLate(ticket, lastTurn, options.Queue, now)))
                {
                    Refuse(model, queue, late, AdmissionStatus.QueueTimeout, RetryAfter(model, queue.Count, options));
                }

                Dispatch(model, queue, options);
            }
        }
    }

    // Short requests wait for those before them of their own key, as long as those are served.
    private static bool IsLate(Ticket ticket, long lastTurn, QueueOptions options, long now) =>
        now - (ticket.IsShort ? Math.Max(ticket.QueuedAt, lastTurn) : ticket.QueuedAt) >= options.Timeout.TotalMilliseconds;

    private bool HasOutageLasted(string model, QueueOptions options, long now) =>
        _fleet.OutageSince(model) is { } since && now - since >= options.OutageTimeout.TotalMilliseconds;

    // A retry was in the queue of its model before.
    private void ChooseModel(Ticket ticket)
    {
        var admitted = ticket.IsAgain ? ticket.Model : null;
        ticket.Choose(model =>
            _fleet.IsMissing(model) ? FallbackReason.Missing
            : _fleet.OutageSince(model) is not null ? FallbackReason.Down
            : model != admitted && _queues.GetValueOrDefault(model)?.CountUpTo(ticket.Priority) > ticket.QueueLongerThan
                ? FallbackReason.Queue
                : FallbackReason.None);
    }

    private bool HasShare(string key, int weight, long limit)
    {
        var own = _weights.GetValueOrDefault(key);
        return own + weight <= limit / (_weights.Count + (own == 0 ? 1 : 0));
    }

    // A full queue is shared alike between the keys that wait: a key with less than its share takes the place of the newest request of the
    // key with the most.
    private bool TryMakeRoom(Ticket ticket, GatewayOptions options)
    {
        var limit = (long)options.Queue.Limit * Weight;
        if (_weight + ticket.Weight <= limit)
        {
            return true;
        }

        if (!HasShare(ticket.Key, ticket.Weight, limit))
        {
            return false;
        }

        while (_weight + ticket.Weight > limit)
        {
            var longest = _weights.MaxBy(key => key.Value).Key;
            if (longest == ticket.Key || _queues.Values.Select(queue => queue.NewestOf(longest)).MaxBy(newest => newest?.QueuedAt) is not { } newest)
            {
                return false;
            }

            var queue = _queues[newest.Model];
            newest.WasAdmitted = false;
            Refuse(newest.Model, queue, newest, AdmissionStatus.QueueFull, RetryAfter(newest.Model, queue.Count, options));
        }

        return true;
    }

    private async Task<SlotDecision> WaitAsync(Ticket ticket, CancellationToken cancellationToken)
    {
        var registration = cancellationToken.UnsafeRegister(
            static state =>
            {
                var (scheduler, ticket) = ((Scheduler, Ticket))state!;
                scheduler.Leave(ticket);
            },
            (this, ticket));
        try
        {
            return await ticket.Waiter!.Task;
        }
        finally
        {
            // Not disposed: that would wait for a callback that has done its work and only has to return.
            registration.Unregister();
        }
    }

    private void Leave(Ticket ticket)
    {
        lock (_fleet.Gate)
        {
            if (ticket.Node is null)
            {
                // A slot came first: the caller gives it back.
                return;
            }

            Refuse(ticket.Model, _queues[ticket.Model], ticket, AdmissionStatus.Cancelled, default);
        }
    }

    // Called when something has changed that any model may wait for.
    private void DispatchAll()
    {
        if (Waiting == 0)
        {
            return;
        }

        lock (_fleet.Gate)
        {
            var options = _settings.Current;
            foreach (var (model, queue) in _queues.ToList())
            {
                Dispatch(model, queue, options);
            }
        }
    }

    private void Dispatch(string model)
    {
        if (_queues.TryGetValue(model, out var queue))
        {
            Dispatch(model, queue, _settings.Current);
        }
    }

    private void Dispatch(string model, ModelQueue queue, GatewayOptions options)
    {
        while (queue.Count > 0)
        {
            Ticket? placed = null;
            Lease? lease = null;
            foreach (var ticket in queue.Heads())
            {
                lease = Place(ticket, options, queue.Count - 1);
                if (lease is not null)
                {
                    placed = ticket;
                    break;
                }

                if (!ticket.HasAvoided)
                {
                    // If there is no place for this request, there is none for any other.
                    break;
                }
            }

            if (placed is null || lease is null)
            {
                return;
            }

            queue.Take(placed, _fleet.Now);
            Left(model, queue, placed);
            placed.Waiter!.TrySetResult(new SlotDecision(lease));
        }
    }

    private Lease? Place(Ticket ticket, GatewayOptions options, int waiting)
    {
        if (_mode != AdmissionMode.Open)
        {
            return null;
        }

        var (instance, isCold) = Router.Choose(_fleet, ticket, options.Slots, waiting);
        if (instance is null)
        {
            return null;
        }

        (ticket.Placed, ticket.WasAdmitted) = (_fleet.Now, true);
        return Take(instance, ticket.Model, isCold, ticket.IsStreamed, instance.Circuit.OnStart(), ticket.Placed);
    }

    private Lease Take(Instance instance, string model, bool isCold, bool isStreamed, int trial, long now)
    {
        var slots = instance.SlotsOf(model);
        slots.InUse++;
        instance.InUse++;
        slots.LastUsed = now;
        if (isCold)
        {
            _fleet.BeginLoad(slots);
        }

        return new Lease(this, instance, slots, isCold, isStreamed, trial, now);
    }

    private void Refuse(string model, ModelQueue queue, Ticket ticket, AdmissionStatus status, TimeSpan retryAfter) =>
        Answer(model, queue, ticket, new SlotDecision(status, retryAfter));

    private void Answer(string model, ModelQueue queue, Ticket ticket, SlotDecision decision)
    {
        queue.Remove(ticket);
        Left(model, queue, ticket);
        ticket.Waiter!.TrySetResult(decision);
    }

    private void Left(string model, ModelQueue queue, Ticket ticket)
    {
        Interlocked.Decrement(ref _waiting);
        _weight -= ticket.Weight;
        if ((_weights[ticket.Key] -= ticket.Weight) == 0)
        {
            _weights.Remove(ticket.Key);
        }

        if (queue.Count == 0)
        {
            _queues.Remove(model);
        }
    }

    private static void MarkResident(ModelSlots slots, long now)
    {
        slots.EndLoad();
        slots.IsResident = true;
        slots.ResidentSeen = now;
    }

    // An answer that is not streamed does not say when its model was loaded in every dialect; /api/ps does.
    private static void SawTimes(Lease lease, long now)
    {
        var slots = lease.Slots;
        double? load = lease.LoadSeconds ?? (lease.IsCold && slots.LoadedAt >= lease.Taken ? (slots.LoadedAt - lease.Taken) / 1_000d : null);
        if (load is { } seconds)
        {
            slots.SawLoad(seconds);
        }
        else if (lease.IsCold)
        {
            return;
        }

        var began = lease.LoadSeconds is { } reported ? lease.Taken + (reported * 1_000) : Math.Max(lease.Taken, slots.LoadedAt);
        slots.SawService(Math.Max(0, (now - began) / 1_000));
    }

    // From 1 s to a minute.
    private TimeSpan RetryAfter(string model, int waiting, GatewayOptions options) =>
        TimeSpan.FromSeconds(Math.Clamp(Math.Ceiling(ExpectedSeconds(model, waiting, options) ?? 0), 1, 60));

    // When the requests that wait now are likely to be served.
    private double? ExpectedSeconds(string model, int waiting, GatewayOptions options)
    {
        var service = 0d;
        var slots = 0;
        foreach (var instance in _fleet.Instances)
        {
            if (instance.Slots.TryGetValue(model, out var known) && known.IsResident)
            {
                service = Math.Max(service, known.ServiceSeconds);
                slots += instance.LimitOf(model, options.Slots);
            }
        }

        return service > 0 && slots > 0 ? waiting * service / slots : null;
    }

    private static List<Ticket> Everyone(ModelQueue queue)
    {
        var all = new List<Ticket>(queue.Count);
        foreach (var head in queue.Heads())
        {
            all.AddRange(head.Node!.List!);
        }

        return all;
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "The instance '{Instance}' runs one request at a time with the model '{Model}', whatever 'Gateway:Slots' says: it gets one at a time from now on. Report its family to Hazumu.")]
    private partial void LogSerial(string model, string instance);
}
