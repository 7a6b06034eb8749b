using System.ComponentModel.DataAnnotations;

namespace Hazumu.Gateway.Configuration;

/// <summary>Budgets of keys, end users and groups for a day and a month. They need usage to be recorded, or a restart would begin them again.</summary>
internal sealed class BudgetsOptions
{
    /// <summary>The budget of each key that <see cref="Keys"/> does not name.</summary>
    public BudgetOptions EachKey { get; set; } = new();

    /// <summary>The budget of each end user of each key.</summary>
    public BudgetOptions EachUser { get; set; } = new();

    /// <summary>The budget of each group that <see cref="Groups"/> does not name.</summary>
    public BudgetOptions EachGroup { get; set; } = new();

    /// <summary>Budgets of single keys, by name, in place of <see cref="EachKey"/>.</summary>
    [Setting("Budgets of single keys, by name, in place of 'EachKey'")]
    public Dictionary<string, BudgetOptions> Keys { get; set; } = new(StringComparer.OrdinalIgnoreCase);

    /// <summary>Budgets of single groups, by name, in place of <see cref="EachGroup"/>.</summary>
    [Setting("Budgets of single groups, by name, in place of 'EachGroup'")]
    public Dictionary<string, BudgetOptions> Groups { get; set; } = new(StringComparer.OrdinalIgnoreCase);

    /// <summary>Whether there is any budget.</summary>
    internal bool HasAny => EachKey.HasAny || EachUser.HasAny || EachGroup.HasAny || Keys.Count > 0 || Groups.Count > 0;
}

/// <summary>One budget; what is not set is not limited.</summary>
internal sealed class BudgetOptions
{
    private const string Rule = "a number from 1 to 1000000000000000";

    /// <summary>Requests within a day.</summary>
    [Setting("Requests within a day", Allowed = Rule)]
    [Range(1L, 1_000_000_000_000_000L)]
    public long? RequestsPerDay { get; set; }

    /// <summary>Tokens within a day, of prompts and of answers.</summary>
    [Setting("Tokens within a day, of prompts and answers", Allowed = Rule)]
    [Range(1L, 1_000_000_000_000_000L)]
    public long? TokensPerDay { get; set; }

    /// <summary>Requests within a month.</summary>
    [Setting("Requests within a month", Allowed = Rule)]
    [Range(1L, 1_000_000_000_000_000L)]
    public long? RequestsPerMonth { get; set; }

    /// <summary>Tokens within a month, of prompts and of answers.</summary>
    [Setting("Tokens within a month, of prompts and answers", Allowed = Rule)]
    [Range(1L, 1_000_000_000_000_000L)]
    public long? TokensPerMonth { get; set; }

    /// <summary>Whether a request over the budget is only counted and logged.</summary>
    [Setting("Whether requests over the budget are served, and only counted, logged and reported in a header")]
    public bool Shadow { get; set; }

    /// <summary>Whether anything is limited.</summary>
    internal bool HasAny => (RequestsPerDay ?? TokensPerDay ?? RequestsPerMonth ?? TokensPerMonth) is not null;
}
