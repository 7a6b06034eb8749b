using System.Text.Json.Serialization;
using Hazumu.Gateway.Configuration;
using Hazumu.Gateway.Keys;

namespace Hazumu.Gateway.Usage;

/// <summary>Whose budget it is, and how much there is.</summary>
/// <param name="Id">What its use is kept under: <c>key:</c>, <c>user:</c> or <c>group:</c>, and an id.</param>
/// <param name="Name">How people call it, at the beginning of a sentence.</param>
/// <param name="RequestsPerDay">Requests within a day; null for any number.</param>
/// <param name="TokensPerDay">Tokens within a day; null for any number.</param>
/// <param name="RequestsPerMonth">Requests within a month; null for any number.</param>
/// <param name="TokensPerMonth">Tokens within a month; null for any number.</param>
/// <param name="IsShadow">Whether it refuses nothing.</param>
internal sealed record BudgetAccount(string Id, string Name, long? RequestsPerDay, long? TokensPerDay, long? RequestsPerMonth, long? TokensPerMonth, bool IsShadow)
{
    /// <summary>The id of a key's account.</summary>
    public static string OfKey(string keyId) => $"key:{keyId}";

    /// <summary>The id of the account of a key's end user.</summary>
    public static string OfUser(string keyId, string endUser) => $"user:{EndUsers.IdOf(keyId, endUser)}";

    /// <summary>The id of a group's account.</summary>
    public static string OfGroup(string group) => $"group:{group.ToUpperInvariant()}";

    /// <summary><c>key</c>, <c>user</c> or <c>group</c>.</summary>
    [JsonIgnore]
    public string Kind => Id[..Id.IndexOf(':', StringComparison.Ordinal)];
}

/// <summary>What a request wants of its budgets.</summary>
/// <param name="Accounts">The budgets that it counts against.</param>
/// <param name="Estimate">Tokens that are reserved for it while it runs.</param>
/// <param name="Day">The day that it counts for, as 20261130.</param>
internal sealed record BudgetClaim(IReadOnlyList<BudgetAccount> Accounts, long Estimate, int Day);

/// <summary>What an account has used of a day and of its month.</summary>
/// <param name="Id">The account.</param>
/// <param name="Day">The day, as 20261130.</param>
/// <param name="DayRequests">Requests of the day.</param>
/// <param name="DayTokens">Tokens of the day.</param>
/// <param name="MonthRequests">Requests of its month.</param>
/// <param name="MonthTokens">Tokens of its month.</param>
internal sealed record BudgetUse(string Id, int Day, long DayRequests, long DayTokens, long MonthRequests, long MonthTokens);

/// <summary>How much of one budget is left.</summary>
/// <param name="Kind"><c>key</c>, <c>user</c> or <c>group</c>.</param>
/// <param name="Owner">How people call whose it is, at the beginning of a sentence.</param>
/// <param name="Unit"><c>requests</c> or <c>tokens</c>.</param>
/// <param name="Period"><c>day</c> or <c>month</c>.</param>
/// <param name="Limit">How much there is.</param>
/// <param name="Used">What is used of it, or more.</param>
/// <param name="Resets">When it begins again.</param>
/// <param name="RetryAfter">When to try again where it refuses a request: earlier than it resets, where only running requests fill it.</param>
/// <param name="IsShadow">Whether it refuses nothing.</param>
internal sealed record BudgetState(string Kind, string Owner, string Unit, string Period, long Limit, long Used, DateTimeOffset Resets, TimeSpan RetryAfter, bool IsShadow)
{
    /// <summary>What is left, not less than 0.</summary>
    [JsonIgnore]
    public long Left => Math.Max(0, Limit - Used);

    /// <summary>Its name in headers and metrics: <c>key-tokens-day</c>.</summary>
    [JsonIgnore]
    public string Name => $"{Kind}-{Unit}-{Period}";
}

/// <summary>Finds the budgets of a request in the settings of now.</summary>
internal sealed class Budgets(GatewaySettings settings, UsageCalendar calendar, TimeProvider time)
{
    // What an answer has, and what a body of pictures is reserved at most.
    private const long AnswerTokens = 256;
    private const long MostTokens = 32_768;
    private const long BytesPerToken = 4;

    /// <summary>Checks that budgets outlive a restart.</summary>
    /// <exception cref="StartupProblemException">Usage is not recorded.</exception>
    public static void Check(GatewayOptions options)
    {
        if (options.Budgets.HasAny && !options.Usage.IsEnabled)
        {
            throw new StartupProblemException("'Gateway:Budgets' needs usage to be recorded, or a restart would begin budgets again; set 'Gateway:Usage:File' or 'Gateway:Usage:Database'.");
        }
    }

    /// <summary>Whether there is any budget.</summary>
    public bool HasAny => settings.Current.Budgets.HasAny;

    /// <summary>Whether end users have a budget.</summary>
    public bool HasUsers => settings.Current.Budgets.EachUser.HasAny;

    /// <summary>What a request wants of its budgets; null where it has none. A request without a key has none.</summary>
    /// <param name="caller">The caller.</param>
    /// <param name="endUser">The end user; null where nobody is named.</param>
    /// <param name="bytes">Bytes of its body, as far as known.</param>
    public BudgetClaim? ClaimOf(Caller caller, string? endUser, long bytes)
    {
        var options = settings.Current.Budgets;
        if (!options.HasAny || caller.Key is not { } key)
        {
            return null;
        }

        var accounts = new List<BudgetAccount>(3);

        // All tokens of an issuer come with one key, which nobody holds: its budget would be that of all people together.
        var isToken = caller.EndUser is not null;
        if (!isToken)
        {
            Add(BudgetAccount.OfKey(key.Id), $"The key '{key.Name}'", options.Keys.GetValueOrDefault(key.Name, options.EachKey));
        }

        if (endUser is not null)
        {
            var owner = isToken ? caller.Name.Replace(":", " '", StringComparison.Ordinal) : $"key '{key.Name}";
            Add(BudgetAccount.OfUser(key.Id, endUser), $"This user of the {owner}'", options.EachUser);
        }

        if (caller.Group is { } group)
        {
            Add(BudgetAccount.OfGroup(group), $"The group '{group}'", options.Groups.GetValueOrDefault(group, options.EachGroup));
        }

        return accounts.Count == 0 ? null : new(accounts, Math.Min(MostTokens, (bytes / BytesPerToken) + AnswerTokens), BudgetLedger.NumberOf(calendar.DayOf(time.GetUtcNow())));

        void Add(string id, string name, BudgetOptions budget)
        {
            if (budget.HasAny)
            {
                accounts.Add(new(id, name, budget.RequestsPerDay, budget.TokensPerDay, budget.RequestsPerMonth, budget.TokensPerMonth, budget.Shadow));
            }
        }
    }
}
