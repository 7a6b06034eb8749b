namespace Hazumu.Gateway.Admission;

/// <summary>
/// Who waits for one model. Keys take turns, so that one with a thousand requests holds up another's by one at a time; within a key
/// it is first come, first served. Joining, leaving and taking a turn cost the same however long the queue is.
/// </summary>
/// <remarks>Not thread-safe: the fleet's lock guards it.</remarks>
internal sealed class ModelQueue
{
    private readonly Dictionary<string, LinkedListNode<LinkedList<Ticket>>> _keys = new(StringComparer.Ordinal);
    private readonly LinkedList<LinkedList<Ticket>> _turns = new();

    /// <summary>How many wait.</summary>
    public int Count { get; private set; }

    /// <summary>Since when no instance can be reached that may have the model; <see langword="null"/> where one can.</summary>
    public long? OutageSince { get; set; }

    /// <summary>Joins; where it has waited before, in front of those of its key's that have waited less.</summary>
    public void Add(Ticket ticket)
    {
        if (!_keys.TryGetValue(ticket.Key, out var turn))
        {
            turn = _turns.AddLast(new LinkedList<Ticket>());
            _keys.Add(ticket.Key, turn);
        }

        ticket.Node = ticket.IsAgain ? AddAgain(turn.Value, ticket) : turn.Value.AddLast(ticket);
        Count++;
    }

    // A retry is nearly always the oldest; those that come from another gateway's queue come in their order.
    private static LinkedListNode<Ticket> AddAgain(LinkedList<Ticket> tickets, Ticket ticket)
    {
        if (tickets.First is not { } first || ticket.Asked <= first.Value.Asked)
        {
            return tickets.AddFirst(ticket);
        }

        var before = tickets.Last!;
        while (before.Value.Asked > ticket.Asked)
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
    public void Take(Ticket ticket)
    {
        Remove(ticket);
        if (_keys.TryGetValue(ticket.Key, out var turn))
        {
            _turns.Remove(turn);
            _turns.AddLast(turn);
        }
    }

    /// <summary>
    /// Whose time is over. Within a key the first has waited longest, but for those that came back to its front: so few are looked at.
    /// </summary>
    public List<Ticket> Late(Predicate<Ticket> isLate)
    {
        var late = new List<Ticket>();
        foreach (var tickets in _turns)
        {
            for (var node = tickets.First; node is not null; node = node.Next)
            {
                if (isLate(node.Value))
                {
                    late.Add(node.Value);
                }
                else if (!node.Value.IsAgain)
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
}
