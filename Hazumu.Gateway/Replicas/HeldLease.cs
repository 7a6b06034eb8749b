using Hazumu.Gateway.Admission;

namespace Hazumu.Gateway.Replicas;

/// <summary>
/// A slot that this gateway holds while it has peers: whoever admits for all knows of it, and who does so next is told of it. The stream
/// itself goes on meanwhile, past all of them.
/// </summary>
internal sealed class HeldLease(Peers peers, Lease lease)
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
                Hold(link);
            }

            before?.Send(new(PeerWord.Free, idBefore) { End = LeaseEnd.Undecided });
        }
    }

    /// <summary>Tells a peer again that has lost the connection.</summary>
    public void TellAgain(PeerLink link)
    {
        lock (_lock)
        {
            if (!_isOver && _link == link)
            {
                Hold(link);
            }
        }
    }

    /// <summary>The model has answered.</summary>
    public void OnFirstByte()
    {
        lock (_lock)
        {
            _link?.Send(new(PeerWord.Began, _id));
        }
    }

    /// <summary>It is given back.</summary>
    public void OnReleased(LeaseEnd end)
    {
        peers.Forget(this);
        lock (_lock)
        {
            _isOver = true;
            _link?.Send(new(PeerWord.Free, _id) { End = end, LoadSeconds = lease.LoadSeconds, Unloads = lease.Unloads });
        }
    }

    private void Hold(PeerLink link) => link.Send(new(PeerWord.Hold, _id)
    {
        Instance = lease.Instance.Name,
        Model = lease.Slots.Model,
        IsCold = lease.IsCold,
        HasAnswered = lease.HasAnswered,
    });
}
