using System.Text.RegularExpressions;
using Hazumu.Testing;
using Hazumu.Tests.Configuration;
using k8s.Models;
using YamlDotNet.Serialization;
using YamlDotNet.Serialization.NamingConventions;

namespace Hazumu.Tests.Chart;

/// <summary>Prometheus' configuration in the cluster: the repository's jobs and labels, found by discovery.</summary>
public sealed partial class ChartPrometheusTests
{
    private const string Expected = "rules/expected.yaml";

    // A node's answer, as the kubelet gives it: pods by name, each once as a whole, once by container and once by its sandbox.
    private const string Kubelet = """
        container_cpu_usage_seconds_total{container="",cpu="total",id="/",image="",name="",namespace="",pod=""} 1
        container_cpu_usage_seconds_total{container="",cpu="total",id="/kubepods/pod1",image="",name="",namespace="inference",pod="hazumu-ollama-0"} 1
        container_cpu_usage_seconds_total{container="ollama",cpu="total",id="/kubepods/pod1/a",image="docker.io/ollama/ollama",name="a",namespace="inference",pod="hazumu-ollama-0"} 1
        container_start_time_seconds{container="ollama",id="/kubepods/pod1/a",image="docker.io/ollama/ollama",name="a",namespace="inference",pod="hazumu-ollama-0"} 1
        container_tasks_state{container="ollama",id="/kubepods/pod1/a",image="docker.io/ollama/ollama",name="a",namespace="inference",pod="hazumu-ollama-0",state="running"} 1
        container_network_receive_bytes_total{container="",id="/kubepods/pod1/s",image="registry.k8s.io/pause",interface="eth0",name="s",namespace="inference",pod="hazumu-ollama-0"} 1
        container_memory_rss{container="POD",id="/kubepods/pod1/s",image="registry.k8s.io/pause",name="s",namespace="inference",pod="hazumu-ollama-0"} 1
        container_memory_rss{container="gateway",id="/kubepods/pod2/a",image="x",name="b",namespace="inference",pod="hazumu-gateway-7c9f6d5b8-x2x4z"} 1
        container_memory_rss{container="gateway",id="/kubepods/pod3/a",image="x",name="c",namespace="inference",pod="hazumu-gateway-7c9f6d5b8-q7w8e"} 1
        container_memory_rss{container="blackbox",id="/kubepods/pod4/a",image="x",name="d",namespace="inference",pod="hazumu-blackbox-5d8f9c7b6-aaaaa"} 1
        container_memory_rss{container="prometheus",id="/kubepods/pod5/a",image="x",name="e",namespace="inference",pod="hazumu-prometheus-0"} 1
        container_memory_rss{container="loki",id="/kubepods/pod9/a",image="x",name="i",namespace="inference",pod="hazumu-loki-0"} 1
        container_memory_rss{container="alloy",id="/kubepods/pod10/a",image="x",name="j",namespace="inference",pod="hazumu-alloy-0"} 1
        container_memory_rss{container="access",id="/kubepods/pod11/a",image="x",name="k",namespace="inference",pod="hazumu-access-01234567-h2k4m"} 1
        container_memory_rss{container="nodeexporter",id="/kubepods/pod6/a",image="x",name="f",namespace="hazumu-host",pod="hazumu-nodeexporter-k5j6h"} 1
        container_memory_rss{container="ollama",id="/kubepods/pod7/a",image="x",name="g",namespace="other",pod="hazumu-ollama-0"} 1
        container_memory_rss{container="x",id="/kubepods/pod8/a",image="x",name="h",namespace="inference",pod="somebody-else-0"} 1
        machine_cpu_cores{boot_id="b",machine_id="m",system_uuid="s"} 8
        """;

    [Theory]
    [InlineData("nvidia", "https://prometheus.example/user/", "https://grafana.example")]
    [InlineData("least", "http://hazumu-prometheus:9090/user/", null)]
    public async Task Alerts_link_to_the_runbooks_that_Prometheus_serves_and_to_Grafana(string values, string url, string? grafana)
    {
        Skip.If(Helm.Missing);

        var rendering = await Rendering.OfAsync(values);
        var pod = rendering.Workloads["prometheus"].Pod;
        var mount = pod.Containers[0].VolumeMounts.Single(one => one.Name == "runbooks");
        var volume = pod.Volumes.Single(volume => volume.Name == "runbooks").ConfigMap;
        var runbooks = rendering.The<V1ConfigMap>(volume.Name).Data;

        Assert.Equal(url, pod.Containers[0].Env.Single(variable => variable.Name == "RUNBOOK_URL").Value);
        Assert.Equal(grafana, pod.Containers[0].Env.SingleOrDefault(variable => variable.Name == "GRAFANA_URL")?.Value);
        Assert.Contains($"--web.user-assets={mount.MountPath}", pod.Containers[0].Args);
        Assert.Equal(
            Directory.EnumerateFiles(RepositoryRoot.Combine("docs", "runbooks"), "*", SearchOption.AllDirectories)
                .ToDictionary(file => Path.GetRelativePath(RepositoryRoot.Combine("docs", "runbooks"), file).Replace('\\', '/'), File.ReadAllText),
            volume.Items.ToDictionary(item => item.Path, item => runbooks[item.Key]));
    }

    [Theory]
    [InlineData("least")]
    [InlineData("nvidia")]
    public async Task The_jobs_are_the_repositorys(string values)
    {
        Skip.If(Helm.Missing);

        var jobs = (await ReadAsync(values)).ScrapeConfigs;

        Assert.Equal(PrometheusConfiguration.Read().ScrapeConfigs.Select(job => job.JobName), jobs.Select(job => job.JobName));
        Assert.All(jobs.Skip(1), job =>
        {
            Assert.Empty(job.FileSdConfigs);
            Assert.NotEmpty(job.KubernetesSdConfigs);
            Assert.DoesNotContain(job.MetricRelabelConfigs.SelectMany(rule => rule.SourceLabels), label => label.StartsWith("container_label_", StringComparison.Ordinal));
        });
        Assert.Single((await ReadAsync(values)).Alerting.Alertmanagers);
    }

    [Fact]
    public async Task A_job_whose_component_is_left_out_is_left_out()
    {
        Skip.If(Helm.Missing);
        Assert.Equal(["prometheus", "services"], (await ReadAsync("bare")).ScrapeConfigs.Select(job => job.JobName));
    }

    [Fact]
    public async Task The_rules_are_the_repositorys()
    {
        Skip.If(Helm.Missing);

        var data = (await Rendering.OfAsync("least")).The<V1ConfigMap>("hazumu-prometheus").Data;
        var volume = (await Rendering.OfAsync("least")).Workloads["prometheus"].Pod.Volumes.Single(volume => volume.Name == "configuration");

        Assert.All(volume.ConfigMap.Items.Where(item => item.Path is not ("prometheus.yml" or Expected)), item =>
            Assert.Equal(File.ReadAllText(RepositoryRoot.Combine("prometheus", item.Path)), data[item.Key]));
        Assert.Equal(
            Directory.EnumerateFiles(RepositoryRoot.Combine("prometheus", "rules")).Select(file => $"rules/{Path.GetFileName(file)}").Append("prometheus.yml").Append("start.sh").Append(Expected).Order(StringComparer.Ordinal),
            volume.ConfigMap.Items.Select(item => item.Path).Order(StringComparer.Ordinal));
    }

    [Theory]
    [InlineData("least", "alertmanager blackbox cadvisor engine-health engines gateway nodeexporter")]
    [InlineData("nvidia", "alertmanager alloy blackbox cadvisor engine-health engines gateway gpuexporter llamaserver loki nodeexporter vllm")]
    [InlineData("bare", "gateway")]
    public async Task A_target_is_expected_of_what_the_release_has(string values, string jobs)
    {
        Skip.If(Helm.Missing);

        var rules = (await Rendering.OfAsync(values)).The<V1ConfigMap>("hazumu-prometheus").Data[Expected.Replace("/", "__", StringComparison.Ordinal)];

        Assert.Equal(jobs.Split(' '), ExpectedJob().Matches(rules).Select(rule => rule.Groups["job"].Value));
    }

    [Fact]
    public async Task A_kubelets_metrics_get_the_labels_that_rules_and_dashboards_read()
    {
        Skip.If(Helm.Missing);

        var configuration = await ReadAsync("nvidia");

        Assert.Equal(
            [
                "container_cpu_usage_seconds_total{container=\"ollama\",cpu=\"total\",engine=\"ollama\",instance=\"ollama-0\",service=\"ollama\"}",
                "container_network_receive_bytes_total{engine=\"ollama\",instance=\"ollama-0\",interface=\"eth0\",service=\"ollama\"}",
                "container_start_time_seconds{container=\"ollama\",engine=\"ollama\",instance=\"ollama-0\",service=\"ollama\"}",
            ],
            Scrape(configuration, "engines"));
        Assert.Equal(
            [
                "container_memory_rss{container=\"alloy\",instance=\"alloy\",service=\"alloy\"}",
                "container_memory_rss{container=\"blackbox\",instance=\"blackbox\",service=\"blackbox\"}",
                "container_memory_rss{container=\"gateway\",instance=\"gateway-q7w8e\",service=\"gateway\"}",
                "container_memory_rss{container=\"gateway\",instance=\"gateway-x2x4z\",service=\"gateway\"}",
                "container_memory_rss{container=\"loki\",instance=\"loki\",service=\"loki\"}",
                "container_memory_rss{container=\"nodeexporter\",instance=\"nodeexporter-k5j6h\",service=\"nodeexporter\"}",
                "container_memory_rss{container=\"prometheus\",instance=\"prometheus\",service=\"prometheus\"}",
                "machine_cpu_cores{instance=\"node-1\"}",
            ],
            Scrape(configuration, "cadvisor"));
    }

    [Theory]
    [InlineData("services", "gateway", "hazumu-gateway-7c9f6d5b8-x2x4z", "gateway gateway-x2x4z")]
    [InlineData("services", "nodeexporter", "hazumu-nodeexporter-k5j6h", "nodeexporter node-1")]
    [InlineData("services", "gpuexporter", "hazumu-gpuexporter-k5j6h", "gpuexporter node-1")]
    [InlineData("services", "alertmanager", "hazumu-alertmanager-0", "alertmanager alertmanager")]
    [InlineData("services", "loki", "hazumu-loki-0", "loki loki")]
    [InlineData("services", "alloy", "hazumu-alloy-0", "alloy alloy")]
    [InlineData("blackbox", "blackbox", "hazumu-blackbox-5d8f9c7b6-aaaaa", " blackbox")]
    [InlineData("services", "vllm", "hazumu-vllm-0", "vllm vllm-0", "vllm")]
    [InlineData("engine-health", "ollama", "hazumu-ollama-1", " ollama-1", "ollama")]
    [InlineData("engine-health", "llamaserver", "hazumu-llamaserver-1", " llamaserver-1", "llama-server")]
    [InlineData("engine-health", "vllm", "hazumu-vllm-0", " vllm-0", "vllm")]
    public async Task A_pod_is_a_target_under_its_own_name(string job, string service, string pod, string expected, string? engine = null)
    {
        Skip.If(Helm.Missing);

        var rules = (await ReadAsync("nvidia")).ScrapeConfigs.Single(known => known.JobName == job).RelabelConfigs;
        var found = new Dictionary<string, string>
        {
            ["__address__"] = "10.0.0.7:80",
            ["__meta_kubernetes_namespace"] = Rendering.Namespace,
            ["__meta_kubernetes_pod_container_port_name"] = service == "gateway" ? "management" : "http",
            ["__meta_kubernetes_pod_label_hazumu_instance"] = service,
            ["__meta_kubernetes_pod_label_hazumu_service"] = service,
            ["__meta_kubernetes_pod_label_hazumu_engine"] = engine ?? "",
            ["__meta_kubernetes_pod_name"] = pod,
            ["__meta_kubernetes_pod_node_name"] = "node-1",
            ["__meta_kubernetes_pod_phase"] = "Running",
        };

        var target = Relabelling.Apply(rules, found)!;
        Assert.Equal(expected, $"{target.GetValueOrDefault("job")} {target["instance"]}");
        Assert.Equal(ChartFolder.Known.Network, target["network"]);
        Assert.Equal(engine, target.GetValueOrDefault("engine"));
        Assert.Equal(job == "engine-health" ? $"hazumu-blackbox:9115 http://10.0.0.7:80/{(engine == "ollama" ? "" : "health")}" : "10.0.0.7:80 ", $"{target["__address__"]} {target.GetValueOrDefault("__param_target")}");

        // Clients' port has no metrics of the gateway.
        Assert.Null(Relabelling.Apply(rules, new(found) { ["__meta_kubernetes_pod_container_port_name"] = service == "gateway" ? "http" : "management" }));

        // One that waits for its models, and one that has ended.
        Assert.Null(Relabelling.Apply(rules, new(found) { ["__meta_kubernetes_pod_phase"] = "Pending" }));
        Assert.Null(Relabelling.Apply(rules, new(found) { ["__meta_kubernetes_pod_phase"] = "Succeeded" }));
    }

    [Fact]
    public async Task Discovery_looks_for_what_Prometheus_reaches()
    {
        Skip.If(Helm.Missing);

        var selectors = (await ReadAsync("nvidia")).ScrapeConfigs.SelectMany(job => job.KubernetesSdConfigs).SelectMany(discovery => discovery.Selectors).Where(selector => selector.Role == "pod").Select(selector => selector.Label);
        var found = selectors.SelectMany(label => Components().Match(label).Groups["list"].Value.Split(',')).Order(StringComparer.Ordinal);

        Assert.Equal(ChartFolder.Known.Components["prometheus"].Reaches.Concat(["llamaserver", "ollama", "vllm"]).Order(StringComparer.Ordinal), found);
    }

    [Fact]
    public async Task Promtool_accepts_it()
    {
        Skip.If(Helm.Missing ?? Component.WhyMissing(Component.Prometheus));

        foreach (var values in Directory.EnumerateFiles(RepositoryRoot.Combine("Hazumu.Tests", "Chart", "Values")).Select(file => Path.GetFileNameWithoutExtension(file)))
        {
            // The ServiceAccount's files are looked for, and are the kubelet's to make.
            var check = await Promtool.RunWithFileAsync(await TextAsync(values), "check", "config", "--syntax-only");
            Assert.True(check.Succeeded, $"{values}: {check.Output}");
        }
    }

    private static IEnumerable<string> Scrape(Configuration configuration, string job)
    {
        var rules = configuration.ScrapeConfigs.Single(known => known.JobName == job).MetricRelabelConfigs;
        return Kubelet.Split('\n')
            .Select(line => Series().Match(line))
            .Select(match => new Dictionary<string, string>(Label().Matches(match.Groups["labels"].Value).Select(label => KeyValuePair.Create(label.Groups[1].Value, label.Groups[2].Value)))
            {
                ["__name__"] = match.Groups["name"].Value,
                ["instance"] = "node-1",
                ["network"] = ChartFolder.Known.Network,
            })
            .Select(labels => Relabelling.Apply(rules, labels))
            .OfType<Dictionary<string, string>>()
            .Select(labels => $"{labels["__name__"]}{{{string.Join(',', labels.Where(label => label.Key != "__name__" && label.Value.Length > 0).OrderBy(label => label.Key, StringComparer.Ordinal).Select(label => $"{label.Key}=\"{label.Value}\""))}}}")
            .Order(StringComparer.Ordinal);
    }

    private static async Task<string> TextAsync(string values) => (await Rendering.OfAsync(values)).The<V1ConfigMap>("hazumu-prometheus").Data["prometheus.yml"];

    private static async Task<Configuration> ReadAsync(string values) => new DeserializerBuilder()
        .WithNamingConvention(UnderscoredNamingConvention.Instance)
        .IgnoreUnmatchedProperties()
        .Build()
        .Deserialize<Configuration>(await TextAsync(values));

    private sealed class Configuration
    {
        public AlertingSettings Alerting { get; init; } = new();

        public List<Job> ScrapeConfigs { get; init; } = [];
    }

    private sealed class AlertingSettings
    {
        public List<Dictionary<string, object>> Alertmanagers { get; init; } = [];
    }

    private sealed class Job
    {
        public string JobName { get; init; } = "";

        public List<object> FileSdConfigs { get; init; } = [];

        public List<Discovery> KubernetesSdConfigs { get; init; } = [];

        public List<RelabelRule> RelabelConfigs { get; init; } = [];

        public List<RelabelRule> MetricRelabelConfigs { get; init; } = [];
    }

    private sealed class Discovery
    {
        public List<Selector> Selectors { get; init; } = [];
    }

    private sealed class Selector
    {
        public string Role { get; init; } = "";

        public string Label { get; init; } = "";
    }

    [GeneratedRegex(@"component in \((?<list>[^)]+)\)")]
    private static partial Regex Components();

    [GeneratedRegex(@"^(?<name>\w+)\{(?<labels>.*)\} ")]
    private static partial Regex Series();

    [GeneratedRegex(@"- \{ record: hazumu:expected_job:info, labels: \{ job: (?<job>[a-z-]+) \}, expr: vector\(1\) \}")]
    private static partial Regex ExpectedJob();

    [GeneratedRegex("(\\w+)=\"([^\"]*)\"")]
    private static partial Regex Label();
}
