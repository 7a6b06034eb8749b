using Hazumu.Gateway.Configuration;

namespace Hazumu.Gateway.Admission;

/// <summary>
/// The requests that wait for one model. Each priority gets its share of the turns for as long as its requests wait, so
/// that none starves;
/// within a priority keys take turns.
/// </summary>
/// <remarks>
/// Each priority is due at a time of a common clock, the next time later by one divided by its share; the one that is
/// due first has its
/// turn (stride scheduling, Waldspurger 1995). Not thread-safe: the fleet's lock guards it.
/// </remarks>
internal sealed class ModelQueue(Func<PriorityOptions> shares)
{
    private readonly Level[] _levels = [.. Enum.GetValues<Priority>().Select(priority => new Level(priority))];
    private double _clock;

    /// <summary>How many wait.</summary>
    public int Count => _levels[0].Keys.Count + _levels[1].Keys.Count + _levels[2].Keys.Count;

    /// <summary>How many of a priority and the higher ones wait.</summary>
    public int CountUpTo(Priority priority) => _levels[..((int)priority + 1)].Sum(level => level.Keys.Count);

    /// <summary>Joins; where it has waited before, in front of those of its key's that have waited less.</summary>
    public void Add(Ticket ticket)
    {
        var level = LevelOf(ticket);
        if (level.Keys.Count == 0)
        {
            level.Due = Math.Max(level.Due, _clock + StepOf(level));
        }

        level.Keys.Add(ticket);
    }

    /// <summary>Leaves.</summary>
    public void Remove(Ticket ticket) => LevelOf(ticket).Keys.Remove(ticket);

    /// <summary>Leaves because it was its turn: its key goes to the end of the line.</summary>
    public void Take(Ticket ticket, long now)
    {
        var level = LevelOf(ticket);
        level.Keys.Take(ticket, now);
        _clock = Math.Max(_clock, level.Due);
        level.Due += StepOf(level);
    }

    /// <summary>
    /// The place of the last of its key's, from 1: the turns until it has its own, those of other keys and priorities
    /// between included.
    /// </summary>
    public int LastPlaceOf(Ticket ticket)
    {
        var own = LevelOf(ticket);
        var place = own.Keys.LastPlaceOf(ticket.Key);
        var due = own.Due + ((place - 1) * StepOf(own));
        foreach (var level in _levels.Where(level => level != own))
        {
            place += Math.Clamp((int)Math.Ceiling((due - level.Due) / StepOf(level)), 0, level.Keys.Count);
        }

        return place;
    }

    /// <summary>The key's request that has waited least and has had no attempt; <see langword="null"/> where there is none.</summary>
    public Ticket? NewestOf(string key) =>
        _levels.Select(level => level.Keys.NewestOf(key)).MaxBy(newest => newest?.QueuedAt);

    /// <summary>The requests whose deadline has passed.</summary>
    /// <param name="isLate">Whether the deadline has passed; gets the time of the key's last turn.</param>
    public List<Ticket> Late(Func<Ticket, long, bool> isLate) =>
        [.. _levels.SelectMany(level => level.Keys.Late(isLate))];

    /// <summary>The first of each key, in the order of their turns.</summary>
    public IEnumerable<Ticket> Heads() => _levels
        .Where(level => level.Keys.Count > 0)
        .OrderBy(level => level.Due)
        .SelectMany(level => level.Keys.Heads());

    private Level LevelOf(Ticket ticket) => _levels[(int)ticket.Priority];

    private double StepOf(Level level) => 1d / shares().ShareOf(level.Priority);

    private sealed class Level(Priority priority)
    {
        public Priority Priority { get; } = priority;

        public KeyTurns Keys { get; } = new();

        /// <summary>When it has its next turn, on the common clock.</summary>
        public double Due { get; set; }
    }
}
