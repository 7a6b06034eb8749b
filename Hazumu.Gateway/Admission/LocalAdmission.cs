using Hazumu.Gateway.Keys;

namespace Hazumu.Gateway.Admission;

/// <summary>Admission of a single gateway.</summary>
internal sealed class LocalAdmission(Scheduler scheduler, KeyLimits limits) : IAdmission
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
    public ValueTask<LimitDecision> CountRequestAsync(Caller caller, string? endUser, CancellationToken cancellationToken)
    {
        if (!KeyLimits.HasAny(caller, endUser))
        {
            return default;
        }

        var lease = limits.TryAcquire(caller, out var retryAfter, endUser);
        return new(new LimitDecision(lease.Reached, retryAfter, lease.IsAcquired ? new RequestCount(limits, caller, endUser, lease) : null, lease.IsOfEndUser));
    }

    /// <inheritdoc/>
    public void Stop() => scheduler.Close();
}

/// <summary>A request that this gateway counts.</summary>
internal sealed class RequestCount(KeyLimits limits, Caller caller, string? endUser, LimitLease lease) : IRequestCount
{
    /// <inheritdoc/>
    public void Complete(long tokens)
    {
        limits.Debit(caller, tokens, endUser);
        lease.Dispose();
    }
}
