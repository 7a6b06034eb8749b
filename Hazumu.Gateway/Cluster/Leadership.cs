using System.Collections.Concurrent;
using System.Security.Cryptography;
using System.Text;
using Hazumu.Gateway.Admission;
using Hazumu.Gateway.Keys;
using Hazumu.Gateway.Upstreams;

namespace Hazumu.Gateway.Cluster;

/// <summary>What a leader has: the sessions of the gateways that are connected, and what these hold.</summary>
internal sealed partial record Leadership(ClusterAdmission Cluster, Fleet Fleet, FleetMonitor Monitor, Scheduler Scheduler, KeyLimits Limits, TimeProvider Time, ILogger Logger)
{
    private static readonly TimeSpan s_logInterval = TimeSpan.FromMinutes(1);

    // A holding belongs to the session that reported it last, so that it outlasts a broken connection.
    private readonly Dictionary<long, (LeaderSession Owner, Lease? Lease, IRequestCount? Count)> _holdings = [];
    private readonly ConcurrentDictionary<LeaderSession, bool> _sessions = new();
    private readonly Lock _lock = new();
    private readonly Lock _announcement = new();
    private long? _strangerLoggedAt;
    private long _lastNumber;

    /// <summary>How many gateways are connected.</summary>
    public int Count => _sessions.Count;

    /// <summary>Returns the number of a new session.</summary>
    public long NewNumber() => Interlocked.Increment(ref _lastNumber);

    /// <summary>Ends all sessions: another gateway leads, or this one stops.</summary>
    public void CloseAll()
    {
        foreach (var session in _sessions.Keys)
        {
            session.Close();
        }
    }

    /// <summary>Whether a gateway has the token. Refusals are logged once a minute: else anybody could fill the log.</summary>
    public bool Accepts(string? token, string peer)
    {
        var isOwn = CryptographicOperations.FixedTimeEquals(Encoding.UTF8.GetBytes(token ?? ""), Encoding.UTF8.GetBytes(Cluster.Own.Token));
        lock (_lock)
        {
            if (!isOwn && (_strangerLoggedAt is not { } at || Time.GetElapsedTime(at) >= s_logInterval))
            {
                _strangerLoggedAt = Time.GetTimestamp();
                LogStranger(peer);
            }
        }

        return isOwn;
    }

    /// <summary>Adds a session, and announces how many gateways there are now.</summary>
    public void Add(LeaderSession session)
    {
        _sessions[session] = true;
        Announce();
    }

    /// <summary>Removes a session. What it holds is released after a moment in which its gateway may report it again, and engines notice that a killed one is gone.</summary>
    public async Task RemoveAsync(LeaderSession session)
    {
        _sessions.TryRemove(session, out _);
        Announce();
        await Task.Delay(ClusterAdmission.Settling, Time);
        List<long> left;
        lock (_lock)
        {
            left = [.. _holdings.Where(holding => holding.Value.Owner == session).Select(holding => holding.Key)];
        }

        foreach (var (lease, count) in left.Select(id => Take(id, session)))
        {
            lease?.Release(LeaseEnd.Undecided);
            count?.Complete(0);
        }
    }

    /// <summary>Adds a slot or a count, unless its number is known or its session has ended.</summary>
    public bool TryAdd(long id, LeaderSession owner, Lease? lease = null, IRequestCount? count = null)
    {
        lock (_lock)
        {
            return !owner.HasEnded && _holdings.TryAdd(id, (owner, lease, count));
        }
    }

    /// <summary>Adds a slot, or moves the known one with its number to a later session.</summary>
    /// <returns>The slot that the session has now; <see langword="null"/> if it has ended, or a later one has the slot.</returns>
    public Lease? AddOrClaim(long id, LeaderSession owner, Lease lease)
    {
        lock (_lock)
        {
            return TryAdd(id, owner, lease) ? lease : TryClaim(id, owner, out var known) && _holdings[id].Owner == owner ? known : null;
        }
    }

    /// <summary>Moves a known slot or count to a later session.</summary>
    public bool TryClaim(long id, LeaderSession owner, out Lease? lease)
    {
        lock (_lock)
        {
            var isKnown = _holdings.TryGetValue(id, out var known);
            lease = known.Lease;
            if (isKnown && !owner.HasEnded && owner.Number >= known.Owner.Number)
            {
                _holdings[id] = known with { Owner = owner };
            }

            return isKnown;
        }
    }

    /// <summary>Takes out what is given back, if it belongs to a session still.</summary>
    public (Lease? Lease, IRequestCount? Count) Take(long id, LeaderSession? owner = null)
    {
        lock (_lock)
        {
            return _holdings.TryGetValue(id, out var known) && (owner is null || known.Owner == owner) && _holdings.Remove(id) ? (known.Lease, known.Count) : default;
        }
    }

    // One at a time, so that the count that is sent last is the present one.
    private void Announce()
    {
        lock (_announcement)
        {
            foreach (var session in _sessions.Keys)
            {
                session.Send(new(MessageKind.Gateways) { Gateways = Count + 1 });
            }
        }
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "A connection of {Peer} to the cluster's port without the leader's token was refused; further ones are not logged for a minute.")]
    private partial void LogStranger(string peer);

    /// <summary>Logs a fault of the gateway itself.</summary>
    [LoggerMessage(Level = LogLevel.Error, Message = "A request of another gateway failed in the leader.")]
    public partial void LogBug(Exception error);
}
