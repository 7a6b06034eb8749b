namespace Hazumu.Gateway.Keys;

/// <summary>When a key was last used, to the minute: written by a request only when a minute has begun.</summary>
internal sealed class LastUse
{
    private long _minute;

    /// <summary>The time; <see langword="null"/> where it was not used in the life of this process.</summary>
    public DateTimeOffset? Time => Volatile.Read(ref _minute) is > 0 and var minute ? new DateTimeOffset(minute * TimeSpan.TicksPerMinute, TimeSpan.Zero) : null;

    /// <summary>Notes a use.</summary>
    public void Set(DateTimeOffset now)
    {
        var minute = now.UtcTicks / TimeSpan.TicksPerMinute;
        if (Volatile.Read(ref _minute) < minute)
        {
            Volatile.Write(ref _minute, minute);
        }
    }
}
