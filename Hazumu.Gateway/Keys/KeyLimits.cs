using System.Collections.Concurrent;

namespace Hazumu.Gateway.Keys;

/// <summary>
/// Holds keys to their limits. What a key has used is kept under its id, so that it outlasts a reload of the keys, whose limits apply
/// from the next request on.
/// </summary>
internal sealed class KeyLimits(TimeProvider time)
{
    /// <summary>When a place among the concurrent requests comes free nobody knows; this is what a client is told.</summary>
    private static readonly TimeSpan s_unknownWait = TimeSpan.FromSeconds(1);

    private readonly ConcurrentDictionary<string, Usage> _usages = new(StringComparer.Ordinal);

    /// <summary>Whether a caller has any limit.</summary>
    public static bool HasAny(Caller caller) => caller.Key is { } key && (key.RequestsPerMinute ?? key.TokensPerMinute ?? key.ConcurrentRequests) is not null;

    /// <summary>Counts a request, unless a limit is reached.</summary>
    /// <param name="caller">Who makes it.</param>
    /// <param name="retryAfter">When it is allowed, as far as one can tell; zero where it is.</param>
    /// <returns>To be disposed when the request is over.</returns>
    public LimitLease TryAcquire(Caller caller, out TimeSpan retryAfter)
    {
        retryAfter = TimeSpan.Zero;
        return HasAny(caller) ? UsageOf(caller.Key!).TryAcquire(caller.Key!, out retryAfter) : default;
    }

    /// <summary>
    /// Counts the tokens of an answer. They may exceed what is left, since nobody knows them before; the next request then waits
    /// until that much has run out.
    /// </summary>
    /// <param name="caller">Who made the request.</param>
    /// <param name="tokens">Tokens of the prompt and of the answer.</param>
    public void Debit(Caller caller, long tokens)
    {
        if (tokens > 0 && caller.Key is { TokensPerMinute: not null } key)
        {
            UsageOf(key).Debit(tokens);
        }
    }

    /// <summary>Counts a request that another gateway has allowed, for as long as it runs; what is used of the minute must be learnt.</summary>
    /// <returns>To be disposed when the request is over.</returns>
    public LimitLease Adopt(ApiKey key) => UsageOf(key).Adopt(key);

    /// <summary>What a key has used of its minute.</summary>
    public KeyUse UseOf(ApiKey key) => UsageOf(key).Use();

    /// <summary>What all keys have used of their minutes, where that is anything.</summary>
    public IEnumerable<(ApiKey Key, KeyUse Use)> Used()
    {
        foreach (var usage in _usages.Values)
        {
            if (usage.Key is { } key && usage.Use() is var use && use != default)
            {
                yield return (key, use);
            }
        }
    }

    /// <summary>Learns what another gateway knows of a key's use: each may have missed some, so the greater number is the truer one.</summary>
    public void Learn(ApiKey key, KeyUse use) => UsageOf(key).Learn(key, use);

    private Usage UsageOf(ApiKey key) => _usages.GetOrAdd(key.Id, static (_, time) => new Usage(time), time);

    /// <summary>What one key has used.</summary>
    internal sealed class Usage(TimeProvider time)
    {
        private readonly Lock _gate = new();
        private readonly long _minute = 60 * time.TimestampFrequency;
        private MinuteBucket _requests;
        private MinuteBucket _tokens;
        private int _running;

        /// <summary>The key with its limits of last time.</summary>
        public ApiKey? Key { get; private set; }

        public LimitLease TryAcquire(ApiKey key, out TimeSpan retryAfter)
        {
            lock (_gate)
            {
                Key = key;
                var now = time.GetTimestamp();
                var wait = 0L;
                var reached = ReachedLimit.None;
                if (key.RequestsPerMinute is { } requests)
                {
                    _requests.SetLimit(requests, now);
                    Consider(_requests.TicksUntilFree(_minute), ReachedLimit.RequestsPerMinute);
                }

                if (key.TokensPerMinute is { } tokens)
                {
                    _tokens.SetLimit(tokens, now);
                    Consider(_tokens.TicksUntilFree(_minute), ReachedLimit.TokensPerMinute);
                }

                if (key.ConcurrentRequests <= _running)
                {
                    Consider(ToTicks(s_unknownWait), ReachedLimit.ConcurrentRequests);
                }

                retryAfter = ToTimeSpan(wait);
                if (reached != ReachedLimit.None)
                {
                    return new LimitLease(reached);
                }

                if (key.RequestsPerMinute is not null)
                {
                    _requests.Take(1, now, _minute);
                }

                return TakePlace(key);

                // The limit that holds the request up longest is the one to tell.
                void Consider(long ticks, ReachedLimit limit)
                {
                    if (ticks > wait)
                    {
                        (wait, reached) = (ticks, limit);
                    }
                }
            }
        }

        public void Debit(long tokens)
        {
            lock (_gate)
            {
                _tokens.Take(tokens, time.GetTimestamp(), _minute);
            }
        }

        public LimitLease Adopt(ApiKey key)
        {
            lock (_gate)
            {
                return TakePlace(key);
            }
        }

        public KeyUse Use()
        {
            lock (_gate)
            {
                var now = time.GetTimestamp();
                return new KeyUse(_requests.Used(now, _minute), _tokens.Used(now, _minute));
            }
        }

        public void Learn(ApiKey key, KeyUse use)
        {
            lock (_gate)
            {
                Key = key;
                var now = time.GetTimestamp();
                if (key.RequestsPerMinute is { } requests)
                {
                    _requests.SetLimit(requests, now);
                    _requests.Learn(use.Requests, _minute);
                }

                if (key.TokensPerMinute is { } tokens)
                {
                    _tokens.SetLimit(tokens, now);
                    _tokens.Learn(use.Tokens, _minute);
                }
            }
        }

        private LimitLease TakePlace(ApiKey key)
        {
            if (key.ConcurrentRequests is null)
            {
                return default;
            }

            _running++;
            return new LimitLease(new Place(this));
        }

        private void Leave()
        {
            lock (_gate)
            {
                _running--;
            }
        }

        private long ToTicks(TimeSpan span) => span.Ticks * time.TimestampFrequency / TimeSpan.TicksPerSecond;

        /// <summary>Rounded up: whoever comes back then is not too early.</summary>
        private TimeSpan ToTimeSpan(long ticks)
        {
            var rounded = (((Int128)ticks * TimeSpan.TicksPerSecond) + time.TimestampFrequency - 1) / time.TimestampFrequency;
            return new((long)Int128.Min(TimeSpan.MaxValue.Ticks, rounded));
        }

        /// <summary>A place among the concurrent requests; left once, however often it is told to.</summary>
        internal sealed class Place(Usage usage)
        {
            private Usage? _usage = usage;

            public void Leave() => Interlocked.Exchange(ref _usage, null)?.Leave();
        }
    }
}

/// <summary>What a key has used of its minute, as far as it has not run out yet.</summary>
/// <param name="Requests">Requests.</param>
/// <param name="Tokens">Tokens.</param>
internal readonly record struct KeyUse(double Requests, double Tokens);

/// <summary>A request that its key's limits allow, or the limit that does not.</summary>
internal readonly struct LimitLease : IDisposable
{
    private readonly KeyLimits.Usage.Place? _place;

    /// <summary>A request that is not allowed.</summary>
    public LimitLease(ReachedLimit reached) => Reached = reached;

    /// <summary>A request that holds a place.</summary>
    public LimitLease(KeyLimits.Usage.Place place) => _place = place;

    /// <summary>Whether the request is allowed.</summary>
    public bool IsAcquired => Reached == ReachedLimit.None;

    /// <summary>The limit that is reached; of several, that which holds longest.</summary>
    public ReachedLimit Reached { get; }

    /// <summary>The request is over.</summary>
    public void Dispose() => _place?.Leave();
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
}
