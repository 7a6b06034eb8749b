using System.Diagnostics.Metrics;
using System.Security.Cryptography;
using Hazumu.Gateway.Admission;
using Hazumu.Gateway.Configuration;
using Hazumu.Gateway.Keys;
using Hazumu.Gateway.Upstreams;
using Hazumu.Gateway.Usage;

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
    GatewaySettings settings, Fleet fleet, FleetMonitor monitor, Scheduler scheduler, KeyLimits limits, BudgetLedger ledger, BudgetLoader loader, TimeProvider time, IConfiguration configuration,
    IHostApplicationLifetime lifetime, IMeterFactory meters, ILogger<ClusterAdmission> logger) : BackgroundService, IAdmission
{
    /// <summary>
    /// How long a new leader waits for the members' reports, and for engines to end the requests of a killed gateway.
    /// </summary>
    public static readonly TimeSpan Settling = TimeSpan.FromSeconds(1);

    /// <summary>How long a gateway waits for a leader before it admits by itself; longer than the lock of a killed one lasts.</summary>
    public static readonly TimeSpan Patience = TimeSpan.FromSeconds(2);

    private const int UsesPerMessage = 500;

    private static readonly TimeSpan s_tick = TimeSpan.FromMilliseconds(100);

    private readonly ClusterStore _store = new(settings.Current.Cluster);
    private WebApplication? _server;
    private Leadership? _leadership;
    private Task _step = Task.CompletedTask;

    // Guards the following fields. Messages to the leader are sent under this lock, so that each leader gets all of
    // them, in order.
    private readonly Lock _lock = new();
    private readonly Dictionary<long, Holding> _holdings = [];
    private LeaderLink? _link;
    private string? _unreachable;
    private int _gateways = 1;
    private long _leaderlessSince = time.GetTimestamp();
    private long _lastId = RandomNumberGenerator.GetInt32(int.MaxValue) * (1L << 31);
    private CancellationTokenSource _term = new();
    private volatile bool _hasLock;
    private volatile bool _isStopping;

    /// <summary>This gateway.</summary>
    public LeaderRecord Own { get; private set; } = new(Guid.NewGuid().ToString("N"), "", RandomNumberGenerator.GetHexString(64));

    /// <summary>Admission by this gateway alone.</summary>
    public LocalAdmission Local { get; } = new(scheduler, limits, ledger);

    /// <summary>Whether this gateway admits for all.</summary>
    public bool IsLeader => _hasLock && !_isStopping;

    /// <summary>Completes when this gateway knows what others have counted.</summary>
    public Task Settled { get; private set; } = Task.CompletedTask;

    /// <summary>Whether the store has answered the last time.</summary>
    public bool IsStoreUp { get; private set; } = true;

    /// <inheritdoc/>
    public bool IsAdmitting => scheduler.Mode != AdmissionMode.Elsewhere;

    /// <inheritdoc/>
    public int Peers => IsLeader ? _leadership!.Count : Connection is not null ? _gateways - 1 : 0;

    // A gateway that stops gives its clients no more slots, and needs no leader to say so.
    private bool AdmitsHere => IsAdmitting || _isStopping;

    // Until it accepts clients it need not lead.
    private bool HasStarted => lifetime.ApplicationStarted.IsCancellationRequested;

    private long Now => fleet.Now;

    private LeaderLink? Connection => _link is { IsConnected: true } link ? link : null;

    /// <inheritdoc/>
    public SlotDecision? FindRefusal(string model, string key) => Local.FindRefusal(model, key);

    /// <inheritdoc/>
    public async ValueTask<SlotDecision> AcquireSlotAsync(Ticket ticket, CancellationToken cancellationToken)
    {
        while (true)
        {
            var decision = AdmitsHere ? await AcquireHereAsync(ticket, cancellationToken) : await AskForSlotAsync(ticket, cancellationToken);
            if (decision.Status != AdmissionStatus.Moved)
            {
                return decision;
            }

            // The slot is requested from the current leader, with the time that the request has already waited.
            ticket.Placed = fleet.Now;
            await Task.Yield();
        }
    }

    /// <inheritdoc/>
    public async ValueTask<LimitDecision> CountRequestAsync(Caller caller, string? endUser, BudgetClaim? budgets, CancellationToken cancellationToken)
    {
        while (KeyLimits.HasAny(caller, endUser) || budgets is not null)
        {
            cancellationToken.ThrowIfCancellationRequested();
            var key = KeyInMessage.From(caller.Key!, endUser);
            if (AdmitsHere)
            {
                await Settled.WaitAsync(cancellationToken);
                if (AdmitsHere)
                {
                    var decision = await Local.CountRequestAsync(caller, endUser, budgets, cancellationToken);
                    return decision.Count is { } count ? decision with { Count = Hold(new(MessageKind.Hold, NewId()) { Key = key, Budgets = budgets }, count) } : decision;
                }
            }

            var question = new Holding(this, new(MessageKind.Ask, NewId()) { Key = key, Budgets = budgets });
            if (await AskAsync(question, cancellationToken) is { } answer)
            {
                limits.Learn(caller.Key!, answer.Use);
                if (endUser is not null)
                {
                    limits.Learn(caller.Key!, answer.EndUserUse, endUser);
                }

                ledger.Learn(answer.BudgetUses ?? []);
                if (answer.IsRefusal)
                {
                    return new(answer.Reached, TimeSpan.FromSeconds(answer.RetryAfter), IsOfEndUser: answer.IsOfEndUser, Budget: answer.Budget);
                }

                if (budgets is not null)
                {
                    ledger.Adopt(budgets);
                }

                question.Count = new RequestCount(limits, caller, endUser, limits.Adopt(caller.Key!, endUser), ledger, budgets);
                return new(ReachedLimit.None, Count: question);
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
            EndTerm();
        }

        // Before the queue is refused: the others ask the next leader.
        _leadership?.CloseAll();
        Local.Stop();
        lock (_lock)
        {
            ReturnQuestions();
        }
    }

    /// <summary>Breaks the connection to the leader, as a network does.</summary>
    internal void Cut() => Connection?.Dispose();

    /// <inheritdoc/>
    public override async Task StartAsync(CancellationToken cancellationToken)
    {
        scheduler.Mode = AdmissionMode.Elsewhere;
        _leadership = new(this, fleet, monitor, scheduler, limits, ledger, time, logger);
        var options = settings.Current.Cluster;
        var meter = meters.Create(TelemetryOptions.MeterName);
        meter.CreateObservableGauge("hazumu.gateway.store.up", () => IsStoreUp ? 1 : 0, description: "Whether the store through which gateways elect a leader answers: 1, else 0.");
        if (options.Size is { } size)
        {
            meter.CreateObservableUpDownCounter("hazumu.gateway.cluster.size", () => size, "{gateway}", "Gateways that this installation runs, as configured.");
        }

        (_server, var port) = await ClusterServer.StartAsync(options, configuration, _leadership, cancellationToken);
        Own = Own with { Address = options.Address ?? $"http://0.0.0.0:{port}" };
        await base.StartAsync(cancellationToken);
    }

    /// <inheritdoc/>
    public override async Task StopAsync(CancellationToken cancellationToken)
    {
        await base.StopAsync(cancellationToken);
        await _step;
        if (_hasLock)
        {
            await StepAsync();
        }

        Disconnect();
        await (_server?.DisposeAsync() ?? default);
        await _store.DisposeAsync();
    }

    /// <inheritdoc/>
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(s_tick, time);
        do
        {
            if (_step.IsCompleted && HasStarted)
            {
                _step = StepAsync();
            }

            // Also while a step still waits for the store.
            AdmitAloneIfLeaderless();
        }
        while (await timer.WaitForNextTickAsync(stoppingToken));
    }

    private async Task StepAsync()
    {
        try
        {
            if (_isStopping && _hasLock)
            {
                await _store.ReleaseAsync();
                lock (_lock)
                {
                    StepDown();
                }
            }

            if (await _store.FindLeaderAsync(Own, mayLead: Connection is null && !_isStopping) is { } leader)
            {
                Follow(leader);
            }

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

    private void Follow(LeaderRecord leader)
    {
        lock (_lock)
        {
            if (leader.Id == Own.Id)
            {
                if (!_hasLock && !_isStopping)
                {
                    LogLeader();
                    Admit(hasLock: true, after: Settling);
                }

                return;
            }

            if (_hasLock)
            {
                StepDown();
            }

            if (_link is not { HasEnded: false } link || link.Leader != leader)
            {
                Disconnect();
                _link = new(this, leader, settings.Current.Cluster.CaFile is { } file ? SecretFile.Read("Gateway:Cluster:CaFile", file) : null);
                _ = RunAsync(_link);
            }
        }
    }

    private async Task RunAsync(LeaderLink link)
    {
        var reason = await link.RunAsync();
        if (link == _link && link.WasConnected)
        {
            LogDisconnected(link.Leader.Address, reason);
        }
        else if (link == _link)
        {
            _unreachable = $"The gateway at {link.Leader.Address}: {reason}";
        }
    }

    private void AdmitAloneIfLeaderless()
    {
        lock (_lock)
        {
            if (AdmitsHere || Connection is not null || !HasStarted)
            {
                _leaderlessSince = time.GetTimestamp();
            }
            else if (time.GetElapsedTime(_leaderlessSince) >= Patience)
            {
                LogAlone(_unreachable);
                Admit(hasLock: false, after: TimeSpan.Zero);
            }
        }
    }

    private void Admit(bool hasLock, TimeSpan after)
    {
        EndTerm();
        Disconnect();
        scheduler.Mode = AdmissionMode.Paused;
        _hasLock = hasLock;
        ReturnQuestions();
        Settled = OpenAsync(after, _term.Token);
    }

    // Members learn of it by the end of their connections.
    private void StepDown()
    {
        EndTerm();
        _hasLock = false;
        scheduler.Mode = AdmissionMode.Elsewhere;
        _leadership!.CloseAll();
    }

    private void EndTerm()
    {
        _ = _term.CancelAsync();
        _term = new();
    }

    private void Disconnect()
    {
        _link?.Dispose();
        _link = null;
    }

    // Waiting requests are sent to the new leader, or admitted here.
    private void ReturnQuestions()
    {
        foreach (var holding in _holdings.Values.ToList())
        {
            holding.Withdraw();
        }
    }

    private async Task OpenAsync(TimeSpan after, CancellationToken term)
    {
        await Task.Delay(after, time, term).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);

        // What a gateway that was killed has stored; a store that is away must not keep this one from admitting.
        await loader.LoadAsync(term).WaitAsync(Patience, time, CancellationToken.None).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        lock (_lock)
        {
            if (!term.IsCancellationRequested)
            {
                scheduler.Mode = AdmissionMode.Open;
            }
        }
    }

    private async ValueTask<SlotDecision> AcquireHereAsync(Ticket ticket, CancellationToken cancellationToken)
    {
        var decision = await scheduler.AcquireAsync(ticket, cancellationToken);
        if (decision.Lease is { } lease)
        {
            lease.Observer = Hold(new(MessageKind.Hold, NewId()) { Model = ticket.Model, Instance = lease.Instance.Name, IsCold = lease.IsCold });
        }

        return decision;
    }

    private async ValueTask<SlotDecision> AskForSlotAsync(Ticket ticket, CancellationToken cancellationToken)
    {
        var now = fleet.Now;
        ticket.QueuedAt = ticket.QueuedAt >= 0 ? ticket.QueuedAt + now - ticket.Placed : now;
        var question = new Holding(
            this,
            new(MessageKind.Ask, NewId())
            {
                Model = ticket.Model,
                Chain = ticket.Rest,
                QueueLongerThan = ticket.QueueLongerThan,
                Affinity = ticket.Affinity,
                KeyName = ticket.Key,
                Priority = ticket.Priority,
                IsShort = ticket.IsShort,
                IsStreamed = ticket.IsStreamed,
                IsAgain = ticket.WasAdmitted,
                Avoided = ticket.Avoided(now),
            },
            ticket.QueuedAt);
        var answer = await AskAsync(question, cancellationToken);
        ticket.WasAdmitted |= question.WasSent && answer?.Status != AdmissionStatus.QueueFull;
        if (answer is null)
        {
            return new(cancellationToken.IsCancellationRequested ? AdmissionStatus.Cancelled : AdmissionStatus.Moved);
        }

        // A gateway of an earlier version names no model in a refusal.
        ticket.Take(answer.Model ?? ticket.Model, answer.Fallback);
        if (answer.IsRefusal)
        {
            return new(answer.Status, TimeSpan.FromSeconds(answer.RetryAfter));
        }

        (ticket.Position, ticket.HasWaited, ticket.Placed) = (Math.Max(ticket.Position, answer.Position), ticket.HasWaited || answer.HasWaited, fleet.Now);
        if (fleet.Find(answer.Instance) is not { } instance)
        {
            // The leader knows an instance that this gateway has yet to find.
            question.Report(new(MessageKind.End, answer.Id) { End = LeaseEnd.Undecided });
            ticket.Avoid(answer.Instance!, ticket.Placed);
            monitor.Refresh();
            return new(AdmissionStatus.Moved);
        }

        var lease = scheduler.Adopt(instance, ticket.Model, answer.IsCold);
        lease.Observer = question;
        return new(lease);
    }

    // Not completed until a leader answers, even if the connection breaks in the meantime, or until this gateway
    // admits: then the answer is null.
    private async ValueTask<ClusterMessage?> AskAsync(Holding question, CancellationToken cancellationToken)
    {
        lock (_lock)
        {
            if (AdmitsHere)
            {
                return null;
            }

            question.Report(question.Message);
        }

        using var registration = cancellationToken.UnsafeRegister(static question => ((Holding)question!).Withdraw(), question);
        return await question.Task;
    }

    private Holding Hold(ClusterMessage message, IRequestCount? count = null)
    {
        var holding = new Holding(this, message) { Count = count };
        holding.Report(message);
        return holding;
    }

    private long NewId() => Interlocked.Increment(ref _lastId);

    /// <summary>Reports to a leader that has accepted this gateway what it holds, then the questions that have no answer yet.</summary>
    internal void Report(LeaderLink link)
    {
        lock (_lock)
        {
            if (link != _link)
            {
                return;
            }

            (link.WasConnected, _unreachable) = (true, null);
            LogMember(link.Leader.Address);
            if (IsAdmitting)
            {
                StepDown();
            }

            foreach (var uses in ledger.All().Chunk(UsesPerMessage))
            {
                link.Send(new(MessageKind.Used) { BudgetUses = uses });
            }

            foreach (var (key, endUser, use) in limits.Used())
            {
                link.Send(new(MessageKind.Used) { Key = KeyInMessage.From(key, endUser), Use = use });
            }

            foreach (var holding in _holdings.Values.OrderByDescending(holding => holding.Message.Kind))
            {
                holding.SendTo(link);
            }
        }
    }

    /// <summary>
    /// Applies a message of the leader; a message of an earlier connection is ignored, since its requests have been
    /// sent again.
    /// </summary>
    internal void Receive(LeaderLink link, ClusterMessage message)
    {
        lock (_lock)
        {
            if (link == _link && message.Kind == MessageKind.Gateways)
            {
                _gateways = message.Gateways;
            }
            else if (link == _link)
            {
                _holdings.GetValueOrDefault(message.Id)?.Receive(message);
            }
        }
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "This gateway leads: it admits for all gateways.")]
    private partial void LogLeader();

    [LoggerMessage(Level = LogLevel.Information, Message = "The gateway at {Leader} leads: it admits for all gateways.")]
    private partial void LogMember(string leader);

    [LoggerMessage(Level = LogLevel.Warning, Message = "The connection to the leading gateway at {Leader} was closed ({Reason}).")]
    private partial void LogDisconnected(string leader, string reason);

    [LoggerMessage(Level = LogLevel.Warning, Message = "No leading gateway can be reached: this gateway admits by itself, so slots may be assigned twice. {Reason}")]
    private partial void LogAlone(string? reason);

    [LoggerMessage(Level = LogLevel.Warning, Message = "The store of 'Gateway:Cluster:Store' cannot be reached; the gateway tries again. Without the store, no other gateway can lead when the leading one stops. {Reason}")]
    private partial void LogOutage(string reason);

    [LoggerMessage(Level = LogLevel.Error, Message = "The gateway failed to look for the leading gateway; it tries again.")]
    private partial void LogBug(Exception error);

    /// <summary>
    /// A slot or a count that this gateway requests or holds. Completes with the leader's answer, or without one if it
    /// is no longer awaited.
    /// </summary>
    /// <param name="cluster">This gateway.</param>
    /// <param name="message">The message that reports it.</param>
    /// <param name="queuedAt">The time since which its request waits.</param>
    private sealed class Holding(ClusterAdmission cluster, ClusterMessage message, long queuedAt = 0)
        : TaskCompletionSource<ClusterMessage?>(TaskCreationOptions.RunContinuationsAsynchronously), ILeaseObserver, IRequestCount
    {
        /// <summary>The message that reports it to each leader.</summary>
        public ClusterMessage Message { get; private set; } = message;

        /// <summary>Whether it was reported to a leader.</summary>
        public bool WasSent { get; private set; }

        /// <summary>The count, if it is one that is held.</summary>
        public IRequestCount? Count { get; set; }

        /// <summary>
        /// Changes the message for the current leader and for later ones; has no effect after the end.
        /// </summary>
        public void Report(ClusterMessage message)
        {
            lock (cluster._lock)
            {
                if (Message.Kind != MessageKind.End)
                {
                    Keep(message);
                    SendTo(cluster.Connection);
                }
            }
        }

        /// <summary>Sends the present message.</summary>
        public void SendTo(LeaderLink? link)
        {
            if (link is not null)
            {
                link.Send(Message.Kind == MessageKind.Ask ? Message with { IsAgain = Message.IsAgain || WasSent, Waited = cluster.Now - queuedAt } : Message);
                WasSent = true;
            }
        }

        /// <summary>Receives the leader's answer.</summary>
        public void Receive(ClusterMessage answer)
        {
            if (Message.Kind == MessageKind.Ask)
            {
                Keep(new(answer.IsRefusal ? MessageKind.End : MessageKind.Hold, answer.Id) { Key = Message.Key, Budgets = Message.Budgets, Model = answer.Model, Instance = answer.Instance, IsCold = answer.IsCold });
                TrySetResult(answer);
            }
        }

        /// <summary>The question is not of interest any more.</summary>
        public void Withdraw()
        {
            lock (cluster._lock)
            {
                if (Message.Kind == MessageKind.Ask)
                {
                    Report(new(MessageKind.End, Message.Id) { End = LeaseEnd.Undecided });
                    TrySetResult(null);
                }
            }
        }

        public void OnFirstByte() => Report(Message with { HasAnswered = true });

        public void OnReleased(Lease lease, LeaseEnd end) => Report(new(MessageKind.End, Message.Id) { End = end, LoadSeconds = lease.LoadSeconds, Unloads = lease.Unloads });

        public void Complete(long tokens)
        {
            // First, so that a connection that breaks now cannot take the tokens with it.
            Count!.Complete(tokens);
            Report(new(MessageKind.End, Message.Id) { Tokens = tokens });
        }

        private void Keep(ClusterMessage message)
        {
            Message = message;
            if (message.Kind == MessageKind.End)
            {
                cluster._holdings.Remove(message.Id);
            }
            else
            {
                cluster._holdings[message.Id] = this;
            }
        }
    }
}
