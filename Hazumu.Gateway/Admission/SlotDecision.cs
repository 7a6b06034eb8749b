namespace Hazumu.Gateway.Admission;

/// <summary>Whether a request has a slot, and why not.</summary>
internal enum AdmissionStatus
{
    /// <summary>It has one.</summary>
    Admitted,

    /// <summary>The queue is full.</summary>
    QueueFull,

    /// <summary>It waited in the queue past its deadline.</summary>
    QueueTimeout,

    /// <summary>No instance has been reachable for longer than the outage timeout.</summary>
    EngineUnreachable,

    /// <summary>The gateway stops.</summary>
    ShuttingDown,

    /// <summary>The wait was cancelled.</summary>
    Cancelled,

    /// <summary>
    /// Another gateway admits now, and the slot must be requested there. Never returned by <see cref="IAdmission"/>.
    /// </summary>
    Moved,
}

/// <summary>The answer to a request for a slot.</summary>
/// <param name="Status">Whether there is a slot.</param>
/// <param name="Lease">The slot; not <see langword="null"/> exactly if admitted.</param>
/// <param name="RetryAfter">When to try again.</param>
internal readonly record struct SlotDecision(AdmissionStatus Status, Lease? Lease, TimeSpan RetryAfter)
{
    /// <summary>A slot was given.</summary>
    public SlotDecision(Lease lease)
        : this(AdmissionStatus.Admitted, lease, default)
    {
    }

    /// <summary>No slot was given.</summary>
    public SlotDecision(AdmissionStatus status, TimeSpan retryAfter = default)
        : this(status, null, retryAfter)
    {
    }
}
