using Hazumu.Gateway.Upstreams;

namespace Hazumu.Gateway.Admission;

/// <summary>
/// Chooses the instance for a request: one that has the model in memory and a slot free, by affinity; else, where no instance has it in
/// memory, or waiting would take longer than loading, the one where loading costs least, evictions included; else none yet.
/// </summary>
/// <remarks>
/// Reads the fleet under its lock and changes nothing. Costs are seconds. A load ends when <c>/api/ps</c> or an answer shows the model in
/// memory, or when the time that the load takes has passed: an answer that is not streamed comes whole, long after its model was loaded.
/// </remarks>
internal static class Router
{
    // Before anything was seen: what a disk of 1 GB/s and a runner's start take.
    private const double DefaultLoadSeconds = 10;
    private const double StartSeconds = 1;
    private const double BytesPerSecond = 1e9;

    // How far ahead an evicted model would be missed.
    private const double HorizonSeconds = 60;

    // Another copy is certain to disturb others and waiting is not: it must be clearly cheaper. Beside a load there is nothing yet to copy.
    private const double Reluctance = 2;

    /// <summary>Chooses.</summary>
    /// <param name="fleet">The fleet; its lock is held.</param>
    /// <param name="ticket">The request.</param>
    /// <param name="parallel">Slots of an instance and model, unless the model has fewer.</param>
    /// <param name="waiting">Other requests for this model that wait.</param>
    public static Choice Choose(Fleet fleet, Ticket ticket, int parallel, int waiting)
    {
        var now = fleet.Now;
        var model = ticket.Model;
        Instance? best = null;
        var bestScore = 0d;
        var isKnown = false;
        var queue = new Backlog(now);
        Division? division = ticket.Affinity == 0 && IsWeighted(fleet) ? new(ticket.Draw) : null;

        foreach (var instance in fleet.Instances)
        {
            if (instance.IsGone || instance.Has(model) == false)
            {
                continue;
            }

            // A model of an instance that is down is known: another would say that there is no such model.
            isKnown |= instance.Has(model) == true;
            if (instance.Circuit.State == CircuitState.Open
                || fleet.IsStale(instance, model)
                || !instance.Slots.TryGetValue(model, out var slots)
                || !(slots.IsResident || slots.IsLoading)
                || ticket.Avoids(instance, now))
            {
                continue;
            }

            var load = slots.IsLoading ? LoadSecondsLeft(fleet, instance, slots, now) : 0;
            var limit = instance.LimitOf(model, parallel);
            queue.Add(slots, limit, load);
            if (load == 0 && slots.InUse < limit && instance.Circuit.Admits)
            {
                // One that has just answered 503 comes after all others.
                var score = now < slots.BusyUntil ? 0
                    : division?.ScoreOf(instance.Options.Weight) ?? Score(ticket.Affinity, instance, slots.InUse);
                if (best is null || score > bestScore)
                {
                    best = instance;
                    bestScore = score;
                }
            }
        }

        if (best is not null)
        {
            return new(best, IsCold: false);
        }

        var (coldest, cost) = Cheapest(fleet, ticket, parallel, now, isKnown);
        if (coldest is null)
        {
            return default;
        }

        return queue.IsEmpty ? new(coldest, IsCold: isKnown)
            : queue.WaitSeconds(waiting) > (queue.IsLoaded ? Reluctance : 1) * cost ? new(coldest, IsCold: true)
            : default;
    }

    // Rendezvous hashing: a conversation stays where its prompt's beginning is in the cache, and moves only when that instance is full or
    // gone. By weight, as many conversations have their highest score at an instance as its share.
    private static double Score(ulong affinity, Instance instance, int inUse) => affinity == 0
        ? int.MaxValue - inUse
        : instance.Options.Weight
            / -Math.Log(double.Max(Draw.Fraction(Draw.Mix(affinity ^ (uint)string.GetHashCode(instance.Name, StringComparison.Ordinal))), double.Epsilon));

    private static bool IsWeighted(Fleet fleet)
    {
        foreach (var instance in fleet.Instances)
        {
            if (instance.Options.Weight != fleet.Instances[0].Options.Weight)
            {
                return true;
            }
        }

        return false;
    }

    private static (Instance? Instance, double Cost) Cheapest(Fleet fleet, Ticket ticket, int parallel, long now, bool isKnown)
    {
        Instance? best = null;
        var bestCost = double.MaxValue;
        foreach (var instance in fleet.Instances)
        {
            if (!instance.IsUsable || !instance.Models.Allows(ticket.Model) || ticket.Avoids(instance, now) || (isKnown && instance.Has(ticket.Model) == false) || fleet.IsStale(instance, ticket.Model))
            {
                continue;
            }

            instance.Slots.TryGetValue(ticket.Model, out var slots);
            if (slots is { IsResident: true } or { IsLoading: true } || slots?.InUse >= instance.LimitOf(ticket.Model, parallel))
            {
                continue;
            }

            var cost = LoadSeconds(fleet, instance, ticket.Model)
                + EvictionSeconds(fleet, instance, ticket.Model, now)
                + LoadingSeconds(fleet, instance, now)
                + (slots is not null && now < slots.BusyUntil ? DefaultLoadSeconds : 0)
                + (0.001 * instance.InUse);
            if (cost < bestCost)
            {
                best = instance;
                bestCost = cost;
            }
        }

        return (best, bestCost);
    }

    private static double LoadSeconds(Fleet fleet, Instance instance, string model)
    {
        if (instance.Slots.TryGetValue(model, out var own) && own.LoadSeconds > 0)
        {
            return own.LoadSeconds;
        }

        foreach (var other in fleet.Instances)
        {
            if (other.Slots.TryGetValue(model, out var slots) && slots.LoadSeconds > 0)
            {
                return slots.LoadSeconds;
            }
        }

        return instance.Stored?.TryGetValue(model, out var stored) == true ? StartSeconds + (stored.Size / BytesPerSecond) : DefaultLoadSeconds;
    }

    private static double LoadSecondsLeft(Fleet fleet, Instance instance, ModelSlots slots, long now) =>
        Math.Max(0, LoadSeconds(fleet, instance, slots.Model) - ((now - slots.LoadingSince) / 1_000d));

    // The cost of evicting the least recently used model, weighted by how soon it is likely to be requested and by
    // whether another instance has it; none if one more model may fit.
    private static double EvictionSeconds(Fleet fleet, Instance instance, string model, long now)
    {
        ModelSlots? victim = null;
        var resident = 0;
        foreach (var slots in instance.Slots.Values)
        {
            if ((slots.IsResident || slots.IsLoading) && slots.Model != model)
            {
                resident++;
                if (victim is null || (slots.InUse > 0, slots.IsPinned, slots.LastUsed).CompareTo((victim.InUse > 0, victim.IsPinned, victim.LastUsed)) < 0)
                {
                    victim = slots;
                }
            }
        }

        if (victim is null || resident < instance.MostResident)
        {
            return 0;
        }

        var copies = 0;
        foreach (var other in fleet.Instances)
        {
            copies += other.Slots.TryGetValue(victim.Model, out var slots) && slots.IsResident ? 1 : 0;
        }

        // One that is pinned is loaded again.
        var missed = victim.IsPinned ? 1 : Math.Min(1, fleet.Rates.PerSecond(victim.Model, now) * HorizonSeconds) / Math.Max(1, copies * copies);

        // A model that runs is not evicted: the load would wait for it.
        var busy = victim.InUse > 0 ? Math.Max(StartSeconds, victim.ServiceSeconds) : 0;
        return (missed * LoadSeconds(fleet, instance, victim.Model)) + busy;
    }

    // Ollama loads one model at a time.
    private static double LoadingSeconds(Fleet fleet, Instance instance, long now)
    {
        var seconds = 0d;
        foreach (var slots in instance.Slots.Values)
        {
            if (slots.IsLoading)
            {
                seconds += Math.Max(StartSeconds, LoadSecondsLeft(fleet, instance, slots, now));
            }
        }

        return seconds;
    }
}

/// <summary>Divides requests between instances in proportion to their weights, where no conversation says to which one they go.</summary>
/// <param name="draw">The request's number from 0 to 1.</param>
internal sealed class Division(double draw)
{
    private double _draw = draw;
    private double _total;

    /// <summary>The score of the next instance: higher than all before if it takes the request from these, else the lowest.</summary>
    public double ScoreOf(int weight)
    {
        _total += weight;
        var part = weight / _total;
        var isTaken = _draw < part;
        _draw = isTaken ? _draw / part : (_draw - part) / (1 - part);
        return isTaken ? _total : 0;
    }
}

/// <summary>The instances that have a model in memory or load it, and how long the queue for their slots is.</summary>
internal struct Backlog(long now)
{
    // Before anything was seen: what a chat takes.
    private const double DefaultServiceSeconds = 5;

    private int _slots;
    private int _freeAfterLoad;
    private double _service;
    private double _secondsToServe = double.MaxValue;
    private double _secondsSinceTurn = double.MaxValue;

    /// <summary>Whether no instance has the model or loads it.</summary>
    public readonly bool IsEmpty => _slots == 0;

    /// <summary>Whether an instance has the model in memory.</summary>
    public readonly bool IsLoaded => _secondsToServe == 0;

    /// <summary>Adds an instance.</summary>
    /// <param name="slots">The model's slots there.</param>
    /// <param name="limit">How many there are.</param>
    /// <param name="load">Seconds until the model is loaded.</param>
    public void Add(ModelSlots slots, int limit, double load)
    {
        _slots += limit;
        _freeAfterLoad += load > 0 ? Math.Max(0, limit - slots.InUse) : 0;
        _service = Math.Max(_service, slots.ServiceSeconds);
        _secondsToServe = Math.Min(_secondsToServe, load);
        _secondsSinceTurn = Math.Min(_secondsSinceTurn, load > 0 ? 0 : (now - Math.Max(slots.LastUsed, slots.LoadedAt)) / 1_000d);
    }

    /// <summary>
    /// Seconds until all queued requests have a slot; during a load, until the next one has, because a queue that a
    /// load causes is soon empty. If no slot has been freed for longer than usual, the next one is expected after the
    /// same time again.
    /// </summary>
    /// <param name="waiting">Other requests that wait.</param>
    public readonly double WaitSeconds(int waiting)
    {
        if (_freeAfterLoad > 0)
        {
            return _secondsToServe;
        }

        var pace = (_service > 0 ? _service : DefaultServiceSeconds) / _slots;
        var next = _secondsSinceTurn < pace ? pace - _secondsSinceTurn : _secondsSinceTurn;
        return _secondsToServe + next + (IsLoaded ? waiting * pace : 0);
    }
}

/// <summary>The destination of a request.</summary>
/// <param name="Instance">The instance; <see langword="null"/> if the request waits.</param>
/// <param name="IsCold">Whether the instance will have to load the model.</param>
internal readonly record struct Choice(Instance? Instance, bool IsCold);
