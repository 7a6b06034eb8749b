namespace Hazumu.Gateway.Keys;

/// <summary>
/// Enforces the limits of keys and of each of their end users. The use of a key is stored under its id, so that it
/// survives a reload of the keys, whose limits apply from the next request on.
/// </summary>
internal sealed class KeyLimits(TimeProvider time)
{
    private const int FewUsages = 1024;

    /// <summary>The Retry-After for concurrent requests, because the end of a running request is unknown.</summary>
    private static readonly TimeSpan s_unknownWait = TimeSpan.FromSeconds(1);

    // Guards what follows: a request counts against its key and its end user, or against neither.
    private readonly Lock _gate = new();
    private readonly Dictionary<string, Usage> _usages = new(StringComparer.Ordinal);
    private readonly long _minute = 60 * time.TimestampFrequency;
    private int _sweepAt = FewUsages;

    /// <summary>Whether a caller has any limit.</summary>
    public static bool HasAny(Caller caller, string? endUser = null) =>
        caller.Key is { } key && (key.Limits.HasAny || (endUser is not null && key.EndUserLimits.HasAny));

    /// <summary>Counts a request, unless a limit is reached.</summary>
    /// <param name="caller">The caller.</param>
    /// <param name="retryAfter">The estimated time until it is allowed; zero if it is allowed now.</param>
    /// <param name="endUser">The end user; <see langword="null"/> if none is named.</param>
    /// <returns>To be disposed when the request has ended.</returns>
    public LimitLease TryAcquire(Caller caller, out TimeSpan retryAfter, string? endUser = null)
    {
        retryAfter = TimeSpan.Zero;
        if (!HasAny(caller, endUser))
        {
            return default;
        }

        lock (_gate)
        {
            var key = caller.Key!;
            var now = time.GetTimestamp();
            var (own, user) = UsagesOf(key, endUser);
            var ownWait = own?.Wait(now, _minute, ToTicks(s_unknownWait)) ?? default;
            var userWait = user?.Wait(now, _minute, ToTicks(s_unknownWait)) ?? default;

            // Report the limit that delays the request longest.
            var (ticks, reached) = ownWait.Ticks >= userWait.Ticks ? ownWait : userWait;
            retryAfter = ToTimeSpan(ticks);
            if (reached != ReachedLimit.None)
            {
                return new LimitLease(reached, isOfEndUser: userWait.Ticks > ownWait.Ticks);
            }

            own?.TakeRequest(now, _minute);
            user?.TakeRequest(now, _minute);
            return TakePlace(own, user);
        }
    }

    /// <summary>
    /// Counts the tokens of an answer. They may exceed the rest of the limit, since they are unknown before the end;
    /// the next request then waits until the excess has drained.
    /// </summary>
    /// <param name="caller">The caller of the request.</param>
    /// <param name="tokens">Tokens of the prompt and of the answer.</param>
    /// <param name="endUser">The end user; <see langword="null"/> where nobody is named.</param>
    public void Debit(Caller caller, long tokens, string? endUser = null)
    {
        if (tokens <= 0 || caller.Key is not { } key)
        {
            return;
        }

        lock (_gate)
        {
            var now = time.GetTimestamp();
            var (own, user) = UsagesOf(key, endUser);
            own?.TakeTokens(tokens, now, _minute);
            user?.TakeTokens(tokens, now, _minute);
        }
    }

    /// <summary>
    /// Counts a request that another gateway has allowed, for as long as it runs; the use of the minute is learned
    /// separately.
    /// </summary>
    /// <returns>To be disposed when the request has ended.</returns>
    public LimitLease Adopt(ApiKey key, string? endUser = null)
    {
        lock (_gate)
        {
            var (own, user) = UsagesOf(key, endUser);
            return TakePlace(own, user);
        }
    }

    /// <summary>The use of the minute of a key, or of an end user of it.</summary>
    public KeyUse UseOf(ApiKey key, string? endUser = null)
    {
        lock (_gate)
        {
            return _usages.TryGetValue(EndUsers.IdOf(key.Id, endUser), out var usage) ? usage.Use(time.GetTimestamp(), _minute) : default;
        }
    }

    /// <summary>The use of the minutes of all keys and end users, if it is not zero.</summary>
    public IReadOnlyList<(ApiKey Key, string? EndUser, KeyUse Use)> Used()
    {
        lock (_gate)
        {
            var now = time.GetTimestamp();
            return [.. _usages.Values.Select(usage => (usage.Key, usage.EndUser, Use: usage.Use(now, _minute))).Where(used => used.Use != default)];
        }
    }

    /// <summary>Learns what another gateway knows of a key's use: each may have missed some, so the greater number is the truer one.</summary>
    public void Learn(ApiKey key, KeyUse use, string? endUser = null)
    {
        lock (_gate)
        {
            var (own, user) = UsagesOf(key, endUser);
            (endUser is null ? own : user)?.Learn(use, time.GetTimestamp(), _minute);
        }
    }

    // Of a key without limits none is kept, nor of its end users.
    private (Usage? Own, Usage? EndUser) UsagesOf(ApiKey key, string? endUser) => (
        key.Limits.HasAny ? UsageOf(key, endUser: null) : null,
        endUser is not null && key.EndUserLimits.HasAny ? UsageOf(key, endUser) : null);

    private Usage UsageOf(ApiKey key, string? endUser)
    {
        var id = EndUsers.IdOf(key.Id, endUser);
        if (!_usages.TryGetValue(id, out var usage))
        {
            Sweep();
            _usages[id] = usage = new Usage(endUser);
        }

        usage.Key = key;
        return usage;
    }

    // There may be any number of end users in the life of a process: what is idle is forgotten.
    private void Sweep()
    {
        if (_usages.Count < _sweepAt)
        {
            return;
        }

        var now = time.GetTimestamp();
        foreach (var (id, usage) in _usages)
        {
            if (usage.IsIdle(now, _minute))
            {
                _usages.Remove(id);
            }
        }

        _sweepAt = Math.Max(FewUsages, _usages.Count * 2);
    }

    private LimitLease TakePlace(Usage? own, Usage? user)
    {
        own = own is { Limits.ConcurrentRequests: not null } ? own : null;
        user = user is { Limits.ConcurrentRequests: not null } ? user : null;
        if (own is null && user is null)
        {
            return default;
        }

        own?.Running += 1;
        user?.Running += 1;
        return new LimitLease(new Place(this, own, user));
    }

    private long ToTicks(TimeSpan span) => span.Ticks * time.TimestampFrequency / TimeSpan.TicksPerSecond;

    /// <summary>Rounded up, so that a client that repeats its request then is not too early.</summary>
    private TimeSpan ToTimeSpan(long ticks)
    {
        var rounded = (((Int128)ticks * TimeSpan.TicksPerSecond) + time.TimestampFrequency - 1) / time.TimestampFrequency;
        return new((long)Int128.Min(TimeSpan.MaxValue.Ticks, rounded));
    }

    /// <summary>The use of one key, or of one end user of a key.</summary>
    private sealed class Usage(string? endUser)
    {
        private MinuteBucket _requests;
        private MinuteBucket _tokens;

        public string? EndUser { get; } = endUser;

        /// <summary>The key with its limits of last time.</summary>
        public ApiKey Key { get; set; } = null!;

        /// <summary>Requests that run, if their number is limited.</summary>
        public int Running { get; set; }

        public Limits Limits => EndUser is null ? Key.Limits : Key.EndUserLimits;

        /// <summary>How long the limits hold up a request, and which of them does longest.</summary>
        public (long Ticks, ReachedLimit Reached) Wait(long now, long minute, long unknownWait)
        {
            var wait = (Ticks: 0L, Reached: ReachedLimit.None);
            if (Limits.RequestsPerMinute is { } requests)
            {
                _requests.SetLimit(requests, now);
                Consider(_requests.TicksUntilFree(minute), ReachedLimit.RequestsPerMinute);
            }

            if (Limits.TokensPerMinute is { } tokens)
            {
                _tokens.SetLimit(tokens, now);
                Consider(_tokens.TicksUntilFree(minute), ReachedLimit.TokensPerMinute);
            }

            if (Limits.ConcurrentRequests <= Running)
            {
                Consider(unknownWait, ReachedLimit.ConcurrentRequests);
            }

            return wait;

            void Consider(long ticks, ReachedLimit limit) => wait = ticks > wait.Ticks ? (ticks, limit) : wait;
        }

        public void TakeRequest(long now, long minute)
        {
            if (Limits.RequestsPerMinute is not null)
            {
                _requests.Take(1, now, minute);
            }
        }

        public void TakeTokens(long tokens, long now, long minute)
        {
            if (Limits.TokensPerMinute is not null)
            {
                _tokens.Take(tokens, now, minute);
            }
        }

        public KeyUse Use(long now, long minute) => new(_requests.Used(now, minute), _tokens.Used(now, minute));

        public bool IsIdle(long now, long minute) => Running == 0 && Use(now, minute) == default;

        public void Learn(KeyUse use, long now, long minute)
        {
            if (Limits.RequestsPerMinute is { } requests)
            {
                _requests.SetLimit(requests, now);
                _requests.Learn(use.Requests, minute);
            }

            if (Limits.TokensPerMinute is { } tokens)
            {
                _tokens.SetLimit(tokens, now);
                _tokens.Learn(use.Tokens, minute);
            }
        }
    }

    /// <summary>
    /// Places among the concurrent requests of a key and of an end user; released once, even if it is disposed several
    /// times.
    /// </summary>
    private sealed class Place(KeyLimits limits, Usage? own, Usage? user) : IDisposable
    {
        private bool _isLeft;

        public void Dispose()
        {
            lock (limits._gate)
            {
                if (!_isLeft)
                {
                    _isLeft = true;
                    own?.Running -= 1;
                    user?.Running -= 1;
                }
            }
        }
    }
}

/// <summary>The use of a key's minute that has not drained yet.</summary>
/// <param name="Requests">Requests.</param>
/// <param name="Tokens">Tokens.</param>
internal readonly record struct KeyUse(double Requests, double Tokens);

/// <summary>A request that its key's limits allow, or the limit that does not.</summary>
internal readonly struct LimitLease : IDisposable
{
    private readonly IDisposable? _place;

    /// <summary>A request that is not allowed.</summary>
    public LimitLease(ReachedLimit reached, bool isOfEndUser) => (Reached, IsOfEndUser) = (reached, isOfEndUser);

    /// <summary>A request that holds a place.</summary>
    public LimitLease(IDisposable place) => _place = place;

    /// <summary>Whether the request is allowed.</summary>
    public bool IsAcquired => Reached == ReachedLimit.None;

    /// <summary>The limit that is reached; of several, that which holds longest.</summary>
    public ReachedLimit Reached { get; }

    /// <summary>Whether the limit that is reached is the end user's, and not the key's.</summary>
    public bool IsOfEndUser { get; }

    /// <summary>The request has ended.</summary>
    public void Dispose() => _place?.Dispose();
}

/// <summary>A limit of a key's.</summary>
internal enum ReachedLimit
{
    /// <summary>None.</summary>
    None,

    /// <summary>Requests within a minute.</summary>
    RequestsPerMinute,

    /// <summary>Tokens within a minute.</summary>
    TokensPerMinute,

    /// <summary>Requests at the same time.</summary>
    ConcurrentRequests,

    /// <summary>A budget of a day or a month.</summary>
    Budget,
}
