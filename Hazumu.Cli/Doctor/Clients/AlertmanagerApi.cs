using System.Globalization;
using System.Text.RegularExpressions;

namespace Hazumu.Cli.Doctor.Clients;

/// <summary>The part of Alertmanager's API (version 2) and of its metrics that the checks use.</summary>
/// <param name="client">Alertmanager.</param>
internal sealed partial class AlertmanagerApi(ComponentClient client)
{
    private const string Alerts = "api/v2/alerts";
    private const string Status = "api/v2/status";
    private const string Requests = "alertmanager_notification_requests_total";
    private const string FailedRequests = "alertmanager_notification_requests_failed_total";

    /// <summary>The alerts with a label's value, those that fire now, with Alertmanager's own time.</summary>
    public async Task<(IReadOnlyList<Alert> Alerts, DateTimeOffset Now)> GetAlertsAsync(string label, string value, CancellationToken cancellationToken)
    {
        var path = $"{Alerts}?filter={Uri.EscapeDataString($"{label}=\"{value}\"")}";
        var answer = await client.GetAsync(path, cancellationToken);
        return (client.Read<IReadOnlyList<Alert>>(path, answer), answer.Now);
    }

    /// <summary>How long Alertmanager has been running, by its own clock.</summary>
    public async Task<TimeSpan> GetUptimeAsync(CancellationToken cancellationToken)
    {
        var answer = await client.GetAsync(Status, cancellationToken);
        return answer.Now - client.Read<ServerStatus>(Status, answer).Uptime;
    }

    /// <summary>Posts an alert, which fires for five minutes or until its end.</summary>
    /// <returns>Alertmanager's own time.</returns>
    public async Task<DateTimeOffset> PostAlertAsync(IReadOnlyDictionary<string, string> labels, IReadOnlyDictionary<string, string> annotations, DateTimeOffset? endsAt, CancellationToken cancellationToken) =>
        (await client.PostAsync(Alerts, new object[] { endsAt is null ? new { labels, annotations } : new { labels, annotations, endsAt } }, cancellationToken)).Now;

    /// <summary>The notifications that Alertmanager has sent on each channel.</summary>
    /// <exception cref="CheckException">Its metrics do not say so.</exception>
    public async Task<IReadOnlyDictionary<Channel, Attempts>> GetAttemptsAsync(CancellationToken cancellationToken)
    {
        var answer = await client.GetAsync("metrics", cancellationToken);
        var attempts = new Dictionary<Channel, Attempts>();
        foreach (Match line in Line().Matches(answer.Body))
        {
            var labels = Label().Matches(line.Groups["labels"].Value).ToDictionary(label => label.Groups["name"].Value, label => label.Groups["value"].Value);
            if (!labels.TryGetValue("receiver_name", out var receiver))
            {
                throw new CheckException("Alertmanager's metrics do not distinguish receivers; start it with --enable-feature=receiver-name-in-metrics, as deploy/compose does.");
            }

            var channel = new Channel(receiver, labels.GetValueOrDefault("integration", ""));
            var number = double.Parse(line.Groups["value"].Value, NumberStyles.Float, CultureInfo.InvariantCulture);
            var known = attempts.GetValueOrDefault(channel, new(0, 0));
            attempts[channel] = line.Groups["name"].Value == Requests ? known with { All = number } : known with { Failed = number };
        }

        return attempts;
    }

    [GeneratedRegex($$"""^(?<name>{{Requests}}|{{FailedRequests}})\{(?<labels>[^}\n]*)\} (?<value>[0-9.e+]+)\r?$""", RegexOptions.Multiline)]
    private static partial Regex Line();

    [GeneratedRegex("(?<name>[a-z_]+)=\"(?<value>[^\"]*)\"")]
    private static partial Regex Label();

    // "uptime" is when it was started.
    private sealed record ServerStatus(DateTimeOffset Uptime);

    /// <summary>An alert as Alertmanager has it.</summary>
    internal sealed record Alert(AlertStatus Status, DateTimeOffset UpdatedAt, IReadOnlyList<Receiver> Receivers);

    /// <summary>Whether an alert is <c>active</c> or <c>suppressed</c>, and by which silences.</summary>
    internal sealed record AlertStatus(string State, IReadOnlyList<string> SilencedBy);

    /// <summary>A receiver by its name.</summary>
    internal sealed record Receiver(string Name);

    /// <summary>A receiver with one of its integrations, such as <c>slack</c> or <c>webhook</c>.</summary>
    internal sealed record Channel(string Receiver, string Integration);

    /// <summary>How many notifications were sent on a channel, and how many of them failed.</summary>
    internal sealed record Attempts(double All, double Failed);
}
