using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using Hazumu.Cli.Doctor;
using Hazumu.Cli.Doctor.Checks;
using Hazumu.Tests.ServiceDefaults;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;

namespace Hazumu.Tests.Cli;

/// <summary>A graph that answers as a well one does, until a test has it answer otherwise.</summary>
internal sealed class FakeGraph : IAsyncDisposable
{
    /// <summary>What Prometheus is asked for disks.</summary>
    public const string Disks = "node_filesystem_avail_bytes or node_filesystem_device_error == 1";

    private readonly Dictionary<string, (int Status, string Body)> _answers = [];
    private readonly Dictionary<string, LocalServer> _servers = [];
    private readonly List<JsonNode> _posted = [];

    private FakeGraph()
    {
        foreach (var path in new[] { "prometheus/-/ready", "alertmanager/-/ready", "grafana/api/health", "gateway/health" })
        {
            _answers[path] = (200, "");
        }

        var now = DateTimeOffset.UtcNow;
        Answer("prometheus/api/v1/targets", Data($$"""{"activeTargets": [{{Target("prometheus", "prometheus")}}, {{Target("gateway", "gateway")}}]}"""));
        Answer("prometheus/api/v1/rules", Data($$"""{"groups": [{"name": "one", "interval": 15, "lastEvaluation": "{{now:O}}", "rules": [{"name": "a:b", "health": "ok"}]}]}"""));
        Answer("prometheus/api/v1/status/runtimeinfo", Data($$"""{"startTime": "{{now.AddHours(-1):O}}", "lastConfigTime": "{{now.AddHours(-1):O}}", "reloadConfigSuccess": true, "storageRetention": "15d"}"""));
        Answer("prometheus/api/v1/alertmanagers", Data("""{"activeAlertmanagers": [{"url": "http://elsewhere:9093/api/v2/alerts"}]}"""));
        AnswerQuery("hazumu:expected_job:info", ("""{"job": "gateway"}""", 1));
        AnswerQuery("sum(rate(prometheus_tsdb_head_samples_appended_total{job=\"prometheus\"}[2m]))", ("{}", 100));
        AnswerQuery("max(time() - process_start_time_seconds{job=\"prometheus\"})", ("{}", 3600));
        AnswerQuery("max(prometheus_tsdb_storage_blocks_bytes{job=\"prometheus\"})", ("{}", 1 << 20));
        AnswerQuery(Disks, ("""{"mountpoint": "/"}""", 1e9), ("""{"mountpoint": "/var/lib"}""", 50e9), ("""{"mountpoint": "/var/lib/doc"}""", 1));
        AnswerQuery(CostCheck.Memory, ("""{"service": "prometheus"}""", 60e6), ("""{"service": "cadvisor"}""", 70e6));
        AnswerQuery(CostCheck.Cpu, ("""{"service": "prometheus"}""", 0.01), ("""{"service": "cadvisor"}""", 0.005));
        AnswerQuery(CostCheck.Series, ("{}", 2500));
        AnswerQuery("node_time_seconds - timestamp(node_time_seconds)", ("""{"instance": "nodeexporter"}""", 0.01));
        Answer("grafana/api/datasources", """[{"uid": "hazumu-prometheus", "name": "Prometheus", "type": "prometheus", "url": "http://prometheus:9090"}, {"uid": "alertmanager", "name": "Alertmanager", "type": "alertmanager", "url": "http://alertmanager:9093"}]""");
        Answer("grafana/api/datasources/uid/hazumu-prometheus/health", """{"status": "OK", "message": "Successfully queried the Prometheus API."}""");
        Answer("grafana/api/datasources/proxy/uid/alertmanager/api/v2/status", """{"cluster": {}}""");
    }

    /// <summary>Who may ask Grafana.</summary>
    public string Login { get; set; } = "admin:admin";

    /// <summary>Whether the alert that always fires is at Alertmanager.</summary>
    public bool HasWatchdog { get; set; } = true;

    /// <summary>Whether Alertmanager takes the test alert and forgets it.</summary>
    public bool IsTestAlertLost { get; set; }

    /// <summary>How long ago Alertmanager heard of the alert that always fires.</summary>
    public TimeSpan WatchdogAge { get; set; }

    /// <summary>How long Alertmanager has been running.</summary>
    public TimeSpan AlertmanagerUptime { get; set; } = TimeSpan.FromHours(1);

    /// <summary>Says how long Prometheus has been running.</summary>
    public void SetPrometheusUptime(TimeSpan uptime) =>
        Answer("prometheus/api/v1/status/runtimeinfo", Data($$"""{"startTime": "{{DateTimeOffset.UtcNow - uptime:O}}", "lastConfigTime": "{{DateTimeOffset.UtcNow - uptime:O}}", "reloadConfigSuccess": true, "storageRetention": "15d"}"""));

    /// <summary>The ways that are set up for people, and whether each answers Alertmanager well, badly or not at all.</summary>
    public Dictionary<string, bool?> Ways { get; } = new() { ["webhook"] = true };

    /// <summary>The silence of the test alert.</summary>
    public string? Silence { get; set; }

    /// <summary>How far Alertmanager's clock is from the right time.</summary>
    public TimeSpan Skew { get; set; }

    /// <summary>The alerts that were posted.</summary>
    public IReadOnlyList<JsonNode> Posted => _posted;

    /// <summary>The graph's addresses.</summary>
    public DoctorOptions Addresses => new()
    {
        Prometheus = new(_servers["prometheus"].Url),
        Alertmanager = new(_servers["alertmanager"].Url),
        Grafana = new(_servers["grafana"].Url),
        Gateway = new(_servers["gateway"].Url),
    };

    public static async Task<FakeGraph> StartAsync()
    {
        var graph = new FakeGraph();
        foreach (var component in new[] { "prometheus", "alertmanager", "grafana", "gateway" })
        {
            graph._servers[component] = await LocalServer.StartPlainAsync(app => app.MapFallback(context => graph.AnswerAsync(component, context)));
        }

        return graph;
    }

    public static string Target(string job, string instance, string health = "up", string error = "") =>
        $$"""{"labels": {"job": "{{job}}", "instance": "{{instance}}"}, "health": "{{health}}", "lastError": "{{error}}"}""";

    public static string Data(string data) => $$"""{"status": "success", "data": {{data}}}""";

    /// <summary>Has a component answer a path.</summary>
    public void Answer(string path, string body, int status = 200) => _answers[path] = (status, body);

    /// <summary>Has Prometheus answer a query with a vector.</summary>
    public void AnswerQuery(string expression, params (string Labels, double Value)[] series)
    {
        var result = string.Join(", ", series.Select(one => string.Create(CultureInfo.InvariantCulture, $$"""{"metric": {{one.Labels}}, "value": [1700000000.5, "{{one.Value}}"]}""")));
        Answer($"prometheus/api/v1/query?{expression}", Data($$"""{"resultType": "vector", "result": [{{result}}]}"""));
    }

    /// <summary>Stops a component.</summary>
    public ValueTask StopAsync(string component) => _servers[component].DisposeAsync();

    /// <summary>Looks, and gives the result of one check.</summary>
    public async Task<CheckResult> CheckAsync(string name, Func<DoctorOptions, DoctorOptions>? change = null) =>
        (await CheckRunner.RunAsync(change is null ? Addresses : change(Addresses), CancellationToken.None)).Single(result => result.Name == name);

    public async ValueTask DisposeAsync()
    {
        foreach (var server in _servers.Values)
        {
            await server.DisposeAsync();
        }
    }

    private async Task AnswerAsync(string component, HttpContext context)
    {
        if (component == "alertmanager" && Skew != TimeSpan.Zero)
        {
            context.Response.Headers.Date = (DateTimeOffset.UtcNow + Skew).ToString("R");
        }

        var path = component + context.Request.Path;
        if (component == "grafana" && path != "grafana/api/health"
            && context.Request.Headers.Authorization != $"Basic {Convert.ToBase64String(System.Text.Encoding.UTF8.GetBytes(Login))}")
        {
            context.Response.StatusCode = 401;
            await context.Response.WriteAsync("""{"message": "Invalid username or password"}""");
            return;
        }

        if (path == "prometheus/api/v1/query")
        {
            path = $"{path}?{context.Request.Query["query"]}";
            _answers.TryAdd(path, (200, Data("""{"resultType": "vector", "result": []}""")));
        }

        var (status, body) = _answers.TryGetValue(path, out var answer) ? answer : await AnswerForAlertmanagerAsync(path, context.Request) is { } made ? (200, made) : (404, "not found");
        context.Response.StatusCode = status;
        await context.Response.WriteAsync(body);
    }

    private async Task<string?> AnswerForAlertmanagerAsync(string path, HttpRequest request)
    {
        if (path == "alertmanager/metrics")
        {
            var tried = _posted.Count(alert => alert["endsAt"] is null);
            return string.Concat(Ways.Select(way =>
                $"alertmanager_notification_requests_total{{integration=\"{way.Key}\",receiver_name=\"people\"}} {(way.Value is null ? 0 : tried)}\n"
                + $"alertmanager_notification_requests_failed_total{{integration=\"{way.Key}\",receiver_name=\"people\"}} {(way.Value == false ? tried : 0)}\n"))
                + "alertmanager_notification_requests_total{integration=\"webhook\",receiver_name=\"heartbeat\"} 5\n";
        }

        if (path == "alertmanager/api/v2/status")
        {
            return $$"""{"uptime": "{{DateTimeOffset.UtcNow + Skew - AlertmanagerUptime:O}}"}""";
        }

        if (path != "alertmanager/api/v2/alerts")
        {
            return null;
        }

        if (request.Method == "POST")
        {
            _posted.AddRange((await JsonSerializer.DeserializeAsync<JsonArray>(request.Body))!.Select(alert => alert!.DeepClone()));
            return "";
        }

        var isWatchdog = request.Query["filter"] == "alertname=\"Watchdog\"";
        var updatedAt = DateTimeOffset.UtcNow + Skew - (isWatchdog ? WatchdogAge : TimeSpan.Zero);
        return (isWatchdog ? !HasWatchdog : IsTestAlertLost) ? "[]"
            : $$"""[{"status": {"state": "{{(Silence is null || isWatchdog ? "active" : "suppressed")}}", "silencedBy": ["{{Silence}}"]}, "updatedAt": "{{updatedAt:O}}", "receivers": [{"name": "people"}]}]""";
    }
}
