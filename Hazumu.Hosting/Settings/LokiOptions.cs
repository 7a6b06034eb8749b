using System.ComponentModel.DataAnnotations;

namespace Hazumu.Hosting.Settings;

/// <summary>Settings of Loki.</summary>
public sealed class LokiOptions : StoringComponentOptions
{
    /// <summary>How long lines are kept: days at least, for Loki's index has a table for each.</summary>
    [Setting("How long {0} stores log lines", Allowed = "a duration of days, weeks or years such as '7d'")]
    [RegularExpression(@"[1-9]\d*[dwy]")]
    public string Retention { get; set; } = "7d";
}
