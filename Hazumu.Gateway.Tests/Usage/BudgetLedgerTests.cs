using Hazumu.Gateway.Usage;
using Microsoft.Extensions.Time.Testing;

namespace Hazumu.Gateway.Tests.Usage;

public sealed class BudgetLedgerTests
{
    private readonly FakeTimeProvider _time = new(new DateTimeOffset(2026, 11, 30, 12, 0, 0, TimeSpan.Zero));
    private readonly UsageCalendar _calendar = new("Asia/Tokyo");
    private readonly BudgetLedger _ledger;

    public BudgetLedgerTests() => _ledger = new(_calendar, _time);

    [Fact]
    public void Requests_are_exact()
    {
        var claim = Claim(requestsPerDay: 2);

        Assert.Null(_ledger.TryTake(claim));
        Assert.Null(_ledger.TryTake(claim));
        var reached = _ledger.TryTake(claim);

        Assert.Equal(("key-requests-day", 0), (reached?.Name, reached?.Left));
        Assert.Equal(TimeSpan.FromHours(3), reached?.RetryAfter);
    }

    [Fact]
    public void Tokens_of_running_requests_are_reserved()
    {
        var claim = Claim(tokensPerMonth: 100, estimate: 60);

        Assert.Null(_ledger.TryTake(claim));
        Assert.Null(_ledger.TryTake(claim));
        var busy = _ledger.TryTake(claim);
        _ledger.Complete(claim, 10);
        _ledger.Complete(claim, 10);

        Assert.Equal((100, TimeSpan.FromSeconds(5)), (busy?.Left, busy?.RetryAfter));
        Assert.Null(_ledger.TryTake(claim));
        Assert.Equal(80, _ledger.StatesOf(claim)[0].Left);
    }

    [Fact]
    public void A_day_and_a_month_begin_anew_in_the_time_zone()
    {
        var claim = Claim(requestsPerDay: 1, requestsPerMonth: 2);
        Assert.Null(_ledger.TryTake(claim));
        Assert.NotNull(_ledger.TryTake(claim));

        // 15:00 UTC is midnight in Tokyo, and the first of December.
        _time.Advance(TimeSpan.FromHours(3));

        Assert.Equal([1, 2], _ledger.StatesOf(claim).Select(state => state.Left));
        Assert.Null(_ledger.TryTake(Claim(requestsPerDay: 1, requestsPerMonth: 2)));
    }

    [Fact]
    public void Tokens_after_midnight_count_for_the_day_of_the_request()
    {
        var claim = Claim(tokensPerDay: 100);
        Assert.Null(_ledger.TryTake(claim));
        _time.Advance(TimeSpan.FromHours(4));
        Assert.Null(_ledger.TryTake(Claim(tokensPerDay: 100)));

        _ledger.Complete(claim, 70);

        Assert.Equal(100, Assert.Single(_ledger.StatesOf(claim)).Left);
    }

    [Fact]
    public void A_request_counts_against_all_budgets_or_none()
    {
        var shared = Account("group:A", requestsPerDay: 1);
        BudgetClaim alice = new([Account("key:alice", requestsPerDay: 5), shared], 0, Today), bob = new([Account("key:bob", requestsPerDay: 5), shared], 0, Today);

        Assert.Null(_ledger.TryTake(alice));
        Assert.Equal("group-requests-day", _ledger.TryTake(bob)?.Name);

        Assert.Equal(5, _ledger.StatesOf(bob)[0].Left);
    }

    [Fact]
    public void A_shadow_budget_refuses_nothing_and_counts()
    {
        BudgetClaim claim = new([Account("key:a", requestsPerDay: 1) with { IsShadow = true }], 0, Today);

        Assert.Null(_ledger.TryTake(claim));
        Assert.Null(_ledger.TryTake(claim));

        Assert.Equal(2, Assert.Single(_ledger.StatesOf(claim)).Used);
    }

    [Fact]
    public void What_others_know_is_learnt_once()
    {
        var claim = Claim(requestsPerDay: 10);
        Assert.Null(_ledger.TryTake(claim));

        _ledger.Learn([new("key:a", Today, 4, 0, 4, 0)]);
        _ledger.Learn([new("key:a", Today, 3, 0, 3, 0)]);
        _ledger.Learn([new("key:a", Today - 1, 9, 0, 9, 0)]);

        Assert.Equal(6, Assert.Single(_ledger.StatesOf(claim)).Left);
    }

    private int Today => BudgetLedger.NumberOf(_calendar.DayOf(_time.GetUtcNow()));

    private BudgetClaim Claim(long? requestsPerDay = null, long? tokensPerDay = null, long? requestsPerMonth = null, long? tokensPerMonth = null, long estimate = 10) =>
        new([new("key:a", "The key 'a'", requestsPerDay, tokensPerDay, requestsPerMonth, tokensPerMonth, IsShadow: false)], estimate, Today);

    private static BudgetAccount Account(string id, long requestsPerDay) => new(id, id, requestsPerDay, null, null, null, IsShadow: false);
}
