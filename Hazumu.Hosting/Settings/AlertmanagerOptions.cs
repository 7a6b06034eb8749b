using System.ComponentModel.DataAnnotations;

namespace Hazumu.Hosting.Settings;

/// <summary>Settings of Alertmanager: its receivers. Secrets are named by the files that hold them.</summary>
public sealed class AlertmanagerOptions : StoringComponentOptions
{
    private const string FilePath = "a path";

    /// <summary>The file with the address that every notification is posted to as JSON.</summary>
    [Setting("A file with the address that {0} posts every notification to, as JSON", Allowed = FilePath)]
    public string? WebhookUrlFile { get; set; }

    /// <summary>The file with the address of Slack's incoming webhook.</summary>
    [Setting("A file with the address of a Slack webhook", Allowed = FilePath)]
    public string? SlackUrlFile { get; set; }

    /// <summary>The Slack channel, where it is not the webhook's own.</summary>
    [Setting("The Slack channel, if it is not the webhook's own", Allowed = "a channel such as '#ops'")]
    [RegularExpression(@"[#@]?[\p{L}\p{N}._\-]+")]
    public string? SlackChannel { get; set; }

    /// <summary>The addresses that get e-mail.</summary>
    [Setting("Addresses that get e-mail", Allowed = "e-mail addresses, separated by commas")]
    [RegularExpression(@"[^\s,]+@[^\s,]+(, ?[^\s,]+@[^\s,]+)*")]
    public string? EmailTo { get; set; }

    /// <summary>The sender of e-mail.</summary>
    [Setting("The sender of e-mail", Allowed = "an e-mail address")]
    [RegularExpression(@"[^\s,]+@[^\s,]+")]
    public string? EmailFrom { get; set; }

    /// <summary>The mail server.</summary>
    [Setting("The mail server", Allowed = "a host with a port such as 'mail.example:587'")]
    [RegularExpression(@"[A-Za-z0-9.\-]+:\d+")]
    public string? EmailServer { get; set; }

    /// <summary>Whether the mail server must offer TLS.</summary>
    [Setting("Whether the mail server must offer TLS")]
    public bool EmailTls { get; set; } = true;

    /// <summary>The user at the mail server; without it there is no login.</summary>
    [Setting("The user at the mail server, if it requires one", Allowed = "a name")]
    [RegularExpression(@"\P{Cc}+")]
    public string? EmailUser { get; set; }

    /// <summary>The file with that user's password.</summary>
    [Setting("A file with that user's password", Allowed = FilePath)]
    public string? EmailPasswordFile { get; set; }

    /// <summary>
    /// The file with the address that is called every minute as long as the alerts' whole way works: a dead man's
    /// switch.
    /// </summary>
    [Setting("A file with the address of a dead man's switch, which is called every minute while alerts work", Allowed = FilePath)]
    public string? HeartbeatUrlFile { get; set; }
}
