using Hazumu.Gateway.Keys;
using Microsoft.Extensions.Time.Testing;

namespace Hazumu.Gateway.Tests.Keys;

public class KeyLimitsTests
{
    private readonly FakeTimeProvider _time = new(TestKeys.Now);
    private readonly KeyLimits _limits;
    private readonly ApiKey _key = TestKeys.Make().Key;

    public KeyLimitsTests() => _limits = new KeyLimits(_time);

    [Fact]
    public void A_key_without_limits_has_none()
    {
        for (var i = 0; i < 10_000; i++)
        {
            Assert.True(_limits.TryAcquire(Caller(), out var retryAfter).IsAcquired);
            Assert.True(_limits.TryAcquire(Gateway.Keys.Caller.Anonymous, out _).IsAcquired);
            Assert.Equal(TimeSpan.Zero, retryAfter);
            _limits.Debit(Caller(), 1_000_000);
        }
    }

    [Theory]
    [InlineData(1)]
    [InlineData(7)]
    [InlineData(60)]
    [InlineData(1000)]
    public void Requests_are_allowed_up_to_the_limit_and_again_after_Retry_After(int limit)
    {
        var caller = Caller(requests: limit);
        for (var i = 0; i < limit; i++)
        {
            AssertAllowed(caller);
        }

        // A third of a minute's requests, each at the earliest moment.
        for (var i = 0; i < limit; i += 3)
        {
            var lease = _limits.TryAcquire(caller, out var retryAfter);
            Assert.Equal(ReachedLimit.RequestsPerMinute, lease.Reached);
            Assert.InRange(retryAfter, TimeSpan.FromTicks(1), TimeSpan.FromTicks((TimeSpan.TicksPerMinute / limit) + 1));

            _time.Advance(retryAfter - TimeSpan.FromTicks(1));
            Assert.False(_limits.TryAcquire(caller, out var rest).IsAcquired);
            Assert.Equal(TimeSpan.FromTicks(1), rest);

            _time.Advance(rest);
            AssertAllowed(caller);
        }
    }

    [Fact]
    public void Over_an_hour_no_request_is_lost_to_rounding()
    {
        var caller = Caller(requests: 7);
        var allowed = 0;
        for (var second = 0; second < 3600; second++)
        {
            while (_limits.TryAcquire(caller, out _).IsAcquired)
            {
                allowed++;
            }

            _time.Advance(TimeSpan.FromSeconds(1));
        }

        // The first seven at once, then seven in each of 60 minutes, but for the one that the last second would have brought.
        Assert.Equal(7 + (7 * 60) - 1, allowed);
    }

    [Fact]
    public void A_long_rest_saves_up_no_more_than_a_minute()
    {
        var caller = Caller(requests: 5);
        AssertAllowed(caller);
        _time.Advance(TimeSpan.FromDays(1000));

        for (var i = 0; i < 5; i++)
        {
            AssertAllowed(caller);
        }

        Assert.False(_limits.TryAcquire(caller, out _).IsAcquired);
    }

    [Fact]
    public void A_big_answer_delays_the_next_request()
    {
        var caller = Caller(tokens: 600);
        AssertAllowed(caller);
        _limits.Debit(caller, 599);
        AssertAllowed(caller);

        // 599 + 1,801 used, of 600 a minute: 1,801 must run out for one to be free, at 10 a second.
        _limits.Debit(caller, 1_801);
        var lease = _limits.TryAcquire(caller, out var retryAfter);

        Assert.Equal(ReachedLimit.TokensPerMinute, lease.Reached);
        Assert.Equal(TimeSpan.FromSeconds(180.1), retryAfter);
        _time.Advance(retryAfter - TimeSpan.FromTicks(1));
        Assert.False(_limits.TryAcquire(caller, out _).IsAcquired);
        _time.Advance(TimeSpan.FromTicks(1));
        AssertAllowed(caller);
    }

    [Fact]
    public void Time_before_the_answer_pays_for_none_of_it()
    {
        var caller = Caller(tokens: 60);
        AssertAllowed(caller);
        _time.Advance(TimeSpan.FromHours(1));
        _limits.Debit(caller, 120);

        Assert.False(_limits.TryAcquire(caller, out var retryAfter).IsAcquired);
        Assert.Equal(TimeSpan.FromSeconds(61), retryAfter);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(-5)]
    [InlineData(long.MinValue)]
    public void No_tokens_are_given_back(long tokens)
    {
        var caller = Caller(tokens: 60);
        _limits.Debit(caller, 60);
        _limits.Debit(caller, tokens);

        Assert.False(_limits.TryAcquire(caller, out _).IsAcquired);
    }

    [Fact]
    public void An_absurd_number_of_tokens_overflows_nothing()
    {
        var caller = Caller(tokens: 1);
        for (var i = 0; i < 10; i++)
        {
            _limits.Debit(caller, long.MaxValue);
        }

        Assert.False(_limits.TryAcquire(caller, out var retryAfter).IsAcquired);
        Assert.True(retryAfter > TimeSpan.FromDays(365));
    }

    [Fact]
    public void A_place_is_free_again_once_however_often_it_is_left()
    {
        var caller = Caller(concurrent: 2);
        var first = _limits.TryAcquire(caller, out _);
        var second = _limits.TryAcquire(caller, out _);
        Assert.True(first.IsAcquired && second.IsAcquired);

        var lease = _limits.TryAcquire(caller, out var retryAfter);
        Assert.Equal(ReachedLimit.ConcurrentRequests, lease.Reached);
        Assert.Equal(TimeSpan.FromSeconds(1), retryAfter);
        lease.Dispose();
        Assert.False(_limits.TryAcquire(caller, out _).IsAcquired);

        first.Dispose();
        first.Dispose();
        var copy = first;
        copy.Dispose();
        AssertAllowed(caller);
        Assert.False(_limits.TryAcquire(caller, out _).IsAcquired);
    }

    [Fact]
    public void A_refused_request_counts_for_nothing()
    {
        var caller = Caller(requests: 2, concurrent: 1);
        var first = _limits.TryAcquire(caller, out _);
        for (var i = 0; i < 10; i++)
        {
            Assert.Equal(ReachedLimit.ConcurrentRequests, _limits.TryAcquire(caller, out _).Reached);
        }

        first.Dispose();
        AssertAllowed(caller);
    }

    [Fact]
    public void The_limit_that_holds_longest_is_reported()
    {
        var caller = Caller(requests: 1, tokens: 60, concurrent: 1);
        AssertAllowed(caller);
        Assert.Equal(ReachedLimit.RequestsPerMinute, _limits.TryAcquire(caller, out _).Reached);

        _limits.Debit(caller, 600);
        Assert.Equal(ReachedLimit.TokensPerMinute, _limits.TryAcquire(caller, out var retryAfter).Reached);
        Assert.Equal(TimeSpan.FromSeconds(541), retryAfter);
    }

    [Fact]
    public void Keys_do_not_share_their_limits()
    {
        AssertAllowed(Caller(requests: 1));
        Assert.False(_limits.TryAcquire(Caller(requests: 1), out _).IsAcquired);

        AssertAllowed(new Caller("bob", TestKeys.Make("bob").Key with { RequestsPerMinute = 1 }));
    }

    [Fact]
    public void Usage_outlasts_a_reload_and_changed_limits_apply_at_once()
    {
        for (var i = 0; i < 10; i++)
        {
            AssertAllowed(Caller(requests: 10));
        }

        Assert.False(_limits.TryAcquire(Caller(requests: 10), out _).IsAcquired);
        AssertAllowed(Caller(requests: 11));
        Assert.False(_limits.TryAcquire(Caller(requests: 11), out _).IsAcquired);

        // Eleven are used; of four a minute, eight must run out for one to be free.
        Assert.False(_limits.TryAcquire(Caller(requests: 4), out var retryAfter).IsAcquired);
        Assert.Equal(TimeSpan.FromMinutes(2), retryAfter);
        AssertAllowed(Caller());
    }

    [Fact]
    public void Many_at_once_get_no_more_requests_than_the_limit()
    {
        var caller = Caller(requests: 100);
        var allowed = 0;

        Parallel.For(0, 2000, new ParallelOptions { MaxDegreeOfParallelism = 16 }, _ =>
        {
            if (_limits.TryAcquire(caller, out var _).IsAcquired)
            {
                Interlocked.Increment(ref allowed);
            }
        });

        Assert.Equal(100, allowed);
    }

    [Fact]
    public void Many_at_once_get_no_more_places_than_the_limit_and_leave_none_taken()
    {
        var caller = Caller(concurrent: 5);
        var running = 0;
        var most = 0;
        var served = 0;

        Parallel.For(0, 20_000, new ParallelOptions { MaxDegreeOfParallelism = 16 }, _ =>
        {
            using var lease = _limits.TryAcquire(caller, out var _);
            if (lease.IsAcquired)
            {
                var now = Interlocked.Increment(ref running);
                Interlocked.Increment(ref served);
                for (var seen = most; now > seen; seen = most)
                {
                    Interlocked.CompareExchange(ref most, now, seen);
                }

                Thread.Yield();
                Interlocked.Decrement(ref running);
            }
        });

        Assert.InRange(most, 1, 5);
        Assert.True(served > 0);
        for (var i = 0; i < 5; i++)
        {
            AssertAllowed(caller);
        }

        Assert.False(_limits.TryAcquire(caller, out _).IsAcquired);
    }

    [Fact]
    public void Usage_that_another_gateway_reports_counts_if_it_is_more_and_expires()
    {
        var caller = Caller(requests: 4, tokens: 60);
        AssertAllowed(caller);
        Assert.Equal([(caller.Key!, null, new KeyUse(1, 0))], _limits.Used());

        var key = caller.Key!;
        _limits.Learn(key, new KeyUse(3, 30));
        _limits.Learn(key, new KeyUse(2, 10));
        Assert.Equal(new KeyUse(3, 30), _limits.UseOf(key));
        AssertAllowed(caller);
        Assert.Equal(ReachedLimit.RequestsPerMinute, _limits.TryAcquire(caller, out _).Reached);

        _time.Advance(TimeSpan.FromSeconds(15));
        Assert.Equal(new KeyUse(3, 15), _limits.UseOf(key));
        _time.Advance(TimeSpan.FromMinutes(1));
        Assert.Empty(_limits.Used());
    }

    [Fact]
    public void A_request_that_another_gateway_has_allowed_holds_a_place_even_beyond_the_limit()
    {
        var caller = Caller(requests: 5, concurrent: 1);
        AssertAllowed(caller);
        var adopted = _limits.Adopt(caller.Key!);
        Assert.Equal(new KeyUse(1, 0), _limits.UseOf(caller.Key!));
        Assert.False(_limits.TryAcquire(caller, out _).IsAcquired);
        adopted.Dispose();
        Assert.Equal(ReachedLimit.ConcurrentRequests, _limits.TryAcquire(caller, out _).Reached);
    }

    private void AssertAllowed(Caller caller)
    {
        Assert.True(_limits.TryAcquire(caller, out var retryAfter).IsAcquired);
        Assert.Equal(TimeSpan.Zero, retryAfter);
    }

    private Caller Caller(int? requests = null, int? tokens = null, int? concurrent = null) =>
        new("alice", _key with { Scopes = Scope.Infer, RequestsPerMinute = requests, TokensPerMinute = tokens, ConcurrentRequests = concurrent });
}
