using Hazumu.Gateway.Keys;
using Hazumu.Gateway.Usage;

namespace Hazumu.Gateway.Admission;

/// <summary>
/// Admits requests: gives them slots, and counts them against the limits of their keys. A single gateway admits by itself
/// (<see cref="LocalAdmission"/>); several share one that admits for all.
/// </summary>
internal interface IAdmission
{
    /// <summary>Whether this gateway admits for all; always true for a single one. Only then do its gauges show the fleet.</summary>
    bool IsAdmitting { get; }

    /// <summary>Other gateways that are connected.</summary>
    int Peers { get; }

    /// <summary>Acquires a slot, waiting in the queue if none is free.</summary>
    /// <param name="ticket">The request; after a failed attempt, the same again. Its position and whether it waited are set.</param>
    /// <param name="cancellationToken">Leaves the queue immediately.</param>
    /// <returns>
    /// A slot, to be given back with <see cref="Lease.Release"/>, or why there is none. A cancelled wait returns
    /// <see cref="AdmissionStatus.Cancelled"/> instead of throwing: ten thousand clients may leave at the same time.
    /// </returns>
    ValueTask<SlotDecision> AcquireSlotAsync(Ticket ticket, CancellationToken cancellationToken);

    /// <summary>Returns the refusal of a request that a full queue would reject, before its body is read.</summary>
    /// <param name="model">The model's normalised name.</param>
    /// <param name="key">What takes turns: <see cref="Ticket.Key"/>.</param>
    /// <returns><see langword="null"/> if the request may find a slot or a place in the queue.</returns>
    SlotDecision? FindRefusal(string model, string key);

    /// <summary>Counts a request against the limits of its key, and against those of its end user.</summary>
    /// <param name="caller">The caller.</param>
    /// <param name="endUser">The end user; <see langword="null"/> where nobody is named.</param>
    /// <param name="budgets">What it wants of its budgets; <see langword="null"/> where it has none.</param>
    /// <param name="cancellationToken">The client has disconnected.</param>
    /// <returns>The limit that is reached, or a count that must be completed when the request has ended.</returns>
    /// <exception cref="OperationCanceledException">The client has disconnected.</exception>
    ValueTask<LimitDecision> CountRequestAsync(Caller caller, string? endUser, BudgetClaim? budgets, CancellationToken cancellationToken);

    /// <summary>Rejects all queued requests and every later one: the gateway stops. Running requests keep their slots until they end.</summary>
    void Stop();
}

/// <summary>Whether a key's limits allow a request.</summary>
/// <param name="Reached">The limit that is reached.</param>
/// <param name="RetryAfter">When to try again.</param>
/// <param name="Count">The count of an allowed request; <see langword="null"/> if its key has no limits.</param>
/// <param name="IsOfEndUser">Whether the limit is that of the end user, and not of the key.</param>
/// <param name="Budget">The budget that is reached, if it is one.</param>
internal readonly record struct LimitDecision(
    ReachedLimit Reached, TimeSpan RetryAfter = default, IRequestCount? Count = null, bool IsOfEndUser = false, BudgetState? Budget = null)
{
    /// <summary>A budget that is reached.</summary>
    public static LimitDecision Of(BudgetState budget) => new(ReachedLimit.Budget, budget.RetryAfter, Budget: budget);
}

/// <summary>A running request that is counted against the limits of its key.</summary>
internal interface IRequestCount
{
    /// <summary>Ends the count, and debits the tokens that the request has used.</summary>
    void Complete(long tokens);
}

/// <summary>Is notified of what happens to a slot: several gateways keep each other informed of the slots that they hold.</summary>
internal interface ILeaseObserver
{
    /// <summary>The model has answered.</summary>
    void OnFirstByte();

    /// <summary>The slot is given back.</summary>
    void OnReleased(Lease lease, LeaseEnd end);
}
