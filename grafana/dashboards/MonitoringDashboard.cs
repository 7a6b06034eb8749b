namespace Hazumu.Grafana;

/// <summary>The dashboard "Monitoring itself".</summary>
internal static class MonitoringDashboard
{
    /// <summary>Its definition.</summary>
    public static Dashboard Create() => new(
        "hazumu-monitoring",
        "Monitoring itself",
        "Whether the watchers are well: targets, Prometheus, rules, alerts on their way, logs on theirs.",
        [
            new Row("Targets and alerts"),
            new StateTimeline(12, 10, "Targets", "The state of each target; with many targets, only those that were down. Up: Prometheus scraped the target. Down: its metrics are missing, and its alerts cannot fire. Runbooks ScrapeFailing, TargetMissing.")
            {
                Queries = Query.Rows("min by (job, instance) (up)", isHighBad: false, "< 1", "{{job}} / {{instance}}"),
                States = [Mapping.Value("1", Colors.Green, "Up"), Mapping.Value("0", Colors.Red, "Down")],
            },
            new StateTimeline(12, 10, "Alerts over time", "Alerts while they fire, without the Watchdog, which always fires. No data: Prometheus evaluates no rules.")
            {
                Queries = [Query.OrNone(Query.Highest(15, """max by (alertname) (ALERTS{alertstate="firing",alertname!="Watchdog"})"""), "alertname", "prometheus_rule_group_interval_seconds", "{{alertname}}")],
                States = [Mapping.Value("0", Colors.Green, "None fires"), Mapping.Value("1", Colors.Red, "Fires")],
            },
            new Stat(6, 5, "Configuration", "Whether the last reload succeeded. Failed: the program keeps running with the old configuration, but cannot start with the new one. Runbook ConfigReloadFailed.")
            {
                Queries =
                [
                    Query.Of("""min by (instance) (prometheus_config_last_reload_successful{job="prometheus"})""", "{{instance}}"),
                    Query.Of("""min by (instance) (alertmanager_config_last_reload_successful{job="alertmanager"})""", "{{instance}}"),
                ],
                States = [Mapping.Value("1", Colors.Green, "Loaded"), Mapping.Value("0", Colors.Red, "Failed")],
            },
            new Stat(6, 5, "Rules that failed", "Evaluations of rules that failed in the chosen time range: the alerts of that group could not fire. Runbook PrometheusRuleFailures.")
            {
                Queries = [Query.Of("""sum by (instance) (increase(prometheus_rule_evaluation_failures_total{job="prometheus"}[$__range]))""", "{{instance}}")],
                Min = 0,
                Decimals = 0,
                Thresholds = [new(Colors.Green), new(1, Colors.Red)],
            },
            new Stat(6, 5, "Alerts not handed over", "Alerts that Prometheus could not send to Alertmanager in the chosen time range. Runbook PrometheusNotificationsFailing.")
            {
                Queries = [Query.Of("""sum by (instance) (increase(prometheus_notifications_dropped_total{job="prometheus"}[$__range]))""", "{{instance}}")],
                Min = 0,
                Decimals = 0,
                Thresholds = [new(Colors.Green), new(1, Colors.Red)],
            },
            new Stat(6, 5, "Notifications that failed", "Notifications that Alertmanager could not deliver in the chosen time range. Runbook AlertmanagerNotificationsFailing.")
            {
                Queries = [Query.Of("""sum by (instance) (increase(alertmanager_notifications_failed_total{job="alertmanager"}[$__range])) or 0 * max by (instance) (up{job="alertmanager"})""", "{{instance}}")],
                Min = 0,
                Decimals = 0,
                Thresholds = [new(Colors.Green), new(1, Colors.Red)],
            },
            new Row("Prometheus"),
            new TimeSeries(8, 8, "Series in memory", "Series that Prometheus has in memory, and samples per second that it stores (right). A jump means that a label gets many new values: the next panel shows the job.")
            {
                Queries =
                [
                    Query.Of("""prometheus_tsdb_head_series{job="prometheus"}""", "series"),
                    Query.Of("""rate(prometheus_tsdb_head_samples_appended_total{job="prometheus",type="float"}[$__rate_interval])""", "samples"),
                ],
                Unit = "suffix:series",
                Min = 0,
                Overrides = [Override.ByName("samples", Set.Unit("suffix:samples/s"), Set.RightAxis, Set.NoFill)],
            },
            new TimeSeries(8, 8, "Samples by job", "Samples that each scrape of a job stores: the cost of each source.")
            {
                Queries = [Query.Of("sum by (job) (scrape_samples_post_metric_relabeling)", "{{job}}")],
                Unit = "suffix:samples",
                Min = 0,
                Stacked = true,
                Figure = "lastNotNull",
            },
            new TimeSeries(8, 8, "Duration of scrapes", "How long the slowest scrape of each job takes. Near the interval of 15 s, samples are lost.")
            {
                Queries = [Query.Top(12, "max by (job) (scrape_duration_seconds)", "{{job}}")],
                Unit = "s",
                Min = 0,
                Thresholds = [new(Colors.Green), new(10, Colors.Red)],
                Fill = 0,
            },
            new TimeSeries(8, 8, "Time for rules", "Share of its interval that a group of rules takes to be evaluated. At 100 %, evaluations are skipped and alerts are late.")
            {
                Queries = [Query.Top(12, """max by (group) (label_replace(prometheus_rule_group_last_duration_seconds{job="prometheus"} / prometheus_rule_group_interval_seconds{job="prometheus"}, "group", "$1", "rule_group", ".*;(.+)"))""", "{{group}}")],
                Unit = "percentunit",
                Min = 0,
                Fill = 0,
                Figure = "max",
            },
            new TimeSeries(8, 8, "Disk of Prometheus", "Bytes of the stored blocks and of the write-ahead log of the newest hours. The line levels off when the oldest samples are deleted.")
            {
                Queries =
                [
                    Query.Of("""prometheus_tsdb_storage_blocks_bytes{job="prometheus"}""", "blocks"),
                    Query.Of("""prometheus_tsdb_wal_storage_size_bytes{job="prometheus"}""", "log of the newest hours"),
                ],
                Unit = "bytes",
                Min = 0,
                Stacked = true,
                Figure = "lastNotNull",
            },
            new TimeSeries(8, 8, "Memory of monitoring programs", "Memory of each monitoring program. If a line rises for days, the kernel will kill the program at some point.")
            {
                Queries = [Query.Top(12, "max by (job, instance) (process_resident_memory_bytes)", "{{instance}}")],
                Unit = "bytes",
                Min = 0,
                Fill = 0,
            },
            new Row("Notifications and logs"),
            new TimeSeries(8, 8, "Alerts in Alertmanager", "Alerts that Alertmanager has: active, and suppressed by a silence or by another alert. The Watchdog is one of them.")
            {
                Queries = [Query.Of("""sum by (state) (alertmanager_alerts{job="alertmanager"})""", "{{state}}")],
                Unit = "suffix:alerts",
                Min = 0,
                Decimals = 0,
            },
            new TimeSeries(8, 8, "Notifications", "Notifications per second by integration. Only integrations that were used.")
            {
                Queries = [Query.Of("""sum by (integration) (rate(alertmanager_notifications_total{job="alertmanager"}[$__rate_interval])) > 0 or 0 * max by (instance) (up{job="alertmanager"})""", "{{integration}}{{instance}}")],
                Unit = "suffix:notifications/s",
                Min = 0,
            },
            new TimeSeries(8, 8, "Log lines on their way", "Lines per second that Alloy sent, that Loki received, that Loki rejected, and that Alloy dropped. Rejected and dropped lines are lost (LogLinesLost).")
            {
                IsAboutLogs = true,
                Queries =
                [
                    Query.Of("""sum(rate(loki_write_sent_entries_total{job="alloy"}[$__rate_interval]))""", "sent"),
                    Query.Of("""sum(rate(loki_distributor_lines_received_total{job="loki"}[$__rate_interval]))""", "taken"),
                    Query.Of("""sum(rate(loki_write_dropped_entries_total{job="alloy"}[$__rate_interval]))""", "given up"),
                    Query.Of("""sum by (reason) (rate(loki_discarded_samples_total{job="loki",reason!="rate_limited"}[$__rate_interval]))""", "refused: {{reason}}"),
                ],
                Unit = "suffix:lines/s",
                Min = 0,
                Fill = 0,
                Overrides =
                [
                    Override.ByName("sent", Set.Color(Colors.Blue)),
                    Override.ByName("taken", Set.Color(Colors.LightBlue)),
                    Override.ByName("given up", Set.Color(Colors.Red)),
                    Override.ByRegex("/^refused/", Set.Color(Colors.Orange)),
                ],
            },
        ])
    {
        Alerts = "Prometheus.+|Alertmanager.+|Config.+|Scrape.+|Target.+|Certificate.+",
        Variables = [],
        Refresh = "30s",
    };
}
