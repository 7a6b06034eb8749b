using Hazumu.Gateway.Keys;
using Hazumu.Gateway.Usage;

namespace Hazumu.Gateway.Admission;

/// <summary>Admission of a single gateway.</summary>
internal sealed class LocalAdmission(Scheduler scheduler, KeyLimits limits, BudgetLedger ledger) : IAdmission
{
    /// <inheritdoc/>
    public bool IsAdmitting => true;

    /// <inheritdoc/>
    public int Peers => 0;

    /// <inheritdoc/>
    public ValueTask<SlotDecision> AcquireSlotAsync(Ticket ticket, CancellationToken cancellationToken) => scheduler.AcquireAsync(ticket, cancellationToken);

    /// <inheritdoc/>
    public SlotDecision? FindRefusal(string model, string key) => scheduler.RefusalOf(model, key);

    /// <inheritdoc/>
    public async ValueTask<LimitDecision> CountRequestAsync(Caller caller, string? endUser, BudgetClaim? budgets, CancellationToken cancellationToken)
    {
        if (!KeyLimits.HasAny(caller, endUser) && budgets is null)
        {
            return default;
        }

        if (budgets is not null && !ledger.Ready.IsCompleted)
        {
            await ledger.Ready.WaitAsync(cancellationToken);
        }

        var lease = limits.TryAcquire(caller, out var retryAfter, endUser);
        if (!lease.IsAcquired)
        {
            return new(lease.Reached, retryAfter, IsOfEndUser: lease.IsOfEndUser);
        }

        if (budgets is not null && ledger.TryTake(budgets) is { } reached)
        {
            lease.Dispose();
            return LimitDecision.Of(reached);
        }

        return new(ReachedLimit.None, Count: new RequestCount(limits, caller, endUser, lease, ledger, budgets));
    }

    /// <inheritdoc/>
    public void Stop() => scheduler.Close();
}

/// <summary>A request that this gateway counts.</summary>
internal sealed class RequestCount(KeyLimits limits, Caller caller, string? endUser, LimitLease lease, BudgetLedger ledger, BudgetClaim? budgets) : IRequestCount
{
    /// <inheritdoc/>
    public void Complete(long tokens)
    {
        limits.Debit(caller, tokens, endUser);
        lease.Dispose();
        if (budgets is not null)
        {
            ledger.Complete(budgets, tokens);
        }
    }
}
