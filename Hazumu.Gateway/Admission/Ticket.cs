using Hazumu.Gateway.Configuration;
using Hazumu.Gateway.Upstreams;

namespace Hazumu.Gateway.Admission;

/// <summary>A request for a slot, and its place in the queue while it waits.</summary>
/// <param name="model">The model's normalised name.</param>
/// <param name="affinity">The hash that identifies a conversation; zero for none.</param>
/// <param name="key">The party that takes turns: the name of a key, with that of its end user if it names one.</param>
internal sealed class Ticket(string model, ulong affinity, string key)
{
    // After a failed attempt another instance is preferred; where there is none, the same may be tried again after this.
    private const long AvoidMilliseconds = 1_000;

    private List<(string Instance, long Until)>? _avoided;
    private FallbackReason _before;
    private int _next;
    private double? _draw;

    /// <summary>The model; of a chain, the one that was chosen last.</summary>
    public string Model { get; private set; } = model;

    /// <summary>
    /// Full names of the models that may serve it, the first choice first; <see langword="null"/> where only <see
    /// cref="Model"/> may.
    /// </summary>
    public IReadOnlyList<string>? Chain { get; init; }

    /// <summary>
    /// Requests of its priority and higher ones that may wait for a model of the chain before the next one is taken;
    /// <see langword="null"/> for any number.
    /// </summary>
    public int? QueueLongerThan { get; init; }

    /// <summary>Why the model before <see cref="Model"/> in the chain does not serve it.</summary>
    public FallbackReason Fallback { get; private set; }

    /// <summary>The rest of the chain: the models that may still serve the request.</summary>
    public IReadOnlyList<string>? Rest => Chain is null ? null : [.. Chain.Skip(_next)];

    public ulong Affinity { get; } = affinity;

    /// <summary>A number from 0 to 1, by which requests are divided that belong to no conversation.</summary>
    public double Draw => _draw ??= Admission.Draw.Next();

    public string Key { get; } = key;

    /// <summary>Its priority among those that wait for the model.</summary>
    public Priority Priority { get; init; } = Priority.Normal;

    /// <summary>Whether it is one of many that are short: an embedding. Clients send one for each piece of a file, all at once.</summary>
    public bool IsShort { get; init; }

    /// <summary>Whether the client is sent pieces of the answer as they come.</summary>
    public bool IsStreamed { get; init; }

    /// <summary>How much it counts in a queue whose limit is <see cref="Scheduler.Weight"/> times that of the settings.</summary>
    public int Weight => IsShort ? 1 : Scheduler.Weight;

    /// <summary>Since when it waits, time in attempts that failed not counted: a retry keeps its place and what is left of its time.</summary>
    public long QueuedAt { get; set; } = -1;

    /// <summary>When it got its last slot.</summary>
    public long Placed { get; set; }

    /// <summary>
    /// Whether it has had a place in a queue or a slot, or has requested one from a leader: the queue's limit does not
    /// apply again.
    /// </summary>
    public bool WasAdmitted { get; set; }

    /// <summary>Whether it was admitted before it joined the queue.</summary>
    public bool IsAgain { get; set; }

    /// <summary>Its place when it joined the queue, from 1; zero where it did not wait.</summary>
    public int Position { get; set; }

    /// <summary>Whether it had to wait for its last slot.</summary>
    public bool HasWaited { get; set; }

    /// <summary>Its node in the queue of its key; <see langword="null"/> where it does not wait.</summary>
    public LinkedListNode<Ticket>? Node { get; set; }

    /// <summary>Completed when it need not wait longer.</summary>
    public TaskCompletionSource<SlotDecision>? Waiter { get; set; }

    /// <summary>Whether any attempt has failed.</summary>
    public bool HasAvoided => _avoided is not null;

    /// <summary>
    /// Chooses the first model of the chain that nothing speaks against; else the one with the smallest reason.
    /// </summary>
    public void Choose(Func<string, FallbackReason> reasonAgainst)
    {
        var (least, before) = (FallbackReason.Failed, _before);
        foreach (var model in Chain!.Skip(_next))
        {
            var reason = reasonAgainst(model);
            if (reason < least)
            {
                (Model, Fallback, least) = (model, before, reason);
            }

            if (reason == FallbackReason.None)
            {
                return;
            }

            before = reason;
        }
    }

    /// <summary>Another gateway has chosen the model.</summary>
    public void Take(string model, FallbackReason fallback) =>
        (Model, Fallback) = (model, fallback == FallbackReason.None ? _before : fallback);

    /// <summary>Gives up on the model, and leaves the choice to those behind it in the chain.</summary>
    /// <param name="reason">Why.</param>
    /// <param name="canServe">Whether a model can be served now.</param>
    /// <returns>Whether there is another that can be served.</returns>
    public bool TryFallBack(FallbackReason reason, Func<string, bool> canServe)
    {
        var isBehind = false;
        for (var at = _next; at < Chain?.Count; at++)
        {
            if (isBehind && canServe(Chain[at]))
            {
                (_next, _before) = (at, reason);
                return true;
            }

            isBehind |= Chain[at] == Model;
        }

        return false;
    }

    /// <summary>Whether an attempt there has just failed.</summary>
    public bool Avoids(Instance instance, long now)
    {
        if (_avoided is null)
        {
            return false;
        }

        foreach (var (avoided, until) in _avoided)
        {
            if (now < until && avoided == instance.Name)
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>Names of instances where an attempt has just failed; <see langword="null"/> where there are none.</summary>
    public List<string>? Avoided(long now) => _avoided is null ? null : [.. _avoided.Where(avoided => now < avoided.Until).Select(avoided => avoided.Instance)];

    /// <summary>An attempt there has failed.</summary>
    public void Avoid(string instance, long now) => (_avoided ??= []).Add((instance, now + AvoidMilliseconds));
}
