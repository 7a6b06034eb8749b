using System.Globalization;
using Hazumu.Gateway.Admission;
using Hazumu.Gateway.Pipeline.Requests;
using Hazumu.Gateway.Usage;

namespace Hazumu.Gateway.Pipeline.Steps;

/// <summary>Tells in an answer's headers what is left of budgets, and logs a shadow budget that is used up.</summary>
/// <remarks>The headers are those of https://datatracker.ietf.org/doc/draft-ietf-httpapi-ratelimit-headers/.</remarks>
internal sealed partial class BudgetHeaders(BudgetLedger ledger, TimeProvider time, ILogger<BudgetHeaders> logger)
{
    private const int MostLogged = 10_000;

    private readonly Lock _gate = new();
    private readonly HashSet<(string Owner, string Name, DateTimeOffset Resets)> _logged = [];

    /// <summary>Sets the headers of an answer, which has not begun.</summary>
    /// <param name="context">The request.</param>
    /// <param name="request">What is known of it.</param>
    /// <param name="claim">What it wants of its budgets.</param>
    /// <param name="limit">Whether it is allowed.</param>
    public void Set(HttpContext context, GatewayRequest request, BudgetClaim claim, in LimitDecision limit)
    {
        var states = ledger.StatesOf(claim);
        request.ExceededBudget = limit.Budget ?? (limit.Reached == Keys.ReachedLimit.None ? FindExceeded(states) : null);
        if (request.ExceededBudget is { IsShadow: true } shadow)
        {
            LogOnce(shadow);
        }

        var policy = string.Join(", ", states.Select(state => string.Create(CultureInfo.InvariantCulture, $"\"{state.Name}\";q={state.Limit};qu=\"{state.Unit}\"")));
        var left = string.Join(", ", states.Select(state => string.Create(
            CultureInfo.InvariantCulture, $"\"{state.Name}\";r={state.Left};t={(long)Math.Ceiling((state.Resets - time.GetUtcNow()).TotalSeconds)}")));
        var exceeded = request.ExceededBudget?.Name;
        context.Response.OnStarting(() =>
        {
            context.Response.Headers["RateLimit-Policy"] = policy;
            context.Response.Headers["RateLimit"] = left;
            if (exceeded is not null)
            {
                context.Response.Headers["Hazumu-Budget-Exceeded"] = exceeded;
            }

            return Task.CompletedTask;
        });
    }

    // This request is counted already: the one that takes the last is within the budget.
    private static BudgetState? FindExceeded(IReadOnlyList<BudgetState> states) =>
        states.FirstOrDefault(state => state.IsShadow && (state.Unit == "requests" ? state.Used > state.Limit : state.Left == 0));

    private void LogOnce(BudgetState budget)
    {
        lock (_gate)
        {
            if (_logged.Count >= MostLogged)
            {
                _logged.Clear();
            }

            if (!_logged.Add((budget.Owner, budget.Name, budget.Resets)))
            {
                return;
            }
        }

        LogShadow(budget.Owner, budget.Limit, budget.Unit, budget.Period);
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "{Owner} has used its budget ({Limit} {Unit} per {Period}). It is a shadow budget: its requests are served. This is logged once for each {Period}.")]
    private partial void LogShadow(string owner, long limit, string unit, string period);
}
