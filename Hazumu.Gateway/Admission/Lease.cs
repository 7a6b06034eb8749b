using Hazumu.Gateway.Upstreams;

namespace Hazumu.Gateway.Admission;

/// <summary>The result of an attempt for its instance.</summary>
internal enum LeaseEnd
{
    /// <summary>It answered.</summary>
    Answered,

    /// <summary>It failed: no connection, a reset, or silence.</summary>
    Failed,

    /// <summary>Nothing of the instance: the client went away first, or what went wrong is this request's or this model's.</summary>
    Undecided,

    /// <summary>It has no room for the model now: 503.</summary>
    Busy,
}

/// <summary>A held slot of one model at one instance.</summary>
internal sealed class Lease(Scheduler scheduler, Instance instance, ModelSlots slots, bool isCold, bool isStreamed, int trial, long taken)
{
    private int _isReleased;

    /// <summary>The instance.</summary>
    public Instance Instance { get; } = instance;

    /// <summary>The model's slots there.</summary>
    public ModelSlots Slots { get; } = slots;

    /// <summary>Whether the instance has to load the model for this request.</summary>
    public bool IsCold { get; } = isCold;

    /// <summary>Whether the client is sent pieces of the answer as they come.</summary>
    public bool IsStreamed { get; } = isStreamed;

    /// <summary>Whether its stream was counted among those that run at once.</summary>
    public bool IsSeenStreaming { get; private set; }

    /// <summary>The trial of the instance's circuit that it is; zero where it is none.</summary>
    public int Trial { get; } = trial;

    /// <summary>When the slot was taken; milliseconds.</summary>
    public long Taken { get; } = taken;

    /// <summary>Whether the model has answered.</summary>
    public bool HasAnswered { get; private set; }

    /// <summary>Seconds that the instance took to load the model, if the instance or the stream's first byte reported it.</summary>
    public double? LoadSeconds { get; set; }

    /// <summary>Whether the request has the instance drop the model when it is answered.</summary>
    public bool Unloads { get; set; }

    /// <summary>Is notified of what happens to the slot; <see langword="null"/> at a single gateway.</summary>
    public ILeaseObserver? Observer { get; set; }

    /// <summary>The model has answered, so it is in memory: requests that waited for that may run.</summary>
    public void OnFirstByte()
    {
        if (!HasAnswered)
        {
            HasAnswered = true;
            Observer?.OnFirstByte();

            // Others of the same model have shown already whether they run at once, as a rule: the lock is not for every stream.
            IsSeenStreaming = IsStreamed && Slots.Concurrency == Concurrency.Unknown;
            if (IsCold || Slots.IsLoading || Trial != 0 || IsSeenStreaming)
            {
                scheduler.OnFirstByte(this);
            }
        }
    }

    /// <summary>Gives the slot back. Only the first call counts.</summary>
    public void Release(LeaseEnd end)
    {
        if (Interlocked.Exchange(ref _isReleased, 1) == 0)
        {
            Observer?.OnReleased(this, end);
            scheduler.Release(this, end);
        }
    }
}
