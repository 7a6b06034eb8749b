namespace Hazumu.Gateway.Admission;

/// <summary>
/// The requests of one priority that wait for one model. Keys take turns, so that one with a thousand requests holds up
/// another's by one at a time; so do the end users of a key that names them (<see cref="Ticket.Key"/>). Within a
/// key it is first come, first served. Joining, leaving and taking a turn cost the same however long the queue is.
/// </summary>
/// <remarks>Not thread-safe: the fleet's lock guards it.</remarks>
internal sealed class KeyTurns
{
    private readonly Dictionary<string, LinkedListNode<Line>> _keys = new(StringComparer.Ordinal);
    private readonly LinkedList<Line> _turns = new();

    /// <summary>How many wait.</summary>
    public int Count { get; private set; }

    /// <summary>Joins; where it has waited before, in front of those of its key's that have waited less.</summary>
    public void Add(Ticket ticket)
    {
        if (!_keys.TryGetValue(ticket.Key, out var turn))
        {
            turn = _turns.AddLast(new Line());
            _keys.Add(ticket.Key, turn);
        }

        ticket.Node = ticket.IsAgain || turn.Value.Last?.Value.QueuedAt > ticket.QueuedAt ? AddAgain(turn.Value, ticket) : turn.Value.AddLast(ticket);
        Count++;
    }

    // A retry is nearly always the oldest; those that come from another gateway's queue come in their order.
    private static LinkedListNode<Ticket> AddAgain(Line tickets, Ticket ticket)
    {
        if (tickets.First is not { } first || ticket.QueuedAt <= first.Value.QueuedAt)
        {
            return tickets.AddFirst(ticket);
        }

        var before = tickets.Last!;
        while (before.Value.QueuedAt > ticket.QueuedAt)
        {
            before = before.Previous!;
        }

        return tickets.AddAfter(before, ticket);
    }

    /// <summary>Leaves.</summary>
    public void Remove(Ticket ticket)
    {
        if (ticket.Node is not { } node)
        {
            return;
        }

        ticket.Node = null;
        Count--;
        var tickets = node.List!;
        tickets.Remove(node);
        if (tickets.Count == 0)
        {
            _keys.Remove(ticket.Key, out var turn);
            _turns.Remove(turn!);
        }
    }

    /// <summary>Leaves because it was its turn: its key goes to the end of the line.</summary>
    public void Take(Ticket ticket, long now)
    {
        Remove(ticket);
        if (_keys.TryGetValue(ticket.Key, out var turn))
        {
            turn.Value.LastTurn = now;
            _turns.Remove(turn);
            _turns.AddLast(turn);
        }
    }

    /// <summary>
    /// The place of the last of a key's, from 1: the turns until it has its own, those of other keys between included.
    /// </summary>
    public int LastPlaceOf(string key)
    {
        var own = _keys[key];
        var count = own.Value.Count;
        var place = count;
        var isBefore = true;
        foreach (var line in _turns)
        {
            if (line == own.Value)
            {
                isBefore = false;
            }
            else
            {
                place += Math.Min(line.Count, isBefore ? count : count - 1);
            }
        }

        return place;
    }

    /// <summary>
    /// The key's request that has waited least and has had no attempt; <see langword="null"/> where there is none.
    /// </summary>
    public Ticket? NewestOf(string key)
    {
        var node = _keys.GetValueOrDefault(key)?.Value.Last;
        while (node is { Value.IsAgain: true })
        {
            node = node.Previous;
        }

        return node?.Value;
    }

    /// <summary>
    /// The requests whose deadline has passed. Within a key the first has waited longest, except those that came back
    /// to its front, and
    /// short ones, which wait as long as their key has its turns: so few are checked.
    /// </summary>
    /// <param name="isLate">Whether the deadline has passed; gets the time of the key's last turn.</param>
    public List<Ticket> Late(Func<Ticket, long, bool> isLate)
    {
        var late = new List<Ticket>();
        foreach (var line in _turns)
        {
            for (var node = line.First; node is not null; node = node.Next)
            {
                if (isLate(node.Value, line.LastTurn))
                {
                    late.Add(node.Value);
                }
                else if (node.Value is { IsAgain: false, IsShort: false })
                {
                    break;
                }
            }
        }

        return late;
    }

    /// <summary>The first of each key, in the order of their turns.</summary>
    public IEnumerable<Ticket> Heads()
    {
        for (var turn = _turns.First; turn is not null; turn = turn.Next)
        {
            yield return turn.Value.First!.Value;
        }
    }

    private sealed class Line : LinkedList<Ticket>
    {
        public long LastTurn { get; set; } = long.MinValue / 2;
    }
}
