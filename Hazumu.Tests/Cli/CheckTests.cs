using Hazumu.Cli.Doctor;
using Hazumu.Cli.Doctor.Checks;
using Hazumu.Cli.Doctor.Clients;
using Hazumu.Tests.ServiceDefaults;
using Microsoft.AspNetCore.Builder;
using static Hazumu.Tests.Cli.FakeGraph;

namespace Hazumu.Tests.Cli;

/// <summary>What each check says of a graph that is well, and of one that is not.</summary>
public sealed class CheckTests
{
    private const string Targets = "prometheus/api/v1/targets";
    private const string Rules = "prometheus/api/v1/rules";
    private const string Runtime = "prometheus/api/v1/status/runtimeinfo";

    [Fact]
    public async Task Nothing_is_wrong_with_a_graph_that_is_well()
    {
        await using var graph = await StartAsync();
        var results = await CheckRunner.RunAsync(graph.Addresses, CancellationToken.None);

        Assert.All(results, result => Assert.True(result.Outcome == CheckOutcome.Ok, Report.Write(results)));
        Assert.Equal(8, results.Count);
        Assert.EndsWith("Nothing is wrong.", Report.Write(results), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_component_that_is_left_out_is_not_missed()
    {
        await using var graph = await StartAsync();
        var results = await CheckRunner.RunAsync(new DoctorOptions { Gateway = graph.Addresses.Gateway }, CancellationToken.None);

        Assert.DoesNotContain(results, result => result.IsProblem);
        Assert.Equal(["alert path", "cost", "data sources", "retention and disk", "rules", "targets"], results.Where(result => result.Outcome == CheckOutcome.NotApplicable).Select(result => result.Name).Order());
    }

    [Fact]
    public async Task Where_nothing_answers_there_is_one_sentence()
    {
        await using var graph = await StartAsync();
        var addresses = graph.Addresses;
        await graph.DisposeAsync();

        var report = Report.Write(await CheckRunner.RunAsync(addresses, CancellationToken.None));

        Assert.StartsWith($"Nothing answers on {addresses.Prometheus}, ", report, StringComparison.Ordinal);
        Assert.EndsWith("start the backend with ./hazumu up, or give the settings with which it was started.", report, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', report);
    }

    [Fact]
    public async Task A_component_that_does_not_answer_is_reported_once()
    {
        await using var graph = await StartAsync();
        await graph.StopAsync("prometheus");
        var results = await CheckRunner.RunAsync(graph.Addresses, CancellationToken.None);

        var only = Assert.Single(results, result => result.IsProblem);
        Assert.Equal("answers", only.Name);
        Assert.Matches("^prometheus does not answer on http://127.0.0.1:[0-9]+/ \\(.+\\); start it, or correct its port", Assert.Single(only.Findings));
        Assert.Equal("prometheus does not answer", results.Single(result => result.Name == "targets").Summary);
    }

    [Theory]
    [InlineData(503, "Unhealthy", "gateway is unhealthy: it answers http://[0-9.:]+/health with 503 \\(Unhealthy\\); see its log.")]
    [InlineData(404, "", "The program on http://[0-9.:]+/ is not gateway: it has no 'health'; find out which program it is, or correct gateway's port.")]
    public async Task An_unhealthy_component_is_reported(int status, string body, string expected)
    {
        await using var graph = await StartAsync();
        graph.Answer("gateway/health", body, status);

        Assert.Matches($"^{expected}$", Assert.Single((await graph.CheckAsync("answers")).Findings));
    }

    [Fact]
    public async Task A_component_that_says_nothing_is_given_up()
    {
        await using var server = await LocalServer.StartPlainAsync(app => app.MapGet("/", (CancellationToken aborted) => Task.Delay(Timeout.Infinite, aborted)));
        using var http = ComponentClient.CreateHttpClient();
        http.Timeout = TimeSpan.FromSeconds(1);
        var client = new ComponentClient(http, "prometheus", new Uri(server.Url));

        var problem = await Assert.ThrowsAsync<CheckException>(() => client.GetAsync("", CancellationToken.None));

        Assert.Contains("within 1 s", problem.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("targets", Targets)]
    [InlineData("targets", "prometheus/api/v1/query?probe_success == 0")]
    [InlineData("rules", Rules)]
    [InlineData("rules", Runtime)]
    [InlineData("data sources", "grafana/api/datasources")]
    [InlineData("alert path", "alertmanager/api/v2/alerts")]
    [InlineData("clocks", "prometheus/api/v1/query?node_timex_sync_status == 0")]
    [InlineData("retention and disk", Runtime)]
    public async Task An_answer_that_is_none_is_a_problem(string check, string path)
    {
        await using var graph = await StartAsync();
        foreach (var body in new[] { "<html>Welcome</html>", "", "null", "[1]", """{"status": "success"}""", """{"status": "success", "data": {"activeTargets": 5, "result": [{"metric": {}, "value": [1, "x"]}]}}""" })
        {
            graph.Answer(path, body);
            var result = await graph.CheckAsync(check);

            Assert.True(result.IsProblem, body);
            Assert.Contains("with an answer that its API does not have", Assert.Single(result.Findings), StringComparison.Ordinal);
        }

        graph.Answer(path, "out of order", 500);
        Assert.True((await graph.CheckAsync(check)) is { IsProblem: true, Findings: [var finding] } && finding.Contains("out of order", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("down", "connection refused", "blackbox of job blackbox is down: connection refused; see docs/runbooks/ScrapeFailing.md.")]
    [InlineData("unknown", "", "blackbox of job blackbox has not been scraped yet; check again in half a minute.")]
    public async Task A_target_that_is_down_is_reported_with_its_reason(string health, string error, string expected)
    {
        await using var graph = await StartAsync();
        graph.Answer(Targets, Data($$"""{"activeTargets": [{{Target("gateway", "gateway")}}, {{Target("blackbox", "blackbox", health, error)}}]}"""));

        var result = await graph.CheckAsync("targets");
        Assert.Equal([expected], result.Findings);
        Assert.Equal("2 targets of 2 jobs; 1 problem", result.Summary);

        Assert.Equal(CheckOutcome.Ok, (await graph.CheckAsync("targets", addresses => addresses with { LeftOut = ["blackbox"] })).Outcome);
    }

    [Fact]
    public async Task A_job_without_target_is_reported_unless_its_component_is_left_out()
    {
        await using var graph = await StartAsync();
        graph.AnswerQuery("hazumu:expected_job:info", ("""{"job": "gateway"}""", 1), ("""{"job": "engines"}""", 1));

        Assert.Equal(["Job engines has no target, though this installation has its component; see docs/runbooks/TargetMissing.md."], (await graph.CheckAsync("targets")).Findings);
        Assert.Equal(CheckOutcome.Ok, (await graph.CheckAsync("targets", addresses => addresses with { LeftOut = ["cadvisor"] })).Outcome);
    }

    [Fact]
    public async Task A_Prometheus_without_targets_is_reported()
    {
        await using var graph = await StartAsync();
        graph.Answer(Targets, Data("""{"activeTargets": []}"""));

        Assert.Contains((await graph.CheckAsync("targets")).Findings, finding => finding.StartsWith("Prometheus has no targets;", StringComparison.Ordinal));
    }

    [Fact]
    public async Task An_instance_that_fails_its_probe_is_reported()
    {
        await using var graph = await StartAsync();
        graph.AnswerQuery("probe_success == 0", ("""{"job": "engine-health", "instance": "ollama-2"}""", 0));

        Assert.Equal(["ollama-2 does not answer its probe (job engine-health); see docs/runbooks/EngineDown.md."], (await graph.CheckAsync("targets")).Findings);
    }

    [Fact]
    public async Task A_failed_probe_of_an_engine_that_is_left_out_is_not_reported()
    {
        await using var graph = await StartAsync();
        graph.AnswerQuery("probe_success == 0", ("""{"job": "engine-health", "instance": "ollama-2"}""", 0), ("""{"job": "engine-health", "instance": "vllm"}""", 0));

        var findings = (await graph.CheckAsync("targets", addresses => addresses with { LeftOut = ["ollama"] })).Findings;

        Assert.StartsWith("vllm does not answer its probe", Assert.Single(findings), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("", "Prometheus has no rules, so no alert can fire")]
    [InlineData("""{"name": "slo", "interval": 15, "lastEvaluation": "NOW", "rules": [{"name": "GatewayDown", "health": "err", "lastError": "many-to-many"}]}""", "Rule GatewayDown of group slo fails: many-to-many;")]
    [InlineData("""{"name": "slo", "interval": 15, "lastEvaluation": "2020-01-01T00:00:00Z", "rules": []}""", "Group slo is evaluated every 15 s, but was not for 3")]
    public async Task Rules_that_are_missing_failing_or_late_are_reported(string groups, string expected)
    {
        await using var graph = await StartAsync();
        graph.Answer(Rules, Data($$"""{"groups": [{{groups.Replace("NOW", $"{DateTimeOffset.UtcNow:O}", StringComparison.Ordinal)}}]}"""));

        var result = await graph.CheckAsync("rules");
        Assert.True(result.IsProblem);
        Assert.StartsWith(expected, Assert.Single(result.Findings), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Rules_of_a_Prometheus_that_has_just_started_may_wait()
    {
        await using var graph = await StartAsync();
        var now = $"{DateTimeOffset.UtcNow:O}";
        graph.Answer(Runtime, Data($$"""{"startTime": "{{now}}", "lastConfigTime": "{{now}}", "reloadConfigSuccess": true, "storageRetention": "15d"}"""));
        graph.Answer(Rules, Data("""{"groups": [{"name": "slo", "interval": 120, "lastEvaluation": "0001-01-01T00:00:00Z", "rules": [{"name": "a", "health": "unknown"}]}]}"""));

        var result = await graph.CheckAsync("rules");
        Assert.Equal(CheckOutcome.Note, result.Outcome);
        Assert.Equal(["1 rule waits for the first evaluation, which comes within two minutes of the start."], result.Findings);
    }

    [Fact]
    public async Task A_configuration_that_could_not_be_loaded_is_reported()
    {
        await using var graph = await StartAsync();
        graph.Answer(Runtime, Data("""{"startTime": "2026-01-01T00:00:00Z", "lastConfigTime": "2026-01-01T00:00:00Z", "reloadConfigSuccess": false, "storageRetention": "15d"}"""));

        Assert.StartsWith("Prometheus could not load its configuration", Assert.Single((await graph.CheckAsync("rules")).Findings), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Grafana_is_queried_as_its_administrator()
    {
        await using var graph = await StartAsync();
        graph.Login = "root:se:cret";

        Assert.StartsWith("Grafana refuses 'admin' as administrator: set the right GRAFANA_ADMIN_PASSWORD", Assert.Single((await graph.CheckAsync("data sources")).Findings), StringComparison.Ordinal);
        Assert.Equal(CheckOutcome.Ok, (await graph.CheckAsync("data sources", addresses => addresses with { GrafanaUser = "root", GrafanaPassword = "se:cret" })).Outcome);
    }

    [Theory]
    [InlineData("uid/hazumu-prometheus/health", 400, """{"status": "ERROR", "message": "connection refused"}""", "Grafana gets no answer from Prometheus (http://prometheus:9090): connection refused;")]
    [InlineData("uid/hazumu-prometheus/health", 200, """{"status": "ERROR", "message": "no data"}""", "Grafana gets no answer from Prometheus (http://prometheus:9090): no data;")]
    [InlineData("proxy/uid/alertmanager/api/v2/status", 502, "bad gateway", "Grafana gets no answer from Alertmanager (http://alertmanager:9093): 502, bad gateway;")]
    public async Task A_data_source_that_does_not_answer_is_reported(string path, int status, string body, string expected)
    {
        await using var graph = await StartAsync();
        graph.Answer($"grafana/api/datasources/{path}", body, status);

        Assert.StartsWith(expected, Assert.Single((await graph.CheckAsync("data sources")).Findings), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_missing_data_source_is_reported_and_one_without_address_skipped()
    {
        await using var graph = await StartAsync();
        graph.Answer("grafana/api/datasources", """[{"uid": "alertmanager", "name": "Alertmanager", "type": "alertmanager", "url": ""}]""");

        var result = await graph.CheckAsync("data sources");
        Assert.StartsWith("Grafana has no data source with the uid 'hazumu-prometheus'", Assert.Single(result.Findings), StringComparison.Ordinal);
        Assert.StartsWith("0 data sources", result.Summary, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_test_alert_says_that_nothing_is_wrong_and_resolves_at_once()
    {
        await using var graph = await StartAsync();
        var result = await graph.CheckAsync("alert path");

        Assert.Equal("Prometheus to Alertmanager, Alertmanager to people by webhook", result.Summary);
        Assert.Equal(2, graph.Posted.Count);
        Assert.All(graph.Posted, alert => Assert.Equal(("HazumuTest", "info"), ((string?)alert["labels"]!["alertname"], (string?)alert["labels"]!["severity"])));
        Assert.Single(graph.Posted.Select(alert => (string?)alert["labels"]!["run"]).Distinct());
        Assert.Contains("nothing is wrong", (string?)graph.Posted[0]["annotations"]!["summary"], StringComparison.Ordinal);
        Assert.Null(graph.Posted[0]["endsAt"]);
        Assert.True((DateTimeOffset)graph.Posted[1]["endsAt"]! <= DateTimeOffset.UtcNow.AddSeconds(1));
    }

    [Fact]
    public async Task A_receiver_that_refuses_is_reported_beside_one_that_accepts()
    {
        await using var graph = await StartAsync();
        graph.Ways["slack"] = false;

        var result = await graph.CheckAsync("alert path");
        Assert.True(result.IsProblem);
        Assert.StartsWith("Alertmanager cannot deliver to the receiver 'people' by slack;", Assert.Single(result.Findings), StringComparison.Ordinal);
        Assert.NotNull(graph.Posted[^1]["endsAt"]);
    }

    [Fact]
    public async Task A_receiver_that_does_not_answer_is_reported()
    {
        await using var graph = await StartAsync();
        graph.Ways["webhook"] = null;

        using var http = ComponentClient.CreateHttpClient();
        var snapshot = await GraphSnapshot.TakeAsync(http, graph.Addresses, CancellationToken.None);
        var result = await new AlertPathCheck(answerLimit: TimeSpan.FromSeconds(1)).RunAsync(snapshot, CancellationToken.None);

        Assert.StartsWith("The receiver 'people' did not answer Alertmanager by webhook within 1 s;", Assert.Single(result.Findings), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Having_no_receiver_is_a_note()
    {
        await using var graph = await StartAsync();
        graph.Ways.Clear();

        var result = await graph.CheckAsync("alert path");
        Assert.Equal(CheckOutcome.Note, result.Outcome);
        Assert.StartsWith("Alertmanager has no receiver: alerts are only on its page;", Assert.Single(result.Findings), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_silence_is_a_note()
    {
        await using var graph = await StartAsync();
        graph.Silence = "abc";

        var result = await graph.CheckAsync("alert path");
        Assert.Equal(CheckOutcome.Note, result.Outcome);
        Assert.StartsWith("The test alert is silenced (silence abc)", Assert.Single(result.Findings), StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_alert_that_does_not_reach_Alertmanager_is_reported_with_its_address()
    {
        await using var graph = await StartAsync();
        graph.HasWatchdog = false;
        Assert.Contains("Prometheus sends alerts to http://elsewhere:9093/api/v2/alerts;", Assert.Single((await graph.CheckAsync("alert path")).Findings), StringComparison.Ordinal);

        graph.Answer("prometheus/api/v1/alertmanagers", Data("""{"activeAlertmanagers": []}"""));
        Assert.StartsWith("Prometheus has no Alertmanager to send alerts to;", Assert.Single((await graph.CheckAsync("alert path")).Findings), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_Watchdog_that_is_missing_right_after_a_start_is_no_finding(bool isPrometheusNew)
    {
        await using var graph = await StartAsync();
        graph.HasWatchdog = false;
        if (isPrometheusNew)
        {
            graph.SetPrometheusUptime(TimeSpan.FromSeconds(20));
        }
        else
        {
            graph.AlertmanagerUptime = TimeSpan.FromSeconds(20);
        }

        var result = await graph.CheckAsync("alert path");
        Assert.Equal((CheckOutcome.Ok, 0), (result.Outcome, result.Findings.Count));
        Assert.StartsWith("Prometheus to Alertmanager not yet (started less than 2 minutes ago), ", result.Summary, StringComparison.Ordinal);

        graph.SetPrometheusUptime(TimeSpan.FromMinutes(3));
        graph.AlertmanagerUptime = TimeSpan.FromMinutes(3);
        Assert.Equal(CheckOutcome.Problem, (await graph.CheckAsync("alert path")).Outcome);
    }

    [Theory]
    [InlineData(-10)]
    [InlineData(10)]
    public async Task The_age_of_an_alert_is_measured_by_Alertmanagers_clock(int minutes)
    {
        await using var graph = await StartAsync();
        graph.Skew = TimeSpan.FromMinutes(minutes);

        Assert.Equal(CheckOutcome.Ok, (await graph.CheckAsync("alert path")).Outcome);
        // Over by that clock too: it would go on for ten minutes, or end before it began.
        Assert.InRange((DateTimeOffset)graph.Posted[1]["endsAt"]! - (DateTimeOffset.UtcNow + graph.Skew), TimeSpan.FromSeconds(-10), TimeSpan.FromSeconds(2));

        graph.WatchdogAge = TimeSpan.FromMinutes(5);
        Assert.StartsWith("The alert Watchdog, which always fires, is not at Alertmanager:", Assert.Single((await graph.CheckAsync("alert path")).Findings), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_test_alert_that_is_lost_ends_by_Alertmanagers_own_clock()
    {
        await using var graph = await StartAsync();
        graph.Skew = TimeSpan.FromMinutes(-10);
        graph.IsTestAlertLost = true;

        Assert.StartsWith("Alertmanager took the test alert but does not list it", Assert.Single((await graph.CheckAsync("alert path")).Findings), StringComparison.Ordinal);
        Assert.InRange((DateTimeOffset)graph.Posted[1]["endsAt"]! - (DateTimeOffset.UtcNow + graph.Skew), TimeSpan.FromSeconds(-10), TimeSpan.FromSeconds(2));
    }

    [Fact]
    public async Task Metrics_that_do_not_distinguish_receivers_are_reported()
    {
        await using var graph = await StartAsync();
        graph.Answer("alertmanager/metrics", "alertmanager_notification_requests_total{integration=\"webhook\"} 5\n");

        Assert.Contains("--enable-feature=receiver-name-in-metrics", Assert.Single((await graph.CheckAsync("alert path")).Findings), StringComparison.Ordinal);
        Assert.Empty(graph.Posted);
    }

    [Fact]
    public async Task Wrong_clocks_are_reported()
    {
        await using var graph = await StartAsync();
        graph.Skew = TimeSpan.FromMinutes(-1);
        graph.AnswerQuery("node_time_seconds - timestamp(node_time_seconds)", ("""{"instance": "nodeexporter"}""", 30), ("""{"instance": "other"}""", -4));

        var result = await graph.CheckAsync("clocks");
        Assert.Equal(2, result.Findings.Count);
        Assert.Matches("^alertmanager's clock is (59|60|61) s behind this machine's, ", result.Findings[0]);
        Assert.StartsWith("The clock of the host of nodeexporter is 30 s ahead of Prometheus', ", result.Findings[1], StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_clock_that_nothing_keeps_right_is_a_note()
    {
        await using var graph = await StartAsync();
        graph.AnswerQuery("node_timex_sync_status == 0", ("""{"instance": "nodeexporter"}""", 0));

        Assert.Equal(CheckOutcome.Note, (await graph.CheckAsync("clocks")).Outcome);
    }

    [Fact]
    public async Task The_cost_of_monitoring_is_reported_by_component()
    {
        await using var graph = await StartAsync();
        Assert.Equal("1.5 % of one core, 130 MB, 2,500 series (cadvisor 0.5 % 70 MB, prometheus 1.0 % 60 MB)", (await graph.CheckAsync("cost")).Summary);
    }

    [Fact]
    public async Task Watching_that_costs_too_much_is_a_note()
    {
        await using var graph = await StartAsync();
        graph.AnswerQuery(CostCheck.Memory, ("""{"service": "prometheus"}""", 601e6));
        graph.AnswerQuery(CostCheck.Cpu, ("""{"service": "prometheus"}""", 0.06));
        graph.AnswerQuery(CostCheck.Series, ("{}", 5001));

        var result = await graph.CheckAsync("cost");
        Assert.Equal((CheckOutcome.Note, 3), (result.Outcome, result.Findings.Count));
        Assert.StartsWith("The monitoring takes 6.0 % of one core, more than 5.0 %, the limit without load", result.Findings[0], StringComparison.Ordinal);
    }

    [Fact]
    public async Task Without_cAdvisor_the_cost_is_unknown()
    {
        await using var graph = await StartAsync();
        graph.AnswerQuery(CostCheck.Memory);
        Assert.Equal(CheckOutcome.NotApplicable, (await graph.CheckAsync("cost")).Outcome);
    }

    [Fact]
    public async Task The_disk_is_the_one_with_the_engines_volumes()
    {
        await using var graph = await StartAsync();
        Assert.Equal("kept for 15d, at 100 samples/s 247.2 MiB in the end, 1 MiB now, 46.6 GiB free on /var/lib", (await graph.CheckAsync("retention and disk")).Summary);
        Assert.EndsWith("953.7 MiB free on /", (await graph.CheckAsync("retention and disk", addresses => addresses with { VolumesFolder = "/data/docker" })).Summary, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Volumes_may_be_a_disk_of_their_own()
    {
        await using var graph = await StartAsync();
        graph.AnswerQuery(Disks, ("""{"mountpoint": "/"}""", 1e9), ("""{"mountpoint": "/var/lib/docker"}""", 2e9), ("""{"mountpoint": "/var/lib/docker/volumes"}""", 3e9));
        Assert.EndsWith("2.8 GiB free on /var/lib/docker/volumes", (await graph.CheckAsync("retention and disk")).Summary, StringComparison.Ordinal);

        // Docker's folder is closed to all but root, and the node exporter is nobody.
        graph.AnswerQuery(Disks, ("""{"mountpoint": "/var/lib/docker"}""", 2e9), ("""{"mountpoint": "/var/lib/docker/volumes", "device_error": "permission denied"}""", 1));
        var result = await graph.CheckAsync("retention and disk");
        Assert.Equal(CheckOutcome.Note, result.Outcome);
        Assert.StartsWith("How much space is left on /var/lib/docker/volumes, which has the volumes, is unknown: the node exporter may not read it (permission denied);", Assert.Single(result.Findings), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Samples_that_will_not_fit_are_reported()
    {
        await using var graph = await StartAsync();
        graph.AnswerQuery("sum(rate(prometheus_tsdb_head_samples_appended_total{job=\"prometheus\"}[2m]))", ("{}", 100_000));

        var result = await graph.CheckAsync("retention and disk");
        Assert.True(result.IsProblem);
        Assert.StartsWith("Samples of 15d will need 241.4 GiB more, and /var/lib has 46.6 GiB left; shorten Hazumu:Prometheus:Retention", Assert.Single(result.Findings), StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_unknown_disk_size_is_a_note()
    {
        await using var graph = await StartAsync();
        graph.AnswerQuery(Disks);
        Assert.Equal((CheckOutcome.Note, 1), await ResultAsync());

        graph.AnswerQuery("max(time() - process_start_time_seconds{job=\"prometheus\"})", ("{}", 20));
        Assert.Equal((CheckOutcome.Note, 1), await ResultAsync());

        async Task<(CheckOutcome, int)> ResultAsync() => await graph.CheckAsync("retention and disk") is var result ? (result.Outcome, result.Findings.Count) : default;
    }

    [Theory]
    [InlineData("15d", 15 * 86_400 * 2.0)]
    [InlineData("1w2d12h", ((9 * 86_400) + 43_200) * 2.0)]
    [InlineData("1y", 365 * 86_400 * 2.0)]
    [InlineData("90m30s", 5430 * 2.0)]
    [InlineData("512MiB", 512.0 * (1 << 20))]
    [InlineData("1h or 512MiB", 7200.0)]
    [InlineData("1y or 1.5KiB", 1536.0)]
    public void A_retention_is_a_duration_a_size_or_both(string retention, double bytes) => Assert.Equal(bytes, DiskCheck.Predict(retention, rate: 1));

    [Theory]
    [InlineData("")]
    [InlineData("soon")]
    [InlineData("15d or soon")]
    public void A_malformed_retention_is_reported(string retention) =>
        Assert.Contains("neither a duration nor a size", Assert.Throws<CheckException>(() => DiskCheck.Predict(retention, rate: 1)).Message, StringComparison.Ordinal);
}
