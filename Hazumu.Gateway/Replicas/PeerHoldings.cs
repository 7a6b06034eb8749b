using System.Collections.Concurrent;
using System.Diagnostics.CodeAnalysis;

namespace Hazumu.Gateway.Replicas;

/// <summary>
/// What peers hold here, by the numbers that they gave it, which nobody else gives. It belongs to the connection that told of it last; so it
/// outlasts one that breaks, where the next one tells of it in time.
/// </summary>
internal sealed class PeerHoldings<T>
{
    private readonly ConcurrentDictionary<long, (T What, PeerSession Owner)> _all = new();

    /// <summary>Adds what was not known yet.</summary>
    public bool TryAdd(long id, T what, PeerSession owner) => _all.TryAdd(id, (what, owner));

    /// <summary>Looks for something.</summary>
    public bool TryGet(long id, [MaybeNullWhen(false)] out T what)
    {
        var isKnown = _all.TryGetValue(id, out var entry);
        what = entry.What;
        return isKnown;
    }

    /// <summary>Has what is known belong to another connection from now on.</summary>
    public bool TryClaim(long id, PeerSession owner, [MaybeNullWhen(false)] out T what)
    {
        while (_all.TryGetValue(id, out var entry))
        {
            if (_all.TryUpdate(id, (entry.What, owner), entry))
            {
                what = entry.What;
                return true;
            }
        }

        what = default;
        return false;
    }

    /// <summary>Takes something out.</summary>
    public bool TryTake(long id, [MaybeNullWhen(false)] out T what)
    {
        var isKnown = _all.TryRemove(id, out var entry);
        what = entry.What;
        return isKnown;
    }

    /// <summary>Takes out what still belongs to a connection.</summary>
    public IEnumerable<T> TakeAllOf(PeerSession owner)
    {
        foreach (var entry in _all)
        {
            if (entry.Value.Owner == owner && _all.TryRemove(entry))
            {
                yield return entry.Value.What;
            }
        }
    }
}
