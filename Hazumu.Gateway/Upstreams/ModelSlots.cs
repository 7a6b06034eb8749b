namespace Hazumu.Gateway.Upstreams;

/// <summary>The number of slots of a model, learned from its answers.</summary>
internal enum Concurrency
{
    /// <summary>Nothing yet.</summary>
    Unknown,

    /// <summary>Two were streamed at once.</summary>
    Parallel,

    /// <summary>Each began when the one before had ended: the engine runs one at a time, and queues the others itself.</summary>
    Serial,
}

/// <summary>The slots of one model at one instance, and what is known of the model there. Guarded by <see cref="Fleet"/>.</summary>
internal sealed class ModelSlots(string model)
{
    private const double Smoothing = 0.3;

    // Streams that began right where another ended, having waited for as long as it lasted.
    private const int SerialStreams = 5;
    private const long LeastMilliseconds = 100;

    private int _streaming;
    private int _inTurn;
    private long _streamBegan;
    private long _streamEnded;
    private (long Taken, long Began) _latest;

    /// <summary>The model's normalised name.</summary>
    public string Model { get; } = model;

    /// <summary>Requests that run.</summary>
    public int InUse { get; set; }

    /// <summary>
    /// Whether a request has been sent that makes the instance load the model, and neither its answer nor <c>/api/ps</c> has shown the
    /// model in memory since.
    /// </summary>
    public bool IsLoading { get; private set; }

    /// <summary>Since when it loads; milliseconds of <see cref="Environment.TickCount64"/>'s clock.</summary>
    public long LoadingSince { get; private set; }

    /// <summary>When <c>/api/ps</c> has shown the end of the last load; milliseconds of the same clock.</summary>
    public long LoadedAt { get; private set; } = long.MinValue / 2;

    /// <summary>Whether the model is in memory: as <c>/api/ps</c> said, or as an answer has shown since.</summary>
    public bool IsResident { get; set; }

    /// <summary>When that was last seen.</summary>
    public long ResidentSeen { get; set; }

    /// <summary>Its last state in <c>/api/ps</c>.</summary>
    public ResidentModel? Resident { get; set; }

    /// <summary>Whether the model is kept in memory by <c>Gateway:PinnedModels</c>.</summary>
    public bool IsPinned { get; set; }

    /// <summary>When the model was last used here.</summary>
    public long LastUsed { get; set; }

    /// <summary>Until when other instances are preferred, since this one has answered 503 for the model.</summary>
    public long BusyUntil { get; set; }

    /// <summary>Seconds to load it here, smoothed; zero where that was never seen.</summary>
    public double LoadSeconds { get; private set; }

    /// <summary>Seconds that a request holds a slot, smoothed; zero where that was never seen.</summary>
    public double ServiceSeconds { get; private set; }

    /// <summary>Its slots, learned from its answers.</summary>
    public Concurrency Concurrency { get; private set; }

    /// <summary>A streamed answer has begun. <see cref="OnStreamEnded"/> must follow.</summary>
    /// <param name="taken">When its slot was taken.</param>
    /// <param name="now">Now.</param>
    /// <returns>Whether this shows that the engine runs one at a time.</returns>
    public bool OnStreamBegan(long taken, long now)
    {
        _latest = (taken, now);
        if (_streaming++ > 0)
        {
            return false;
        }

        var isShown = IsSerialAfter(taken, now - _streamEnded);
        _streamBegan = now;
        return isShown;
    }

    /// <summary>A streamed answer has ended.</summary>
    /// <returns>Whether this shows that the engine runs one at a time.</returns>
    public bool OnStreamEnded(long now)
    {
        _streamEnded = now;
        if (--_streaming == 0)
        {
            return false;
        }

        if (now - _latest.Began >= LeastMilliseconds)
        {
            Concurrency = Concurrency.Parallel;
            return false;
        }

        // The next one's first byte can arrive before the end of the one that it waited for.
        var isShown = _streaming == 1 && IsSerialAfter(_latest.Taken, now - _latest.Began);
        _streamBegan = _latest.Began;
        return isShown;
    }

    // A prompt that takes long to read would not end just where another stream does, again and again.
    private bool IsSerialAfter(long taken, long gap)
    {
        var waited = _streamEnded - Math.Max(Math.Max(taken, LoadedAt), _streamBegan);
        if (Concurrency != Concurrency.Unknown || waited < LeastMilliseconds || waited <= 4 * gap || ++_inTurn < SerialStreams)
        {
            return false;
        }

        Concurrency = Concurrency.Serial;
        return true;
    }

    /// <summary>The engine is another process now, and may be another version.</summary>
    public void ForgetConcurrency() => (Concurrency, _inTurn) = (Concurrency.Unknown, 0);

    /// <summary>A request has been sent that makes the instance load the model.</summary>
    public void BeginLoad(long now) => (IsLoading, LoadingSince) = (true, now);

    /// <summary>The load has ended, or has come to nothing.</summary>
    public void EndLoad() => IsLoading = false;

    /// <summary>Takes in that the model is in memory.</summary>
    /// <param name="requestedAt">When the list was requested.</param>
    /// <param name="now">When it has answered.</param>
    /// <returns>Whether a load has ended with that.</returns>
    public bool SawResident(long requestedAt, long now)
    {
        IsResident = true;
        ResidentSeen = Math.Max(ResidentSeen, requestedAt);
        if (!IsLoading || requestedAt < LoadingSince)
        {
            return false;
        }

        IsLoading = false;
        LoadedAt = now;
        return true;
    }

    /// <summary>Takes in a load's duration.</summary>
    public void SawLoad(double seconds) => LoadSeconds = Smooth(LoadSeconds, seconds);

    /// <summary>Takes in how long a request held its slot.</summary>
    public void SawService(double seconds) => ServiceSeconds = Smooth(ServiceSeconds, seconds);

    private static double Smooth(double old, double value) => old == 0 ? value : old + (Smoothing * (value - old));
}
