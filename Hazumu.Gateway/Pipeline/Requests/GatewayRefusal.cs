using Hazumu.Gateway.Admission;
using Hazumu.Gateway.Keys;
using Hazumu.Gateway.Pipeline.Bodies;
using Hazumu.Gateway.Pipeline.Forwarding;

namespace Hazumu.Gateway.Pipeline.Requests;

/// <summary>An answer of the gateway's own instead of an engine's.</summary>
/// <param name="Outcome">How the request ends.</param>
/// <param name="Status">400 to 599.</param>
/// <param name="Message">One sentence: what is wrong and what to do.</param>
/// <param name="RetryAfter">When to try again.</param>
internal sealed record GatewayRefusal(Outcome Outcome, int Status, string Message, TimeSpan? RetryAfter = null)
{
    /// <summary>What <c>WWW-Authenticate</c> says, with the status 401.</summary>
    public string Challenge { get; init; } = "Bearer";

    private const int LongestPath = 200;

    /// <summary>The gateway itself failed.</summary>
    public static GatewayRefusal GatewayFailed { get; } = new(Outcome.GatewayError, StatusCodes.Status500InternalServerError, "The gateway failed; its log has more details.");

    public static GatewayRefusal BadRequest(string message) => new(Outcome.BadRequest, StatusCodes.Status400BadRequest, message);

    public static GatewayRefusal Forbidden(string message) => new(Outcome.Forbidden, StatusCodes.Status403Forbidden, message);

    /// <summary>The answer to a request that reaches a limit of its key.</summary>
    public static GatewayRefusal From(in LimitDecision limit, Caller caller)
    {
        if (limit.Budget is { } budget)
        {
            var sentence = budget.Left > 0
                ? $"{budget.Owner} has its whole budget ({budget.Limit} {budget.Unit} per {budget.Period}) in use by requests that run; try again in {Seconds(limit.RetryAfter)}."
                : $"{budget.Owner} has used its budget ({budget.Limit} {budget.Unit} per {budget.Period}); it begins again at {KeyTime.Format(budget.Resets)}.";
            return new(Outcome.RateLimited, StatusCodes.Status429TooManyRequests, sentence, limit.RetryAfter);
        }

        var name = limit.Reached switch
        {
            ReachedLimit.RequestsPerMinute => "requests per minute",
            ReachedLimit.TokensPerMinute => "tokens per minute",
            _ => "requests at the same time",
        };
        var who = limit.IsOfEndUser && caller.EndUser is null ? $"This user of the key '{caller.Name}'" : caller.Credential;
        return new(Outcome.RateLimited, StatusCodes.Status429TooManyRequests, $"{who} has reached its limit ({name}); try again in {Seconds(limit.RetryAfter)}.", limit.RetryAfter);
    }

    /// <summary>The answer to a request that gets no slot.</summary>
    public static GatewayRefusal From(SlotDecision admission, string model) => admission.Status switch
    {
        AdmissionStatus.QueueFull => new(Outcome.QueueFull, StatusCodes.Status503ServiceUnavailable, $"The server is busy: the queue is full; try again in {Seconds(admission.RetryAfter)}.", admission.RetryAfter),
        AdmissionStatus.QueueTimeout => new(Outcome.QueueTimeout, StatusCodes.Status503ServiceUnavailable, $"The server is busy: no slot for '{model}' came free in time; try again in {Seconds(admission.RetryAfter)}.", admission.RetryAfter),
        AdmissionStatus.ShuttingDown => new(Outcome.ShuttingDown, StatusCodes.Status503ServiceUnavailable, $"The gateway is stopping; try again in {Seconds(admission.RetryAfter)}.", admission.RetryAfter),
        _ => Unreachable(admission.RetryAfter),
    };

    public static GatewayRefusal Unreachable(TimeSpan retryAfter = default)
    {
        var wait = retryAfter == default ? TimeSpan.FromSeconds(5) : retryAfter;
        return new(
            Outcome.EngineUnreachable, StatusCodes.Status503ServiceUnavailable, $"No instance of the model server can be reached; try again in {Seconds(wait)}.", wait);
    }

    /// <summary>The value of <c>Retry-After</c> for a message, because some clients show only the message.</summary>
    private static string Seconds(TimeSpan wait) => $"{Math.Max(1, Math.Ceiling(wait.TotalSeconds)):0} s";

    /// <summary>The settings of every engine leave the model out.</summary>
    public static GatewayRefusal NoModel(string model) => new(
        Outcome.BadRequest, StatusCodes.Status404NotFound, $"The model '{model}' is not found; no engine is used for it.");

    /// <summary>The route is unknown. A client's mistake, no attack: it does not count as a refusal.</summary>
    public static GatewayRefusal NotFound(string method, string path, string? right) => new(
        Outcome.BadRequest,
        StatusCodes.Status404NotFound,
        $"There is no route '{method} {(path.Length <= LongestPath ? path : path[..LongestPath] + "…")}'{(right is null ? "" : $"; use '{right}'")}.");
}
