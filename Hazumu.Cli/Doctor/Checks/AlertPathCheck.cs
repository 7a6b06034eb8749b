using Hazumu.Cli.Doctor.Clients;

namespace Hazumu.Cli.Doctor.Checks;

/// <summary>
/// Checks that an alert gets from Prometheus to Alertmanager, and from there to people: looks for the alert that always
/// fires, and sends a test alert, whose route in alertmanager/alertmanager.yml leads to the receiver of all real ones
/// without delay.
/// </summary>
/// <param name="answerLimit">How long a receiver has to answer.</param>
internal sealed class AlertPathCheck(TimeSpan answerLimit) : Check("alert path")
{
    private const string Watchdog = "Watchdog";
    private const string TestAlert = "HazumuTest";

    // Prometheus repeats an alert with the first evaluation after a minute (--rules.alert.resend-delay).
    private static readonly TimeSpan s_repeated = TimeSpan.FromMinutes(2);

    // After a first failure, a receiver has this long for a try that goes better.
    private static readonly TimeSpan s_retry = TimeSpan.FromSeconds(3);

    private static readonly TimeSpan s_interval = TimeSpan.FromMilliseconds(200);

    protected override async Task<CheckResult> ExecuteAsync(GraphSnapshot snapshot, CancellationToken cancellationToken)
    {
        if (snapshot.Alertmanager is not { } alertmanager)
        {
            return NotApplicable(snapshot.DescribeAbsence(GraphSnapshot.AlertmanagerName));
        }

        var findings = new Findings();
        var firstHalf = snapshot.Prometheus is null ? "" : "Prometheus to Alertmanager";
        if (snapshot.Prometheus is { } prometheus)
        {
            firstHalf += await CheckWatchdogAsync(prometheus, alertmanager, findings, cancellationToken);
        }

        var delivery = await SendTestAsync(alertmanager, findings, cancellationToken);
        return findings.ToResult(Name, string.Join(", ", new[] { firstHalf, delivery }.Where(part => part.Length > 0)));
    }

    // Returns an addition to the summary. Right after a start, Prometheus has not evaluated its rules yet, or not sent
    // the alert again to an Alertmanager that has forgotten it.
    private static async Task<string> CheckWatchdogAsync(PrometheusApi prometheus, AlertmanagerApi alertmanager, Findings findings, CancellationToken cancellationToken)
    {
        var (alerts, now) = await alertmanager.GetAlertsAsync("alertname", Watchdog, cancellationToken);
        if (alerts.Any(alert => now - alert.UpdatedAt < s_repeated))
        {
            return "";
        }

        var urls = await prometheus.GetAlertmanagersAsync(cancellationToken);
        if (urls.Count > 0 && (await prometheus.GetUptimeAsync(cancellationToken) < s_repeated || await alertmanager.GetUptimeAsync(cancellationToken) < s_repeated))
        {
            return $" not yet (started less than {s_repeated.TotalMinutes:0} minutes ago)";
        }

        findings.Problem(urls.Count == 0
            ? "Prometheus has no Alertmanager to send alerts to; see 'alerting' in prometheus/prometheus.yml and the targets of the job alertmanagers."
            : $"The alert {Watchdog}, which always fires, is not at Alertmanager: Prometheus sends alerts to {string.Join(", ", urls.Select(url => url.Url))}; see docs/runbooks/PrometheusNotificationsFailing.md.");
        return "";
    }

    // Returns the summary of the way from Alertmanager to people.
    private async Task<string> SendTestAsync(AlertmanagerApi alertmanager, Findings findings, CancellationToken cancellationToken)
    {
        var run = Guid.NewGuid().ToString("N")[..12];
        var labels = new Dictionary<string, string> { ["alertname"] = TestAlert, ["severity"] = "info", ["run"] = run };
        var annotations = new Dictionary<string, string>
        {
            ["summary"] = "This is a test of Hazumu's alerts; nothing is wrong",
            ["description"] = $"Somebody ran './hazumu doctor' on {Environment.MachineName}, which sends this alert to check whether alerts reach you. There is nothing to do.",
        };
        var before = await alertmanager.GetAttemptsAsync(cancellationToken);
        // By Alertmanager's clock, which may differ from this machine's, and has whole seconds.
        var endsAt = (await alertmanager.PostAlertAsync(labels, annotations, endsAt: null, cancellationToken)).AddSeconds(1);
        try
        {
            if ((await alertmanager.GetAlertsAsync("run", run, cancellationToken)).Alerts is not [var alert])
            {
                throw new CheckException("Alertmanager took the test alert but does not list it; see its log.");
            }

            endsAt = alert.UpdatedAt.AddMilliseconds(1);
            var receivers = alert.Receivers.Select(receiver => receiver.Name).ToHashSet();
            var channels = before.Keys.Where(channel => receivers.Contains(channel.Receiver)).ToList();
            if (channels.Count == 0)
            {
                findings.Note("Alertmanager has no receiver: alerts are only on its page; set Hazumu:Alertmanager:SlackUrlFile, WebhookUrlFile or EmailTo.");
                return "no receiver";
            }

            if (alert.Status.State == "suppressed")
            {
                findings.Note($"The test alert is silenced (silence {string.Join(", ", alert.Status.SilencedBy)}), and perhaps other alerts too; Alertmanager's page lists the silences.");
                return "silenced";
            }

            await WaitForDeliveryAsync(alertmanager, before, channels, findings, cancellationToken);
            return $"Alertmanager to people by {string.Join(" and ", channels.Select(channel => channel.Integration).Order())}";
        }
        finally
        {
            // Resolved at once, also if the check was canceled, so that no receiver is notified again.
            await alertmanager.PostAlertAsync(labels, annotations, endsAt, CancellationToken.None);
        }
    }

    private async Task WaitForDeliveryAsync(AlertmanagerApi alertmanager, IReadOnlyDictionary<AlertmanagerApi.Channel, AlertmanagerApi.Attempts> before, List<AlertmanagerApi.Channel> channels, Findings findings, CancellationToken cancellationToken)
    {
        var began = TimeProvider.System.GetTimestamp();
        var limit = answerLimit;
        while (true)
        {
            var now = await alertmanager.GetAttemptsAsync(cancellationToken);
            var open = channels.Where(channel => Delivered(now, channel) == 0).ToList();
            var elapsed = TimeProvider.System.GetElapsedTime(began);
            if (open.Count > 0 && limit == answerLimit && open.TrueForAll(channel => Failed(now, channel) > 0))
            {
                limit = elapsed + s_retry;
            }

            if (open.Count == 0 || elapsed >= limit)
            {
                foreach (var channel in open)
                {
                    findings.Problem(Failed(now, channel) > 0
                        ? $"Alertmanager cannot deliver to the receiver '{channel.Receiver}' by {channel.Integration}; its log has the reason, and docs/runbooks/AlertmanagerNotificationsFailing.md has the cure."
                        : $"The receiver '{channel.Receiver}' did not answer Alertmanager by {channel.Integration} within {answerLimit.TotalSeconds:0} s; check that the receiver at its address runs and can be reached from the container.");
                }

                return;
            }

            await Task.Delay(s_interval, cancellationToken);
        }

        double Failed(IReadOnlyDictionary<AlertmanagerApi.Channel, AlertmanagerApi.Attempts> now, AlertmanagerApi.Channel channel) =>
            now.GetValueOrDefault(channel, before[channel]).Failed - before[channel].Failed;

        double Delivered(IReadOnlyDictionary<AlertmanagerApi.Channel, AlertmanagerApi.Attempts> now, AlertmanagerApi.Channel channel) =>
            now.GetValueOrDefault(channel, before[channel]).All - before[channel].All - Failed(now, channel);
    }
}
