namespace Hazumu.Gateway.Instances;

/// <summary>The slots of one model at one instance, and what is known of the model there. Guarded by <see cref="Fleet"/>.</summary>
internal sealed class ModelSlots(string model)
{
    private const double Smoothing = 0.3;

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

    /// <summary>What <c>/api/ps</c> said of it last.</summary>
    public ResidentModel? Resident { get; set; }

    /// <summary>When the model was last used here.</summary>
    public long LastUsed { get; set; }

    /// <summary>Until when other instances are preferred, since this one has answered 503 for the model.</summary>
    public long BusyUntil { get; set; }

    /// <summary>Seconds to load it here, smoothed; zero where that was never seen.</summary>
    public double LoadSeconds { get; private set; }

    /// <summary>Seconds that a request holds a slot, smoothed; zero where that was never seen.</summary>
    public double ServiceSeconds { get; private set; }

    /// <summary>A request has been sent that makes the instance load the model.</summary>
    public void BeginLoad(long now) => (IsLoading, LoadingSince) = (true, now);

    /// <summary>The load has ended, or has come to nothing.</summary>
    public void EndLoad() => IsLoading = false;

    /// <summary>Takes in that the model is in memory.</summary>
    /// <param name="asked">When the instance was asked.</param>
    /// <param name="now">When it has answered.</param>
    public void SawResident(long asked, long now)
    {
        IsResident = true;
        ResidentSeen = Math.Max(ResidentSeen, asked);
        if (IsLoading && asked >= LoadingSince)
        {
            IsLoading = false;
            LoadedAt = now;
        }
    }

    /// <summary>Takes in a load's duration.</summary>
    public void SawLoad(double seconds) => LoadSeconds = Smooth(LoadSeconds, seconds);

    /// <summary>Takes in how long a request held its slot.</summary>
    public void SawService(double seconds) => ServiceSeconds = Smooth(ServiceSeconds, seconds);

    private static double Smooth(double old, double value) => old == 0 ? value : old + (Smoothing * (value - old));
}
