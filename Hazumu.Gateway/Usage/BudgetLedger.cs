using NodaTime;

namespace Hazumu.Gateway.Usage;

/// <summary>What accounts have used of their budgets, and what running requests have reserved.</summary>
/// <remarks>
/// A request counts when it is allowed, its tokens when it has ended; until then its estimate is reserved. It is refused once use and
/// reservations have reached a limit: use exceeds a limit of tokens by what the requests that run then use beyond their estimates, and by the
/// last of them. A limit of requests is exact.
/// </remarks>
internal sealed class BudgetLedger(UsageCalendar calendar, TimeProvider time)
{
    private static readonly TimeSpan s_reservedWait = TimeSpan.FromSeconds(5);

    private readonly Lock _gate = new();
    private readonly Dictionary<string, Account> _accounts = new(StringComparer.Ordinal);
    private readonly TaskCompletionSource _ready = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private int _sweptMonth;

    /// <summary>Completes when what was used before the start is known, or cannot be read.</summary>
    public Task Ready => _ready.Task;

    /// <summary>A day as a number that later days exceed: 20261130.</summary>
    public static int NumberOf(LocalDate day) => (day.Year * 10_000) + (day.Month * 100) + day.Day;

    /// <summary>What was used before the start is known, or cannot be read.</summary>
    public void SetReady() => _ready.TrySetResult();

    /// <summary>Counts a request against all of its budgets, or against none.</summary>
    /// <returns>The budget that refuses it, of several the one that resets last; null if it is allowed.</returns>
    public BudgetState? TryTake(BudgetClaim claim)
    {
        lock (_gate)
        {
            Sweep(claim.Day);
            if (StatesOf(claim, withReserved: true).Where(state => state is { IsShadow: false, Left: 0 }).MaxBy(state => state.Resets) is { } reached)
            {
                var own = StatesOf(claim, withReserved: false).Single(state => state.Name == reached.Name);
                return own.Left > 0 ? own with { RetryAfter = s_reservedWait } : own;
            }

            foreach (var account in claim.Accounts)
            {
                AccountOf(account.Id).Add(claim.Day, requests: 1, tokens: 0);
                AccountOf(account.Id).Reserved += claim.Estimate;
            }

            return null;
        }
    }

    /// <summary>Reserves the tokens of a request that another gateway has allowed; what is used must be learnt.</summary>
    public void Adopt(BudgetClaim claim)
    {
        lock (_gate)
        {
            foreach (var account in claim.Accounts)
            {
                AccountOf(account.Id).Reserved += claim.Estimate;
            }
        }
    }

    /// <summary>Ends a request that was allowed or adopted, and counts its tokens.</summary>
    public void Complete(BudgetClaim claim, long tokens)
    {
        lock (_gate)
        {
            foreach (var account in claim.Accounts)
            {
                AccountOf(account.Id).Add(claim.Day, requests: 0, tokens);
                AccountOf(account.Id).Reserved -= claim.Estimate;
            }
        }
    }

    /// <summary>How much of its budgets is left for a request.</summary>
    public IReadOnlyList<BudgetState> StatesOf(BudgetClaim claim)
    {
        lock (_gate)
        {
            return StatesOf(claim, withReserved: false);
        }
    }

    /// <summary>What the accounts of a request have used.</summary>
    public IReadOnlyList<BudgetUse> UsesOf(BudgetClaim claim)
    {
        lock (_gate)
        {
            return [.. claim.Accounts.Select(account => AccountOf(account.Id).Use)];
        }
    }

    /// <summary>What all accounts have used.</summary>
    public IReadOnlyList<BudgetUse> All()
    {
        lock (_gate)
        {
            return [.. _accounts.Values.Select(account => account.Use)];
        }
    }

    /// <summary>Learns what another gateway or the store knows: each may have missed some, so the greater number is the truer one.</summary>
    public void Learn(IEnumerable<BudgetUse> uses)
    {
        lock (_gate)
        {
            foreach (var use in uses)
            {
                AccountOf(use.Id).Learn(use);
            }
        }
    }

    private Account AccountOf(string id)
    {
        if (!_accounts.TryGetValue(id, out var account))
        {
            _accounts[id] = account = new(id);
        }

        return account;
    }

    private List<BudgetState> StatesOf(BudgetClaim claim, bool withReserved)
    {
        var now = time.GetUtcNow();
        var today = calendar.DayOf(now);
        var (day, month) = (calendar.StartOf(today.PlusDays(1)), calendar.StartOf(UsageCalendar.MonthOf(today).PlusMonths(1)));
        var states = new List<BudgetState>(4);
        foreach (var account in claim.Accounts)
        {
            var known = AccountOf(account.Id);
            known.Turn(NumberOf(today));
            var reserved = withReserved ? known.Reserved : 0;
            Add(account, "requests", "day", account.RequestsPerDay, known.DayRequests, day);
            Add(account, "tokens", "day", account.TokensPerDay, known.DayTokens + reserved, day);
            Add(account, "requests", "month", account.RequestsPerMonth, known.MonthRequests, month);
            Add(account, "tokens", "month", account.TokensPerMonth, known.MonthTokens + reserved, month);
        }

        return states;

        void Add(BudgetAccount account, string unit, string period, long? limit, long used, DateTimeOffset resets)
        {
            if (limit is { } most)
            {
                states.Add(new(account.Kind, account.Name, unit, period, most, used, resets, resets - now, account.IsShadow));
            }
        }
    }

    // Users of a month that has ended are forgotten, unless a request of theirs still runs.
    private void Sweep(int day)
    {
        if (day / 100 > _sweptMonth)
        {
            _sweptMonth = day / 100;
            foreach (var (id, account) in _accounts)
            {
                if (account.Use.Day / 100 < _sweptMonth && account.Reserved == 0)
                {
                    _accounts.Remove(id);
                }
            }
        }
    }

    private sealed class Account(string id)
    {
        private int _day;

        public long DayRequests { get; private set; }

        public long DayTokens { get; private set; }

        public long MonthRequests { get; private set; }

        public long MonthTokens { get; private set; }

        public long Reserved { get; set; }

        public BudgetUse Use => new(id, _day, DayRequests, DayTokens, MonthRequests, MonthTokens);

        /// <summary>Begins a day, and a month, unless it has begun.</summary>
        public void Turn(int day)
        {
            if (day > _day)
            {
                (DayRequests, DayTokens) = (0, 0);
                if (day / 100 != _day / 100)
                {
                    (MonthRequests, MonthTokens) = (0, 0);
                }

                _day = day;
            }
        }

        /// <summary>Counts for a day, which may have ended: then for its month, if that has not.</summary>
        public void Add(int day, long requests, long tokens)
        {
            Turn(day);
            if (day == _day)
            {
                (DayRequests, DayTokens) = (DayRequests + requests, DayTokens + tokens);
            }

            if (day / 100 == _day / 100)
            {
                (MonthRequests, MonthTokens) = (MonthRequests + requests, MonthTokens + tokens);
            }
        }

        public void Learn(BudgetUse use)
        {
            Turn(use.Day);
            if (use.Day == _day)
            {
                (DayRequests, DayTokens) = (Math.Max(DayRequests, use.DayRequests), Math.Max(DayTokens, use.DayTokens));
            }

            if (use.Day / 100 == _day / 100)
            {
                (MonthRequests, MonthTokens) = (Math.Max(MonthRequests, use.MonthRequests), Math.Max(MonthTokens, use.MonthTokens));
            }
        }
    }
}
