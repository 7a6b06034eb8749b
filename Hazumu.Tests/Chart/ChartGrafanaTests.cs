using Hazumu.Testing;
using Hazumu.Tests.Compose;
using k8s.Models;
using YamlDotNet.RepresentationModel;

namespace Hazumu.Tests.Chart;

/// <summary>Who may do what in the cluster's Grafana: as in Compose.</summary>
public sealed class ChartGrafanaTests
{
    // Where it is, and whose names its secrets have: the form's own.
    private static readonly string[] s_own = ["GF_SERVER_SERVE_FROM_SUB_PATH", "GF_SERVER_ROOT_URL", "GF_SECURITY_ADMIN_USER", "GF_SECURITY_ADMIN_PASSWORD", "GF_SECURITY_SECRET_KEY", "GF_AUTH_GENERIC_OAUTH_CLIENT_SECRET"];

    public ChartGrafanaTests() => Skip.If(Helm.Missing);

    [Fact]
    public async Task Grafana_is_shut_as_in_Compose()
    {
        var compose = PublishedCompose.ServicesOf(Path.Combine(PublishedCompose.Folder, "docker-compose.yaml")).Single(service => service.Name == "grafana").Entries("environment").Where(variable => variable.Key.StartsWith("GF_", StringComparison.Ordinal) && !s_own.Contains(variable.Key));
        var chart = Variables(await Rendering.OfAsync("nvidia"));

        Assert.All(compose, variable => Assert.True(chart.ContainsKey(variable.Key), $"{variable.Key} is missing."));
        // What Compose makes of its own variables is the values' there.
        Assert.All(compose.Where(variable => !((YamlScalarNode)variable.Value).Value!.Contains("${", StringComparison.Ordinal)), variable => Assert.Equal((variable.Key, ((YamlScalarNode)variable.Value).Value), (variable.Key, chart[variable.Key])));
    }

    /// <summary>Whoever is signed in reaches both through Grafana's proxy, and they answer everybody.</summary>
    [Fact]
    public async Task Data_sources_of_logs_and_alerts_go_through_the_list_of_Compose()
    {
        var rendering = await Rendering.OfAsync("nvidia");
        var chart = Variables(rendering);
        var sources = Assert.Single(rendering.Workloads["grafana"].Pod.Containers, container => container.Name == "sources");
        var variables = sources.Env.ToDictionary(variable => variable.Name, variable => variable.Value);

        Assert.Equal(("http://127.0.0.1:3100", "http://127.0.0.1:9093"), (chart["LOKI_URL"], chart["ALERTMANAGER_URL"]));
        Assert.Equal(("127.0.0.1", "hazumu-loki:3100", "hazumu-alertmanager:9093"), (variables["SOURCES_BIND"], variables["SOURCES_LOKI"], variables["SOURCES_ALERTMANAGER"]));
        Assert.Equal(File.ReadAllText(RepositoryRoot.Combine("caddy", "sources.Caddyfile")), rendering.The<V1ConfigMap>("hazumu-grafana").Data["sources.Caddyfile"]);
    }

    [Fact]
    public async Task Caddy_accepts_the_list_in_the_chart()
    {
        Skip.IfMissing(Component.Edge);
        var data = (await Rendering.OfAsync("nvidia")).The<V1ConfigMap>("hazumu-grafana").Data;
        var folder = Directory.CreateTempSubdirectory("hazumu-sources-");
        try
        {
            foreach (var name in new[] { "Caddyfile", "sources.Caddyfile" })
            {
                await File.WriteAllTextAsync(Path.Combine(folder.FullName, name), data[name]);
            }

            var check = await ContainerCli.RunAsync("run", "--rm", "--network", "none", "--user", "0", "--volume", $"{folder.FullName}:/etc/caddy:ro", "--entrypoint", "caddy", Component.Edge.Image, "validate", "--config", "/etc/caddy/Caddyfile", "--adapter", "caddyfile");
            Assert.True(check.Succeeded, check.Output);
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    [Fact]
    public async Task People_sign_in_by_OIDC_where_it_is_set_up()
    {
        var rendering = await Rendering.OfAsync("nvidia");
        var chart = Variables(rendering);
        var grafana = rendering.Workloads["grafana"].Pod;

        Assert.Equal(
            ("true", "hazumu", "https://id.example/authorize", "https://id.example/token", "https://id.example/userinfo"),
            (chart["GF_AUTH_GENERIC_OAUTH_ENABLED"], chart["GF_AUTH_GENERIC_OAUTH_CLIENT_ID"], chart["GF_AUTH_GENERIC_OAUTH_AUTH_URL"], chart["GF_AUTH_GENERIC_OAUTH_TOKEN_URL"], chart["GF_AUTH_GENERIC_OAUTH_API_URL"]));
        var secret = grafana.Volumes.Single(volume => volume.Secret?.SecretName == "hazumu-grafana-oidc");
        var mount = grafana.Containers[0].VolumeMounts.Single(mount => mount.Name == secret.Name);
        Assert.Equal($"$__file{{{mount.MountPath}/{secret.Secret.Items.Single().Path}}}", chart["GF_AUTH_GENERIC_OAUTH_CLIENT_SECRET"]);

        Assert.DoesNotContain(Variables(await Rendering.OfAsync("least")).Keys, name => name.StartsWith("GF_AUTH_GENERIC_OAUTH", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Secrets_are_looked_at_by_the_rule_of_Compose()
    {
        var rendering = await Rendering.OfAsync("least");
        var pod = rendering.Workloads["grafana"].Pod;
        var check = Assert.Single(pod.InitContainers);
        var volume = pod.Volumes.Single(volume => volume.Name == check.VolumeMounts.Single(mount => check.Command[1].StartsWith($"{mount.MountPath}/", StringComparison.Ordinal)).Name);
        var data = rendering.The<V1ConfigMap>(volume.ConfigMap.Name).Data;

        Assert.Equal(["check-secrets.sh", "weak.sh"], volume.ConfigMap.Items.Where(item => item.Key == item.Path).Select(item => item.Path).Order(StringComparer.Ordinal));
        Assert.Equal(File.ReadAllText(RepositoryRoot.Combine("grafana", "access", "weak.sh")), data["weak.sh"]);
        Assert.Equal(File.ReadAllText(Path.Combine(ChartFolder.Folder, "scripts", "check-secrets.sh")), data["check-secrets.sh"]);
    }

    [Theory]
    [InlineData("nvidia", "admin-user>grafana_admin_user admin-password>grafana_admin_password grafana_users>grafana_users")]
    [InlineData("logs", "admin-user>grafana_admin_user admin-password>grafana_admin_password")]
    public async Task A_Job_applies_the_same_file_by_the_same_script(string values, string secrets)
    {
        var rendering = await Rendering.OfAsync(values);
        var data = rendering.The<V1ConfigMap>("hazumu-access").Data;
        var pod = rendering.Workloads["access"].Pod;
        var job = Assert.Single(pod.Containers);
        var variables = job.Env.ToDictionary(variable => variable.Name, variable => variable.Value);

        Assert.Equal(File.ReadAllText(RepositoryRoot.Combine("grafana", "access", "apply.sh")), data["apply.sh"]);
        Assert.Equal(values == "logs" ? "user alice viewer" : File.ReadAllText(RepositoryRoot.Combine("grafana", "access", "access.conf")), data["access.conf"].TrimEnd('\n') + (values == "logs" ? "" : "\n"));
        Assert.Equal(ChartFolder.Known.Components["grafana"].Tasks["access"], job.Command);
        Assert.Equal($"{job.VolumeMounts.Single(mount => mount.Name == "configuration").MountPath}/apply.sh", job.Command[^1]);
        Assert.Equal("Never", pod.RestartPolicy);

        var grafana = rendering.The<V1Service>("hazumu-grafana");
        Assert.Equal($"http://{grafana.Metadata.Name}:{grafana.Spec.Ports[0].Port}", variables["GRAFANA_URL"]);
        Assert.Equal(rendering.Workloads["grafana"].Pod.Containers[0].Image, job.Image);
        Assert.Contains($" {variables["GRAFANA_URL"]}{rendering.Workloads["grafana"].Pod.Containers[0].ReadinessProbe.HttpGet.Path};", Assert.Single(Assert.Single(pod.InitContainers).Args), StringComparison.Ordinal);

        var volume = pod.Volumes.Single(volume => volume.Name == "secrets");
        Assert.Equal(secrets, string.Join(' ', volume.Projected.Sources.SelectMany(source => source.Secret.Items).Select(item => $"{item.Key}>{item.Path}")));
        Assert.Equal(variables["GRAFANA_SECRETS"], job.VolumeMounts.Single(mount => mount.Name == volume.Name).MountPath);
    }

    [Fact]
    public async Task Another_Job_comes_with_what_it_does_and_not_otherwise()
    {
        var names = new[]
        {
            await JobAsync(),
            await JobAsync("grafana.access.configuration=team a"),
            await JobAsync("grafana.access.existingSecret=others"),
            await JobAsync("grafana.existingSecret=others"),
            await JobAsync("images.grafana.tag=99.0.0"),
        };

        Assert.Equal(names.Distinct(), names);
        Assert.Equal(names[0], await JobAsync("gateway.stopWithin=10"));
        Assert.DoesNotContain("access", (await Rendering.OfAsync("least")).Workloads.Keys);
    }

    [Fact]
    public async Task No_other_pod_of_the_release_is_behind_Grafanas_Service()
    {
        var rendering = await Rendering.OfAsync("nvidia");
        var selector = rendering.The<V1Service>("hazumu-grafana").Spec.Selector;

        Assert.Equal("grafana", Assert.Single(rendering.Workloads.Values, workload => selector.All(label => workload.Template.Metadata.Labels.TryGetValue(label.Key, out var value) && value == label.Value)).Service);
    }

    private static async Task<string> JobAsync(string value = "grafana.access.enabled=true")
    {
        var rendered = await Helm.RunAsync("template", "hazumu", ChartFolder.Folder, "--values", ChartFolder.ValuesFile("logs"), "--show-only", "templates/access.yaml", "--set", value);
        Assert.True(rendered.Succeeded, rendered.Output);
        return rendered.Output.Split('\n').Single(line => line.StartsWith("  name: hazumu-access-", StringComparison.Ordinal));
    }

    private static Dictionary<string, string> Variables(Rendering rendering) => rendering.Workloads["grafana"].Pod.Containers[0].Env.ToDictionary(variable => variable.Name, variable => variable.Value);
}
