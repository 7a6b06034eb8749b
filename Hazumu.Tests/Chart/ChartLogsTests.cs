using System.Text.RegularExpressions;
using Hazumu.Testing;
using k8s.Models;

namespace Hazumu.Tests.Chart;

/// <summary>Loki and Alloy in the cluster: the labels and levels of Compose, found by discovery.</summary>
public sealed partial class ChartLogsTests
{
    private const string Levels = "// Each program writes the level";

    public ChartLogsTests() => Skip.If(Helm.Missing);

    [Fact]
    public async Task One_switch_adds_Loki_and_Alloy_and_a_Grafana_data_source()
    {
        var with = await Rendering.OfAsync("nvidia");
        var without = await Rendering.OfAsync("least");

        var loki = with.The<V1Service>("hazumu-loki");
        var url = $"http://{loki.Metadata.Name}:{loki.Spec.Ports[0].Port}";
        Assert.Equal((url, "http://127.0.0.1:3100"), (Variable(with, "alloy", "LOKI_URL"), Variable(with, "grafana", "LOKI_URL")));
        Assert.Equal("30d", Variable(with, "loki", "LOKI_RETENTION"));
        Assert.Equal("fast", with.The<V1StatefulSet>("hazumu-loki").Spec.VolumeClaimTemplates[0].Spec.StorageClassName);
        Assert.DoesNotContain(without.Objects, found => found.Metadata.Labels["app.kubernetes.io/component"] is "loki" or "alloy");
        Assert.DoesNotContain(without.Workloads["grafana"].Pod.Containers[0].Env, variable => variable.Name is "LOKI_URL" or "TRACE_LINK");
    }

    [Theory]
    [InlineData("nvidia", "alertmanager loki prometheus")]
    [InlineData("least", "alertmanager prometheus")]
    public async Task Grafana_provisions_what_is_in_the_release(string values, string sources)
    {
        var rendering = await Rendering.OfAsync(values);
        var volumes = rendering.Workloads["grafana"].Pod.Volumes;
        var dashboards = volumes.Single(volume => volume.Name == "dashboards").Projected.Sources.Select(source => rendering.The<V1ConfigMap>(source.ConfigMap.Name)).SelectMany(map => map.Data).ToDictionary();

        Assert.Equal(
            sources.Split(' ').Select(source => $"datasources/{source}.yml").Prepend("dashboards/hazumu.yml"),
            volumes.Single(volume => volume.Name == "provisioning").ConfigMap.Items.Select(item => item.Path));
        Assert.Equal(values == "nvidia", dashboards.ContainsKey("logs.json"));
        Assert.Equal(values == "nvidia", dashboards.Values.Any(dashboard => dashboard.Contains("hazumu-logs", StringComparison.Ordinal)));
    }

    [Fact]
    public async Task Traces_are_linked_where_they_are_kept() =>
        Assert.Equal("https://jaeger.example/trace/${__value.raw}", Variable(await Rendering.OfAsync("nvidia"), "grafana", "TRACE_LINK"));

    [Fact]
    public async Task How_far_each_log_was_read_outlives_the_pod()
    {
        var alloy = (await Rendering.OfAsync("nvidia")).The<V1StatefulSet>("hazumu-alloy").Spec;
        var mount = alloy.Template.Spec.Containers[0].VolumeMounts.Single(one => one.Name == alloy.VolumeClaimTemplates.Single().Metadata.Name);

        Assert.Equal(1, alloy.Replicas);
        Assert.Contains($"--storage.path={mount.MountPath}/data", alloy.Template.Spec.Containers[0].Args);
    }

    [Fact]
    public async Task Lokis_configuration_is_the_repositorys()
    {
        var rendering = await Rendering.OfAsync("nvidia");
        var item = Assert.Single(rendering.Workloads["loki"].Pod.Volumes.Single(volume => volume.Name == "configuration").ConfigMap.Items);

        Assert.Equal(File.ReadAllText(RepositoryRoot.Combine("loki", item.Path)), rendering.The<V1ConfigMap>("hazumu-loki").Data[item.Key]);
    }

    [Fact]
    public async Task Log_levels_are_recognized_as_in_Compose()
    {
        var repository = File.ReadAllText(RepositoryRoot.Combine("alloy", "config.alloy"));
        var chart = await ConfigurationAsync("nvidia");

        Assert.Equal(repository[repository.IndexOf(Levels, StringComparison.Ordinal)..].TrimEnd(), chart[chart.IndexOf(Levels, StringComparison.Ordinal)..].TrimEnd());
        // One process of that name, and nothing of the container engine's.
        Assert.Equal(chart.IndexOf("loki.process \"levels\"", StringComparison.Ordinal), chart.LastIndexOf("loki.process \"levels\"", StringComparison.Ordinal));
        Assert.DoesNotContain("docker.sock", chart, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Every_component_that_is_named_is_there()
    {
        var chart = await ConfigurationAsync("nvidia");
        var there = Component().Matches(chart).Select(match => $"{match.Groups["kind"].Value}.{match.Groups["label"].Value}").ToList();

        Assert.Equal(there.Distinct(), there);
        Assert.Equal(
            ["discovery.kubernetes.pods", "discovery.relabel.pods", "loki.process.levels", "loki.process.pods", "loki.write.default"],
            Reference().Matches(chart).Select(match => match.Groups["component"].Value).Distinct().Order(StringComparer.Ordinal));
        Assert.Equal(["loki.source.kubernetes.pods"], there.Except(Reference().Matches(chart).Select(match => match.Groups["component"].Value)));
    }

    [Theory]
    [InlineData("nvidia", "[\"inference\", \"hazumu-host\"]")]
    [InlineData("logs", "[\"inference\"]")]
    public async Task Only_the_releases_pods_are_read(string values, string namespaces)
    {
        var chart = await ConfigurationAsync(values);

        Assert.Equal(namespaces, Setting(chart, "names"));
        Assert.Equal("\"app.kubernetes.io/name=hazumu,app.kubernetes.io/instance=hazumu\"", Setting(chart, "label"));
        // All that the release has, tasks too, carry them.
        Assert.All((await Rendering.OfAsync(values)).Workloads.Values, workload =>
        {
            var labels = workload.Template.Metadata.Labels;
            Assert.Equal(("hazumu", "hazumu", workload.Service), (labels["app.kubernetes.io/name"], labels["app.kubernetes.io/instance"], labels["hazumu.service"]));
        });
    }

    [Theory]
    [InlineData("ollama", "hazumu-ollama-1", "ollama-1")]
    [InlineData("gateway", "hazumu-gateway-7c9f6d5b8-x2x4z", "gateway-x2x4z")]
    [InlineData("nodeexporter", "hazumu-nodeexporter-k5j6h", "node-1")]
    [InlineData("grafana", "hazumu-grafana-0", "grafana")]
    [InlineData("access", "hazumu-access-01234567-h2k4m", "access")]
    public async Task A_line_has_the_labels_that_the_dashboard_selects_by(string service, string pod, string instance)
    {
        var chart = await ConfigurationAsync("nvidia");
        var found = new Dictionary<string, string>
        {
            ["__meta_kubernetes_namespace"] = Rendering.Namespace,
            ["__meta_kubernetes_pod_label_hazumu_instance"] = service,
            ["__meta_kubernetes_pod_label_hazumu_service"] = service,
            ["__meta_kubernetes_pod_name"] = pod,
            ["__meta_kubernetes_pod_node_name"] = "node-1",
            // The source's own.
            ["job"] = "loki.source.kubernetes.pods",
        };

        var labels = Relabelling.Apply(Rules(chart), found)!;
        foreach (var name in Strings(Regex.Match(chart, @"stage\.label_drop \{\s+values = (\[.*\])").Groups[1].Value))
        {
            Assert.True(labels.Remove(name), $"There is no label {name}.");
        }

        // The level is the third.
        Assert.Equal([("instance", instance), ("service", service)], labels.Where(label => !label.Key.StartsWith("__", StringComparison.Ordinal)).Select(label => (label.Key, label.Value)).Order());
    }

    private static IEnumerable<RelabelRule> Rules(string chart) => Rule().Matches(chart).Select(match => match.Groups["body"].Value).Select(body => new RelabelRule
    {
        SourceLabels = [.. Strings(Setting(body, "source_labels")!)],
        Regex = Setting(body, "regex") is { } regex ? Strings(regex).Single() : "(.*)",
        Replacement = Setting(body, "replacement") is { } replacement ? Strings(replacement).Single() : "$1",
        TargetLabel = Strings(Setting(body, "target_label")!).Single(),
    });

    private static string? Setting(string block, string name) => Regex.Match(block, $@"^\s*{name}\s+= (?<value>.*)$", RegexOptions.Multiline) is { Success: true } match ? match.Groups["value"].Value : null;

    private static IEnumerable<string> Strings(string value) => Text().Matches(value).Select(match => match.Groups[1].Value);

    private static async Task<string> ConfigurationAsync(string values) => (await Rendering.OfAsync(values)).The<V1ConfigMap>("hazumu-alloy").Data["config.alloy"];

    private static string Variable(Rendering rendering, string service, string name) => rendering.Workloads[service].Pod.Containers[0].Env.Single(variable => variable.Name == name).Value;

    [GeneratedRegex("^(?<kind>[a-z]+\\.[a-z.]+) \"(?<label>\\w+)\" \\{", RegexOptions.Multiline)]
    private static partial Regex Component();

    [GeneratedRegex(@"(?:= |\[)(?<component>(?:discovery|loki)\.\w+\.\w+)\.(?:targets|output|receiver)")]
    private static partial Regex Reference();

    [GeneratedRegex(@"^\trule \{(?<body>[^}]*)\}", RegexOptions.Multiline)]
    private static partial Regex Rule();

    [GeneratedRegex("\"([^\"]*)\"")]
    private static partial Regex Text();
}
