using System.ComponentModel.DataAnnotations;

namespace Hazumu.Gateway.Configuration;

/// <summary>Where usage is kept: a record of each request, without its content. Read at the start.</summary>
internal sealed class UsageOptions
{
    /// <summary>The section's name.</summary>
    public const string SectionName = "Gateway:Usage";

    /// <summary>The SQLite file, unless there is a <see cref="Database"/>; without either, usage is not recorded.</summary>
    [Setting("The SQLite file that keeps usage; gateways of one machine may share it. Without it and 'Database', usage is not recorded. Read at the start", Allowed = "a path")]
    public string? File { get; set; }

    /// <summary>The PostgreSQL that keeps usage in place of a file: a connection string of Npgsql without a password.</summary>
    [Setting("The PostgreSQL that keeps usage, in place of 'File'; several gateways on several machines need it. Read at the start", Allowed = "a connection string without a password such as 'Host=postgres;Database=hazumu;Username=hazumu'")]
    public string? Database { get; set; }

    /// <summary>The password of <see cref="Database"/>. This or <see cref="PasswordFile"/>, or none.</summary>
    [Setting("The password of 'Database'", Allowed = "any text; this or 'PasswordFile'")]
    public string? Password { get; set; }

    /// <summary>A file that holds that password.</summary>
    [Setting("A file that holds that password; white space around it is left out", Allowed = "a path")]
    public string? PasswordFile { get; set; }

    /// <summary>Days after which a record is deleted.</summary>
    [Setting("Days after which a record of usage is deleted", Allowed = "a number from 32 to 36500")]
    [Range(32, 36_500)]
    public int RetentionDays { get; set; } = 400;

    /// <summary>The time zone in which days and months begin.</summary>
    [Setting("The time zone in which days and months begin, of usage and of budgets. Read at the start", Allowed = "a name of the IANA time zone database such as 'Asia/Tokyo', or 'UTC'")]
    [TimeZone]
    public string TimeZone { get; set; } = "UTC";

    /// <summary>Whether usage is recorded.</summary>
    internal bool IsEnabled => !string.IsNullOrEmpty(File) || !string.IsNullOrEmpty(Database);
}
