using Hazumu.Gateway.Admission;
using Hazumu.Gateway.Keys;

namespace Hazumu.Gateway.Replicas;

/// <summary>
/// What this gateway holds while it has peers: whoever admits for all knows of it, and who does so next is told of it. The request itself
/// goes on meanwhile, past all of them.
/// </summary>
internal abstract class Held(Peers peers)
{
    private readonly Lock _lock = new();
    private PeerLink? _link;
    private long _id;
    private bool _isOver;

    /// <summary>Whether it is a peer's, which tells of it by itself when this gateway stops.</summary>
    public bool IsPeers { get; set; }

    /// <summary>Who gave it, where that was not this gateway.</summary>
    public void GivenBy(PeerLink link, long id) => (_link, _id) = (link, id);

    /// <summary>Tells who admits for all now that it is held, and who did before that it need not care.</summary>
    public void MoveTo(PeerLink? link)
    {
        lock (_lock)
        {
            if (_isOver || _link == link || (IsPeers && peers.IsLeaving))
            {
                return;
            }

            var (before, idBefore) = (_link, _id);
            _link = link;
            if (link is not null)
            {
                _id = link.NextId();
                link.Send(Hold(_id));
            }

            before?.Send(Moved(idBefore));
        }
    }

    /// <summary>Tells a peer again that has lost the connection.</summary>
    public void TellAgain(PeerLink link)
    {
        lock (_lock)
        {
            if (!_isOver && _link == link)
            {
                link.Send(Hold(_id));
            }
        }
    }

    /// <summary>Says that it is held.</summary>
    protected abstract PeerMessage Hold(long id);

    /// <summary>Says that somebody else knows of it now.</summary>
    protected abstract PeerMessage Moved(long id);

    /// <summary>Tells who knows of it.</summary>
    protected void Tell(Func<long, PeerMessage> message, bool isOver = false)
    {
        lock (_lock)
        {
            _isOver |= isOver;
            _link?.Send(message(_id));
        }
    }

    /// <summary>It is over.</summary>
    protected void End(Func<long, PeerMessage> message)
    {
        peers.Forget(this);
        Tell(message, isOver: true);
    }
}

/// <summary>A slot.</summary>
internal sealed class HeldLease(Peers peers, Lease lease) : Held(peers), ILeaseObserver
{
    /// <inheritdoc/>
    public void OnFirstByte() => Tell(static id => new(PeerWord.Began, id));

    /// <inheritdoc/>
    public void OnReleased(LeaseEnd end) => End(id => new(PeerWord.Free, id) { End = end, LoadSeconds = lease.LoadSeconds, Unloads = lease.Unloads });

    /// <inheritdoc/>
    protected override PeerMessage Hold(long id) => new(PeerWord.Hold, id)
    {
        Instance = lease.Instance.Name,
        Model = lease.Slots.Model,
        IsCold = lease.IsCold,
        HasAnswered = lease.HasAnswered,
    };

    /// <inheritdoc/>
    protected override PeerMessage Moved(long id) => new(PeerWord.Free, id) { End = LeaseEnd.Undecided };
}

/// <summary>A request that is counted against the limits of its key.</summary>
internal sealed class HeldCount(Peers peers, KeyLimits limits, Caller caller, LimitLease lease) : Held(peers), IRequestCount
{
    /// <inheritdoc/>
    public void Complete(long tokens)
    {
        // Before it is told: else a connection that breaks just now might take them along.
        limits.Debit(caller, tokens);
        lease.Dispose();
        End(id => new(PeerWord.Over, id) { Tokens = tokens });
    }

    /// <inheritdoc/>
    protected override PeerMessage Hold(long id) => PeerMessage.Used(caller.Key!, limits.UseOf(caller.Key!), id);

    /// <inheritdoc/>
    protected override PeerMessage Moved(long id) => new(PeerWord.Over, id);
}
