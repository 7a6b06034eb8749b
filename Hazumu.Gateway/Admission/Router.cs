using Hazumu.Gateway.Instances;

namespace Hazumu.Gateway.Admission;

/// <summary>
/// Chooses the instance for a request: one that has the model in memory and a slot free, by affinity; else, where no instance has it in
/// memory, or waiting would take longer than loading, the one where loading costs least, evictions included; else none yet.
/// </summary>
/// <remarks>Reads the fleet under its lock and changes nothing. Costs are seconds.</remarks>
internal static class Router
{
    // Before anything was seen: what a disk of 1 GB/s and a runner's start take.
    private const double DefaultLoadSeconds = 10;
    private const double StartSeconds = 1;
    private const double BytesPerSecond = 1e9;

    // How far ahead an evicted model would be missed.
    private const double HorizonSeconds = 60;

    // Loading is certain to disturb others and waiting is not: it must be clearly cheaper.
    private const double Reluctance = 2;

    /// <summary>Chooses.</summary>
    /// <param name="fleet">The fleet; its lock is held.</param>
    /// <param name="ticket">The request.</param>
    /// <param name="slotsPerModel">Slots of an instance and model.</param>
    /// <param name="waiting">Requests for this model that wait before this one.</param>
    public static Choice Choose(Fleet fleet, Ticket ticket, int slotsPerModel, int waiting)
    {
        var now = fleet.Now;
        var model = ticket.Model;
        Instance? best = null;
        ulong bestScore = 0;
        var isKnown = false;
        var isLoading = false;
        var warmSlots = 0;
        var service = 0d;

        foreach (var instance in fleet.Instances)
        {
            if (instance.IsGone || instance.Has(model) == false)
            {
                continue;
            }

            // Known to one that is down, it is known: another would say that there is no such model.
            isKnown |= instance.Has(model) == true;
            if (instance.Circuit.State == CircuitState.Open || !instance.Slots.TryGetValue(model, out var slots))
            {
                continue;
            }

            isLoading |= slots.IsLoading;
            if (!slots.IsResident || slots.IsLoading || ticket.Avoids(instance, now))
            {
                continue;
            }

            warmSlots += slotsPerModel;
            service = Math.Max(service, slots.ServiceSeconds);
            if (slots.InUse < slotsPerModel && instance.Circuit.Admits)
            {
                var score = Score(ticket.Affinity, instance, slots.InUse);
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

        if (isLoading)
        {
            return default;
        }

        var (coldest, cost) = Cheapest(fleet, ticket, slotsPerModel, now, isKnown);
        if (coldest is null)
        {
            return default;
        }

        if (warmSlots > 0)
        {
            var wait = (waiting + 1) * service / warmSlots;
            return wait > cost * Reluctance ? new(coldest, IsCold: true) : default;
        }

        return new(coldest, IsCold: isKnown);
    }

    // Rendezvous hashing: a conversation stays where its prompt's beginning is in the cache, and moves only when that instance is full or gone.
    private static ulong Score(ulong affinity, Instance instance, int inUse)
    {
        if (affinity == 0)
        {
            return (ulong)(int.MaxValue - inUse);
        }

        var hash = affinity ^ (uint)string.GetHashCode(instance.Name, StringComparison.Ordinal);
        hash = (hash ^ (hash >> 30)) * 0xBF58476D1CE4E5B9;
        hash = (hash ^ (hash >> 27)) * 0x94D049BB133111EB;
        return (hash ^ (hash >> 31)) | 1;
    }

    private static (Instance? Instance, double Cost) Cheapest(Fleet fleet, Ticket ticket, int slotsPerModel, long now, bool isKnown)
    {
        Instance? best = null;
        var bestCost = double.MaxValue;
        foreach (var instance in fleet.Instances)
        {
            if (!instance.IsUsable || ticket.Avoids(instance, now) || (isKnown && instance.Has(ticket.Model) == false))
            {
                continue;
            }

            instance.Slots.TryGetValue(ticket.Model, out var slots);
            if (slots is { IsResident: true } || slots?.InUse >= slotsPerModel)
            {
                continue;
            }

            var cost = LoadSeconds(fleet, instance, ticket.Model)
                + EvictionSeconds(fleet, instance, ticket.Model, now)
                + LoadingSeconds(fleet, instance, now)
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

    // The load that is missed: of the model that was used least lately, weighed by how soon it is likely to be asked for and whether
    // another instance has it. Where one more model may fit, nothing.
    private static double EvictionSeconds(Fleet fleet, Instance instance, string model, long now)
    {
        ModelSlots? victim = null;
        var resident = 0;
        foreach (var slots in instance.Slots.Values)
        {
            if ((slots.IsResident || slots.IsLoading) && slots.Model != model)
            {
                resident++;
                if (victim is null || (slots.InUse > 0, slots.LastUsed).CompareTo((victim.InUse > 0, victim.LastUsed)) < 0)
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

        var missed = Math.Min(1, fleet.Rates.PerSecond(victim.Model, now) * HorizonSeconds) / Math.Max(1, copies * copies);

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
                seconds += Math.Max(StartSeconds, LoadSeconds(fleet, instance, slots.Model) - ((now - slots.LoadingSince) / 1_000d));
            }
        }

        return seconds;
    }
}

/// <summary>Where a request goes.</summary>
/// <param name="Instance">The instance; <see langword="null"/> where the request waits.</param>
/// <param name="IsCold">Whether the instance will have to load the model.</param>
internal readonly record struct Choice(Instance? Instance, bool IsCold);
