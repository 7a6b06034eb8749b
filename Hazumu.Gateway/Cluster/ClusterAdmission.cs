using System.Diagnostics.Metrics;
using System.Security.Cryptography;
using Hazumu.Gateway.Admission;
using Hazumu.Gateway.Configuration;
using Hazumu.Gateway.Keys;
using Hazumu.Gateway.Upstreams;

namespace Hazumu.Gateway.Cluster;

/// <summary>
/// Admission of several gateways in front of the same instances. The one that holds the lock in the store leads: it alone gives slots and
/// counts keys' limits, for itself and for the members that are connected to it. Requests go from each gateway straight to the instance.
/// </summary>
/// <remarks>
/// A member that is connected never takes the lock, so that neither a restart nor the loss of the store changes who leads. A gateway that
/// finds neither a leader nor the store for <see cref="Patience"/> admits by itself: requests are served, and an alert says that slots may be
/// given twice. A member reports what it holds to each leader that it connects to; a new leader waits for <see cref="Settling"/> for that.
/// </remarks>
internal sealed partial class ClusterAdmission(
    GatewaySettings settings, Fleet fleet, FleetMonitor monitor, Scheduler scheduler, KeyLimits limits, TimeProvider time, IConfiguration configuration,
    IHostApplicationLifetime lifetime, IMeterFactory meters, ILogger<ClusterAdmission> logger) : BackgroundService, IAdmission
{
    /// <summary>How long a new leader waits for the members' reports, and for engines to let go of what a killed gateway had.</summary>
    public static readonly TimeSpan Settling = TimeSpan.FromSeconds(1);

    /// <summary>How long a gateway waits for a leader before it admits by itself; longer than the lock of a killed one lasts.</summary>
    public static readonly TimeSpan Patience = TimeSpan.FromSeconds(2);

    private static readonly TimeSpan s_tick = TimeSpan.FromMilliseconds(250);

    private readonly ClusterStore _store = new(settings.Current.Cluster);
    private readonly SemaphoreSlim _wake = new(0);
    private WebApplication? _server;

    // Guards what follows. What the leader is told is sent under it, so that each leader learns of everything, and in order.
    private readonly Lock _lock = new();
    private readonly Dictionary<long, ClusterMessage> _held = [];
    private readonly Dictionary<long, Question> _questions = [];
    private Leadership? _leadership;
    private LeaderLink? _link;
    private LeaderLink? _connecting;
    private string? _unreachable;
    private int _gateways = 1;
    private int _changes;
    private long _leaderlessSince = time.GetTimestamp();
    private long _lastId = RandomNumberGenerator.GetInt32(int.MaxValue) * (1L << 31);
    private TaskCompletionSource _settled = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private volatile ClusterRole _role;
    private volatile bool _isStopping;

    private enum ClusterRole { Member, Leader, Alone }

    /// <summary>This gateway.</summary>
    public LeaderRecord Own { get; private set; } = new(Guid.NewGuid().ToString("N"), "", RandomNumberGenerator.GetHexString(64));

    /// <summary>Admission by this gateway alone.</summary>
    public LocalAdmission Local { get; } = new(scheduler, limits);

    /// <summary>Whether this gateway holds the lock.</summary>
    public bool IsLeader => _role == ClusterRole.Leader && !_isStopping;

    /// <summary>Completes when this gateway knows what others have counted.</summary>
    public Task Settled => Volatile.Read(ref _settled).Task;

    /// <summary>Whether the store has answered the last time.</summary>
    public bool IsStoreUp { get; private set; } = true;

    /// <inheritdoc/>
    public bool IsAdmitting => _role != ClusterRole.Member;

    /// <inheritdoc/>
    public int Peers => IsLeader ? _leadership!.Count : _link is not null ? _gateways - 1 : 0;

    // A gateway that stops gives its clients no more slots, and needs no leader to say so.
    private bool AdmitsHere => IsAdmitting || _isStopping;

    /// <inheritdoc/>
    public SlotDecision? FindRefusal(string model, string key) => Local.FindRefusal(model, key);

    /// <inheritdoc/>
    public async ValueTask<SlotDecision> AcquireSlotAsync(Ticket ticket, CancellationToken cancellationToken)
    {
        while (true)
        {
            var admission = AdmitsHere ? await AcquireHereAsync(ticket, cancellationToken) : await AskForSlotAsync(ticket, cancellationToken);
            if (admission.Status != AdmissionStatus.Moved)
            {
                return admission;
            }

            // Whichever gateway leads now is asked, with the time that the request has waited already.
            ticket.Placed = fleet.Now;
            await Task.Yield();
        }
    }

    /// <inheritdoc/>
    public async ValueTask<LimitDecision> CountRequestAsync(Caller caller, CancellationToken cancellationToken)
    {
        while (KeyLimits.HasAny(caller))
        {
            cancellationToken.ThrowIfCancellationRequested();
            var key = KeyInMessage.From(caller.Key!);
            if (AdmitsHere)
            {
                await Settled.WaitAsync(cancellationToken);
                if (AdmitsHere)
                {
                    var decision = await Local.CountRequestAsync(caller, cancellationToken);
                    return decision with { Count = decision.Count is { } count ? Hold(new(this, new(MessageKind.Running, NewId()) { Key = key }, count: count)) : null };
                }
            }

            var question = new Question(this, _ => new(MessageKind.Count) { Key = key }, counted => counted.Reached == ReachedLimit.None ? new(MessageKind.Running) { Key = key } : null);
            if (await AskAsync(question, cancellationToken) is { } answer)
            {
                limits.Learn(caller.Key!, answer.Use);
                return answer.Reached == ReachedLimit.None
                    ? new(ReachedLimit.None, Count: new Held(this, question.ToHold(answer)!, count: new RequestCount(limits, caller, limits.Adopt(caller.Key!))))
                    : new(answer.Reached, TimeSpan.FromSeconds(answer.RetryAfter));
            }
        }

        return default;
    }

    /// <inheritdoc/>
    public void Stop()
    {
        lock (_lock)
        {
            _isStopping = true;
            _settled.TrySetResult();
            AnswerAll(id => new(MessageKind.Refuse, id) { Status = AdmissionStatus.ShuttingDown, RetryAfter = 5 });
        }

        _leadership?.CloseAll();
        Local.Stop();
        _wake.Release();
    }

    /// <summary>Breaks the connection to the leader, as a network does.</summary>
    internal void Cut() => _link?.Dispose();

    /// <inheritdoc/>
    public override async Task StartAsync(CancellationToken cancellationToken)
    {
        scheduler.Mode = AdmissionMode.Elsewhere;
        _leadership = new(this, fleet, monitor, scheduler, limits, time, logger);
        meters.Create(TelemetryOptions.MeterName).CreateObservableGauge("hazumu.gateway.store.up", () => IsStoreUp ? 1 : 0, description: "Whether the store by which gateways choose a leader answers: 1, else 0.");
        var options = settings.Current.Cluster;
        (_server, var port) = await ClusterServer.StartAsync(options, configuration, _leadership, cancellationToken);
        Own = Own with { Address = options.Address ?? $"http://0.0.0.0:{port}" };
        await base.StartAsync(cancellationToken);
    }

    /// <inheritdoc/>
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        var step = Task.CompletedTask;
        try
        {
            var started = new TaskCompletionSource();
            using var registration = lifetime.ApplicationStarted.Register(started.SetResult);
            await started.Task.WaitAsync(stoppingToken);
            var authorities = settings.Current.Cluster.CaFile is { } file ? SecretFile.Read("Gateway:Cluster:CaFile", file) : null;
            while (!stoppingToken.IsCancellationRequested)
            {
                step = step.IsCompleted ? StepAsync(authorities) : step;
                await Task.WhenAny(step, Task.Delay(s_tick, stoppingToken));
                AdmitAloneIfLeaderless();
                await _wake.WaitAsync(s_tick, stoppingToken);
            }
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            // The gateway has stopped.
        }
        finally
        {
            await step;
            _connecting?.Dispose();
            await _server!.DisposeAsync();
            await _store.DisposeAsync();
        }
    }

    private async Task StepAsync(string? authorities)
    {
        try
        {
            if (_isStopping && _role == ClusterRole.Leader)
            {
                await _store.ReleaseAsync();
                _role = ClusterRole.Member;
            }

            Follow(await _store.FindLeaderAsync(Own, mayLead: _link is null && !_isStopping), authorities);
            IsStoreUp = true;
        }
        catch (Exception error) when (ClusterStore.IsOutage(error))
        {
            if (IsStoreUp)
            {
                LogOutage(error.Message);
            }

            IsStoreUp = false;
        }
#pragma warning disable CA1031 // A loop that ended would leave this gateway without a leader until it is restarted.
        catch (Exception error)
#pragma warning restore CA1031
        {
            LogBug(error);
        }
    }

    // Also while a step still waits for the store.
    private void AdmitAloneIfLeaderless()
    {
        lock (_lock)
        {
            if (_role == ClusterRole.Member && _link is null && !_isStopping && time.GetElapsedTime(_leaderlessSince) >= Patience)
            {
                LogAlone(_unreachable);
                Become(ClusterRole.Alone);
            }
        }
    }

    private void Follow(LeaderRecord? leader, string? authorities)
    {
        if (leader?.Id == Own.Id)
        {
            if (_role != ClusterRole.Leader && !_isStopping)
            {
                LogLeader();
                Become(ClusterRole.Leader);
            }
        }
        else if (leader is not null)
        {
            if (_role == ClusterRole.Leader)
            {
                Become(ClusterRole.Member);
            }

            if (_connecting is not { HasEnded: false } connecting || connecting.Leader != leader)
            {
                _connecting?.Dispose();
                _connecting = new(leader);
                _ = RunAsync(_connecting, authorities);
            }
        }
    }

    private async Task RunAsync(LeaderLink link, string? authorities)
    {
        var reason = await link.RunAsync(authorities, () => Connected(link), message => Receive(link, message));
        lock (_lock)
        {
            if (_link != link)
            {
                _unreachable = link == _connecting ? $"The gateway at {link.Leader.Address}: {reason}" : _unreachable;
                return;
            }

            _link = null;
            _leaderlessSince = time.GetTimestamp();
        }

        LogDisconnected(link.Leader.Address, reason);
        _wake.Release();
    }

    private void Connected(LeaderLink link)
    {
        lock (_lock)
        {
            if (link != _connecting)
            {
                return;
            }

            (_link, _unreachable) = (link, null);
            LogMember(link.Leader.Address);
            if (_role != ClusterRole.Member)
            {
                Become(ClusterRole.Member);
            }

            foreach (var held in _held.Values)
            {
                link.Send(held);
            }

            foreach (var (key, use) in limits.Used())
            {
                link.Send(new(MessageKind.Used) { Key = KeyInMessage.From(key), Use = use });
            }

            foreach (var question in _questions.Values)
            {
                link.Send(question.Write());
            }
        }
    }

    private void Become(ClusterRole role)
    {
        lock (_lock)
        {
            var change = ++_changes;
            _leaderlessSince = time.GetTimestamp();
            _settled.TrySetResult();
            if (role == ClusterRole.Member)
            {
                // Members learn of it by the end of their connections.
                _role = role;
                scheduler.Mode = AdmissionMode.Elsewhere;
                _leadership!.CloseAll();
                return;
            }

            (_link, _settled) = (null, new(TaskCreationOptions.RunContinuationsAsynchronously));
            _connecting?.Dispose();
            _connecting = null;
            scheduler.Mode = AdmissionMode.Paused;
            _role = role;
            AnswerAll(_ => null);
            _ = OpenAsync(change, role == ClusterRole.Leader ? Settling : TimeSpan.Zero);
        }
    }

    private async Task OpenAsync(int change, TimeSpan after)
    {
        await Task.Delay(after, time);
        lock (_lock)
        {
            if (change == _changes)
            {
                scheduler.Mode = AdmissionMode.Open;
                _settled.TrySetResult();
            }
        }
    }

    private async ValueTask<SlotDecision> AcquireHereAsync(Ticket ticket, CancellationToken cancellationToken)
    {
        var admission = await scheduler.AcquireAsync(ticket, cancellationToken);
        if (admission.Lease is { } lease)
        {
            lease.Observer = Hold(new(this, new(MessageKind.Hold, NewId()) { Instance = lease.Instance.Name, Model = ticket.Model, IsCold = lease.IsCold }, lease));
        }

        return admission;
    }

    private async ValueTask<SlotDecision> AskForSlotAsync(Ticket ticket, CancellationToken cancellationToken)
    {
        var now = fleet.Now;
        ticket.QueuedAt = ticket.QueuedAt >= 0 ? ticket.QueuedAt + now - ticket.Placed : now;
        var question = new Question(
            this,
            wasSent => new(MessageKind.Ask)
            {
                Model = ticket.Model,
                Chain = ticket.Rest,
                QueueLongerThan = ticket.QueueLongerThan,
                Affinity = ticket.Affinity,
                KeyName = ticket.Key,
                Priority = ticket.Priority,
                IsShort = ticket.IsShort,
                IsStreamed = ticket.IsStreamed,
                IsAgain = ticket.WasAdmitted || wasSent,
                Waited = fleet.Now - ticket.QueuedAt,
                Avoided = ticket.Avoided(fleet.Now),
            },
            answer => answer.Kind == MessageKind.Grant ? new(MessageKind.Hold) { Instance = answer.Instance, Model = answer.Model, IsCold = answer.IsCold } : null);
        var asked = await AskAsync(question, cancellationToken);
        ticket.WasAdmitted |= question.WasSent;
        if (asked is not { } answer)
        {
            return new(cancellationToken.IsCancellationRequested ? AdmissionStatus.Cancelled : AdmissionStatus.Moved);
        }

        if (answer.Kind == MessageKind.Refuse)
        {
            return new(answer.Status, TimeSpan.FromSeconds(answer.RetryAfter));
        }

        (ticket.Position, ticket.HasWaited, ticket.Placed) = (Math.Max(ticket.Position, answer.Position), ticket.HasWaited || answer.HasWaited, fleet.Now);
        ticket.Take(answer.Model!, answer.Fallback);
        if (fleet.Find(answer.Instance) is not { } instance)
        {
            // The leader knows an instance that this gateway has yet to find.
            Report(new(MessageKind.Release, answer.Id) { End = LeaseEnd.Undecided }, null);
            ticket.Avoid(answer.Instance!, ticket.Placed);
            monitor.Refresh();
            return new(AdmissionStatus.Moved);
        }

        var lease = scheduler.Adopt(instance, ticket.Model, answer.IsCold);
        lease.Observer = new Held(this, question.ToHold(answer)!, lease);
        return new(lease);
    }

    // Open until a leader answers, however often the connection breaks meanwhile, or until this gateway admits: then the answer is null.
    private async ValueTask<ClusterMessage?> AskAsync(Question question, CancellationToken cancellationToken)
    {
        lock (_lock)
        {
            if (AdmitsHere)
            {
                return null;
            }

            _questions.Add(question.Id, question);
            _link?.Send(question.Write());
        }

        var registration = cancellationToken.UnsafeRegister(static question => ((Question)question!).Withdraw(), question);
        try
        {
            return await question.Task;
        }
        finally
        {
            registration.Unregister();
        }
    }

    private void Receive(LeaderLink link, ClusterMessage message)
    {
        lock (_lock)
        {
            if (message.Kind == MessageKind.Gateways)
            {
                _gateways = message.Gateways;
            }
            else if (_questions.Remove(message.Id, out var question))
            {
                if (question.ToHold(message) is { } held)
                {
                    _held[message.Id] = held;
                    (link == _link ? null : _link)?.Send(held);
                }

                question.TrySetResult(message);
            }
            else if (!_held.ContainsKey(message.Id) && message.Kind != MessageKind.Refuse)
            {
                // The client has disconnected meanwhile.
                link.Send(new(message.Kind == MessageKind.Grant ? MessageKind.Release : MessageKind.Complete, message.Id) { End = LeaseEnd.Undecided });
            }
        }
    }

    private void AnswerAll(Func<long, ClusterMessage?> answer)
    {
        foreach (var question in _questions.Values)
        {
            question.TrySetResult(answer(question.Id));
        }

        _questions.Clear();
    }

    private long NewId() => Interlocked.Increment(ref _lastId);

    // What is held is what each later leader is told; nothing, once it is given back.
    private void Report(ClusterMessage message, ClusterMessage? held)
    {
        lock (_lock)
        {
            if (held is null)
            {
                _held.Remove(message.Id);
            }
            else if (message == held || _held.ContainsKey(message.Id))
            {
                _held[message.Id] = held;
            }

            _link?.Send(message);
        }
    }

    private Held Hold(Held held)
    {
        Report(held.Message, held.Message);
        return held;
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "This gateway leads: it admits for all gateways.")]
    private partial void LogLeader();

    [LoggerMessage(Level = LogLevel.Information, Message = "The gateway at {Leader} leads: it admits for all gateways.")]
    private partial void LogMember(string leader);

    [LoggerMessage(Level = LogLevel.Warning, Message = "The connection to the leading gateway at {Leader} has ended ({Reason}).")]
    private partial void LogDisconnected(string leader, string reason);

    [LoggerMessage(Level = LogLevel.Warning, Message = "No leading gateway can be reached: this gateway admits by itself, so that slots may be given twice. {Reason}")]
    private partial void LogAlone(string? reason);

    [LoggerMessage(Level = LogLevel.Warning, Message = "The store of 'Gateway:Cluster:Store' cannot be reached; it is tried again. Without it no other gateway can lead when the leading one ends. {Reason}")]
    private partial void LogOutage(string reason);

    [LoggerMessage(Level = LogLevel.Error, Message = "The gateway failed to look for the leading gateway; it tries again.")]
    private partial void LogBug(Exception error);

    /// <summary>A question that the leader has not answered yet, and what this gateway holds when it has.</summary>
    private sealed class Question(ClusterAdmission cluster, Func<bool, ClusterMessage> write, Func<ClusterMessage, ClusterMessage?> toHold)
        : TaskCompletionSource<ClusterMessage?>(TaskCreationOptions.RunContinuationsAsynchronously)
    {
        public long Id { get; } = cluster.NewId();

        /// <summary>Whether a leader has had it.</summary>
        public bool WasSent { get; private set; }

        public ClusterMessage Write()
        {
            var message = write(WasSent) with { Id = Id };
            WasSent = true;
            return message;
        }

        public ClusterMessage? ToHold(ClusterMessage answer) => toHold(answer) is { } held ? held with { Id = Id } : null;

        /// <summary>The client has disconnected.</summary>
        public void Withdraw()
        {
            lock (cluster._lock)
            {
                if (cluster._questions.Remove(Id))
                {
                    cluster._link?.Send(new(MessageKind.Withdraw, Id));
                    TrySetResult(null);
                }
            }
        }
    }

    /// <summary>A slot or a count that this gateway holds, and the message that reports it.</summary>
    private sealed class Held(ClusterAdmission cluster, ClusterMessage message, Lease? lease = null, IRequestCount? count = null) : ILeaseObserver, IRequestCount
    {
        public ClusterMessage Message { get; private set; } = message;

        public void OnFirstByte() => cluster.Report(new(MessageKind.FirstByte, Message.Id), Message = Message with { HasAnswered = true });

        public void OnReleased(LeaseEnd end) => cluster.Report(new(MessageKind.Release, Message.Id) { End = end, LoadSeconds = lease!.LoadSeconds, Unloads = lease.Unloads }, null);

        public void Complete(long tokens)
        {
            // First, so that a connection that breaks now cannot take the tokens with it.
            count!.Complete(tokens);
            cluster.Report(new(MessageKind.Complete, Message.Id) { Tokens = tokens }, null);
        }
    }
}
