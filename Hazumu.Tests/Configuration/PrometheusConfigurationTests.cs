using System.Text.Json;
using System.Text.RegularExpressions;
using Hazumu.Testing;

namespace Hazumu.Tests.Configuration;

public sealed partial class PrometheusConfigurationTests
{
    private const string File = "/etc/prometheus/prometheus.yml";

    // A published application has those only with a further Compose file.
    private static readonly string[] s_ofOptions = ["/etc/prometheus-targets-*.json", "/etc/prometheus-engine-health-*.json"];

    private static readonly string[] s_options =
    [
        .. new[] { "nvidia", "amd", "logs" }.Select(option => $"prometheus-targets-{option}.json"),
        .. new[] { "gguf", "huggingface" }.Select(option => $"prometheus-engine-health-{option}.json"),
    ];

    private static readonly string s_targets = RepositoryRoot.Combine("Hazumu.Tests", "Configuration", "Targets");

    [Fact]
    public async Task Promtool_accepts_the_configuration_and_its_targets()
    {
        Skip.IfMissing(Component.Prometheus);

        var check = await RunAsync(s_targets, "check", "config", File);

        Assert.True(check.Succeeded, check.Output);
        Assert.DoesNotContain("WARNING", check.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Promtool_accepts_what_is_published()
    {
        Skip.IfMissing(Component.Prometheus);

        var check = await RunAsync(Path.Combine(Published.Compose, "prometheus-targets"), "check", "config", File);

        Assert.True(check.Succeeded, check.Output);
        Assert.DoesNotContain("WARNING", check.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Engines_are_probed_by_the_Blackbox_exporter_as_their_kind_wants()
    {
        Skip.IfMissing(Component.Prometheus);

        var targets = await DiscoverAsync("engine-health");

        Assert.Equal(["llamaserver", "ollama", "ollama-2", "vllm"], targets.Select(target => target["instance"]));
        Assert.Equal(["llama-server", "ollama", "ollama", "vllm"], targets.Select(target => target["engine"]));
        Assert.Equal(["http://llamaserver:8080/health", "http://ollama:11434/", "http://ollama-2:11434/", "http://vllm:8000/health"], targets.Select(target => target["__param_target"]));
        Assert.Equal(["engine_health", "ollama_health", "ollama_health", "engine_health"], targets.Select(target => target["__param_module"]));
        Assert.All(targets, target =>
        {
            Assert.Equal("blackbox:9115", target["__address__"]);
            Assert.Equal("/probe", target["__metrics_path__"]);
        });
    }

    [Fact]
    public async Task A_service_names_its_own_job_and_path()
    {
        Skip.IfMissing(Component.Prometheus);

        var target = Assert.Single(await DiscoverAsync("services"), target => target["instance"] == "gateway");

        Assert.Equal(("gateway", "gateway:8080", "/internal/metrics"), (target["job"], target["__address__"], target["__metrics_path__"]));
    }

    [Fact]
    public async Task Targets_of_a_further_Compose_file_are_found()
    {
        Skip.IfMissing(Component.Prometheus);

        var addresses = (await DiscoverAsync("services")).Select(target => target["__address__"]).ToList();

        Assert.All(["gpuexporter:5000", "gpuexporter:9835", "loki:3100", "alloy:12345"], address => Assert.Contains(address, addresses));
    }

    [Fact]
    public void Every_job_but_Prometheus_own_has_a_target_file_of_its_name()
    {
        var jobs = PrometheusConfiguration.Read().ScrapeConfigs;

        Assert.Equal(["prometheus", "cadvisor", "engines", "blackbox", "engine-health", "services"], jobs.Select(job => job.JobName));
        Assert.All(jobs.Skip(1), job => Assert.Equal([$"/etc/prometheus-targets/{job.JobName}.json"], job.FileSdConfigs.SelectMany(discovery => discovery.Files).Except(s_ofOptions)));
    }

    [Fact]
    public void Everything_is_measured_every_15_seconds()
    {
        var global = PrometheusConfiguration.Read().Global;

        Assert.Equal(("15s", "15s"), (global.ScrapeInterval, global.EvaluationInterval));
    }

    [Fact]
    public void The_probe_uses_modules_that_exist()
    {
        var job = PrometheusConfiguration.Read().Job("engine-health");
        var modules = job.Params["module"].Concat(job.RelabelConfigs.Where(rule => rule.TargetLabel == "__param_module").Select(rule => rule.Replacement)).ToList();

        Assert.Equal(2, modules.Count);
        Assert.All(modules, module => Assert.Contains(module, BlackboxConfiguration.Read().Modules.Keys));
    }

    [Theory]
    [InlineData("cadvisor")]
    [InlineData("engines")]
    public void cAdvisor_metrics_that_dashboards_read_are_kept(string job)
    {
        var keep = Assert.Single(PrometheusConfiguration.Read().Job(job).MetricRelabelConfigs, rule => rule.SourceLabels.SequenceEqual(["service", "__name__"]));
        var metrics = DashboardSet.Expressions().SelectMany(expression => CAdvisorMetric().Matches(expression.Expression)).Select(match => match.Value).Distinct().ToList();

        Assert.Equal("keep", keep.Action);
        Assert.NotEmpty(metrics);
        Assert.All(metrics, metric =>
        {
            var service = metric.StartsWith("machine_", StringComparison.Ordinal) ? "" : "ollama";
            Assert.Matches($"^(?:{keep.Regex})$", $"{service}{keep.Separator}{metric}");
        });
        Assert.DoesNotMatch($"^(?:{keep.Regex})$", $"{keep.Separator}container_cpu_usage_seconds_total");
        Assert.DoesNotMatch($"^(?:{keep.Regex})$", $"ollama{keep.Separator}container_tasks_state");
    }

    /// <summary>Runs promtool where Prometheus would find its configuration and its targets.</summary>
    private static Task<CliResult> RunAsync(string targets, params string[] arguments) => Promtool.RunWithVolumesAsync(
        s_options.Select(file => $"{Path.Combine(Published.Compose, file)}:/etc/{file}:ro").Prepend($"{targets}:/etc/prometheus-targets:ro"),
        arguments);

    private static async Task<List<Dictionary<string, string>>> DiscoverAsync(string job)
    {
        var discovery = await RunAsync(s_targets, "check", "service-discovery", "--timeout=3s", File, job);

        Assert.True(discovery.Succeeded, discovery.Output);
        return [.. JsonSerializer.Deserialize<JsonElement>(discovery.Output).EnumerateArray()
            .Select(target => target.GetProperty("labels").Deserialize<Dictionary<string, string>>()!)
            .OrderBy(labels => labels["instance"], StringComparer.Ordinal)];
    }

    [GeneratedRegex(@"\b(container|machine)_\w+")]
    private static partial Regex CAdvisorMetric();
}
