using System.Security.Cryptography;
using System.Text;
using Hazumu.Gateway.Admission;
using Hazumu.Gateway.Keys;
using Hazumu.Gateway.Upstreams;
using Hazumu.Gateway.Usage;

namespace Hazumu.Gateway.Cluster;

/// <summary>
/// The state of a leader: the sessions of the connected gateways, and the slots and counts that these wait for or hold.
/// </summary>
internal sealed partial class Leadership(ClusterAdmission cluster, Fleet fleet, FleetMonitor monitor, Scheduler scheduler, KeyLimits limits, BudgetLedger ledger, TimeProvider time, ILogger logger)
{
    private static readonly TimeSpan s_logInterval = TimeSpan.FromMinutes(1);

    // Guards the following fields. Messages to a session are sent under this lock, so that the last message is the
    // current state.
    private readonly Lock _lock = new();
    private readonly Dictionary<long, MemberHolding> _holdings = [];
    private readonly HashSet<LeaderSession> _sessions = [];
    private long? _strangerLoggedAt;
    private long _lastNumber;

    /// <summary>How many gateways are connected.</summary>
    public int Count => _sessions.Count;

    /// <summary>Whether this gateway leads, and another has its token. Refusals are logged once a minute: else anybody could fill the log.</summary>
    public bool Accepts(string? token, string peer)
    {
        var isOwn = CryptographicOperations.FixedTimeEquals(Encoding.UTF8.GetBytes(token ?? ""), Encoding.UTF8.GetBytes(cluster.Own.Token));
        lock (_lock)
        {
            if (!isOwn && (_strangerLoggedAt is not { } at || time.GetElapsedTime(at) >= s_logInterval))
            {
                _strangerLoggedAt = time.GetTimestamp();
                LogStranger(peer);
            }
        }

        return isOwn && cluster.IsLeader;
    }

    /// <summary>Adds a session, and announces how many gateways there are now.</summary>
    public void Add(LeaderSession session)
    {
        lock (_lock)
        {
            session.Number = ++_lastNumber;
            _sessions.Add(session);
            Announce();
        }

        if (!cluster.IsLeader)
        {
            session.Close();
        }
    }

    /// <summary>
    /// Removes a session. Its slots and counts are released after a delay, in which its gateway may report them again,
    /// and in which engines notice that a killed gateway is gone.
    /// </summary>
    public async Task RemoveAsync(LeaderSession session)
    {
        lock (_lock)
        {
            _sessions.Remove(session);
            Announce();
        }

        EndAll(holding => holding.Owner == session && holding.Answer is null);
        await Task.Delay(ClusterAdmission.Settling, time);
        EndAll(holding => holding.Owner == session);
    }

    /// <summary>Ends all sessions: another gateway leads, or this one stops.</summary>
    public void CloseAll()
    {
        lock (_lock)
        {
            foreach (var session in _sessions)
            {
                session.Close();
            }
        }
    }

    /// <summary>Does what a gateway's message says.</summary>
    public void Receive(LeaderSession session, ClusterMessage message)
    {
        if (message is { Kind: MessageKind.Used, BudgetUses: { } uses })
        {
            ledger.Learn(uses);
        }
        else if (message.Kind == MessageKind.Used)
        {
            limits.Learn(message.Key!.ToCaller().Key!, message.Use, message.Key.EndUser);
        }
        else if (message.Kind == MessageKind.End)
        {
            MemberHolding? ended;
            lock (_lock)
            {
                _holdings.Remove(message.Id, out ended);
            }

            ended?.End(message);
        }
        else if (Claim(message, session, out var isNew) is { } holding)
        {
            if (message.Kind == MessageKind.Hold)
            {
                Adopt(message, holding);
            }
            else if (isNew)
            {
                _ = AnswerAsync(message, holding);
            }
        }
    }

    // It belongs to the session that reported it last, so that it outlasts a broken connection. An answer may have been lost with that.
    private MemberHolding? Claim(ClusterMessage message, LeaderSession session, out bool isNew)
    {
        lock (_lock)
        {
            isNew = false;
            if (session.HasEnded)
            {
                return null;
            }

            if (!_holdings.TryGetValue(message.Id, out var holding))
            {
                isNew = true;
                _holdings[message.Id] = holding = new(session);
            }

            if (holding.Owner.Number <= session.Number)
            {
                holding.Owner = session;
                if (message.Kind == MessageKind.Ask && holding.Answer is { } answer)
                {
                    session.Send(answer);
                }
            }

            return holding;
        }
    }

    private void Adopt(ClusterMessage hold, MemberHolding holding)
    {
        if (holding.Answer is null)
        {
            var answer = new ClusterMessage(MessageKind.Answer, hold.Id) { Instance = hold.Instance, Model = hold.Model, IsCold = hold.IsCold };
            if (hold.Key?.ToCaller() is { } caller)
            {
                if (hold.Budgets is { } budgets)
                {
                    ledger.Adopt(budgets);
                }

                Answer(holding, answer, count: new RequestCount(limits, caller, hold.Key.EndUser, limits.Adopt(caller.Key!, hold.Key.EndUser), ledger, hold.Budgets));
            }
            else
            {
                // Of an instance that this gateway does not know, it grants no slot either.
                Answer(holding, answer, fleet.Find(hold.Instance) is { } instance ? scheduler.Adopt(instance, hold.Model!, hold.IsCold && !hold.HasAnswered) : null);
            }
        }

        if (hold.HasAnswered)
        {
            holding.Lease?.OnFirstByte();
        }
    }

    private async Task AnswerAsync(ClusterMessage ask, MemberHolding holding)
    {
        try
        {
            await (ask.Model is null ? CountAsync(ask, holding) : AcquireAsync(ask, holding));
        }
        catch (OperationCanceledException) when (holding.IsCancellationRequested)
        {
            // Nothing waits for an answer.
        }
#pragma warning disable CA1031 // The client of the other gateway must not wait forever, and the log tells the rest.
        catch (Exception error)
#pragma warning restore CA1031
        {
            LogBug(error);
            Answer(holding, new(MessageKind.Answer, ask.Id) { Status = ask.Model is null ? AdmissionStatus.Admitted : AdmissionStatus.EngineUnreachable });
        }
    }

    private async Task AcquireAsync(ClusterMessage ask, MemberHolding holding)
    {
        if (!(ask.Chain ?? [ask.Model!]).Any(fleet.Knows))
        {
            // It may have been pulled through the other gateway.
            await monitor.RefreshStoredAsync(holding.Token);
        }

        var now = fleet.Now;
        var ticket = new Ticket(ask.Model!, ask.Affinity, ask.KeyName!) { Chain = ask.Chain, QueueLongerThan = ask.QueueLongerThan, Priority = ask.Priority, IsShort = ask.IsShort, IsStreamed = ask.IsStreamed, WasAdmitted = ask.IsAgain };
        (ticket.QueuedAt, ticket.Placed) = (Math.Max(0, now - ask.Waited), now);
        foreach (var instance in ask.Avoided ?? [])
        {
            ticket.Avoid(instance, now);
        }

        // If this gateway leads no more, or the question was withdrawn, no answer is due.
        var (status, lease, retryAfter) = await scheduler.AcquireAsync(ticket, holding.Token);
        if (status is not (AdmissionStatus.Moved or AdmissionStatus.Cancelled))
        {
            var answer = new ClusterMessage(MessageKind.Answer, ask.Id)
            {
                Status = status,
                RetryAfter = retryAfter.TotalSeconds,
                Instance = lease?.Instance.Name,
                Model = lease?.Slots.Model ?? ticket.Model,
                Fallback = ticket.Fallback,
                IsCold = lease?.IsCold ?? false,
                Position = ticket.Position,
                HasWaited = ticket.HasWaited,
            };
            Answer(holding, answer, lease);
        }
    }

    private async Task CountAsync(ClusterMessage ask, MemberHolding holding)
    {
        // Earlier counts of the gateways are known by then.
        await cluster.Settled.WaitAsync(holding.Token);
        var caller = ask.Key!.ToCaller();
        var endUser = ask.Key.EndUser;
        var decision = await cluster.Local.CountRequestAsync(caller, endUser, ask.Budgets, holding.Token);
        var answer = new ClusterMessage(MessageKind.Answer, ask.Id)
        {
            Reached = decision.Reached,
            RetryAfter = decision.RetryAfter.TotalSeconds,
            IsOfEndUser = decision.IsOfEndUser,
            Use = limits.UseOf(caller.Key!),
            EndUserUse = endUser is null ? default : limits.UseOf(caller.Key!, endUser),
            Budget = decision.Budget,
            BudgetUses = ask.Budgets is { } budgets ? ledger.UsesOf(budgets) : null,
        };
        Answer(holding, answer, count: decision.Count);
    }

    // Gives back at once what nothing waits for any more.
    private void Answer(MemberHolding holding, ClusterMessage answer, Lease? lease = null, IRequestCount? count = null)
    {
        lock (_lock)
        {
            if (holding.Answer is null && _holdings.GetValueOrDefault(answer.Id) == holding)
            {
                (holding.Answer, holding.Lease, holding.Count) = (answer, lease, count);
                holding.Owner.Send(answer);
                if (answer.IsRefusal)
                {
                    _holdings.Remove(answer.Id);
                }

                return;
            }
        }

        lease?.Release(LeaseEnd.Undecided);
        count?.Complete(0);
    }

    private void EndAll(Func<MemberHolding, bool> isMeant)
    {
        List<KeyValuePair<long, MemberHolding>> ended;
        lock (_lock)
        {
            ended = [.. _holdings.Where(holding => isMeant(holding.Value))];
            ended.ForEach(holding => _holdings.Remove(holding.Key));
        }

        ended.ForEach(holding => holding.Value.End(new(MessageKind.End) { End = LeaseEnd.Undecided }));
    }

    private void Announce()
    {
        foreach (var session in _sessions)
        {
            session.Send(new(MessageKind.Gateways) { Gateways = Count + 1 });
        }
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "A connection of {Peer} to the cluster's port without the leader's token was refused; further ones are not logged for a minute.")]
    private partial void LogStranger(string peer);

    [LoggerMessage(Level = LogLevel.Error, Message = "A request of another gateway failed in the leader.")]
    private partial void LogBug(Exception error);

    /// <summary>A slot or a count that a gateway waits for, or holds; cancelled at its end.</summary>
    /// <remarks>Not disposed: it may be cancelled at any moment, and holds nothing but memory.</remarks>
    private sealed class MemberHolding(LeaderSession owner) : CancellationTokenSource
    {
        public LeaderSession Owner { get; set; } = owner;

        /// <summary>The answer; <see langword="null"/> while the gateway waits.</summary>
        public ClusterMessage? Answer { get; set; }

        public Lease? Lease { get; set; }

        public IRequestCount? Count { get; set; }

        public void End(ClusterMessage end)
        {
            _ = CancelAsync();
            Count?.Complete(end.Tokens);
            if (Lease is not null)
            {
                (Lease.LoadSeconds, Lease.Unloads) = (end.LoadSeconds, end.Unloads);
                Lease.Release(end.End);
            }
        }
    }
}
