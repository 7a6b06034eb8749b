using Hazumu.Testing;

namespace Hazumu.Tests.Compose;

/// <summary>What <c>leave-out.sh</c> makes of the published application.</summary>
public sealed class LeaveOutTests : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("hazumu-left-out-");

    public LeaveOutTests()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "there is no sh on Windows");

        foreach (var name in new[] { "docker-compose.yaml", "leave-out.sh", "prometheus-targets" })
        {
            var source = Path.Combine(PublishedCompose.Folder, name);
            foreach (var file in File.Exists(source) ? [source] : Directory.GetFiles(source))
            {
                var target = Path.Combine(_folder.FullName, Path.GetRelativePath(PublishedCompose.Folder, file));
                Directory.CreateDirectory(Path.GetDirectoryName(target)!);
                File.Copy(file, target);
            }
        }
    }

    private string Targets => Path.Combine(_folder.FullName, "left-out", "prometheus-targets");

    [Theory]
    [InlineData("cadvisor", "alertmanagers.json blackbox.json engine-health.json scrape-gateway.yaml services.json", "nodeexporter alertmanager", "alertmanager blackbox engine-health gateway nodeexporter")]
    [InlineData("blackbox", "alertmanagers.json cadvisor.json engines.json scrape-gateway.yaml services.json", "nodeexporter alertmanager", "alertmanager cadvisor engines gateway nodeexporter")]
    [InlineData("alertmanager nodeexporter", "blackbox.json cadvisor.json engine-health.json engines.json scrape-gateway.yaml", "", "blackbox cadvisor engine-health engines gateway")]
    [InlineData("edge gateway", "alertmanagers.json blackbox.json cadvisor.json engine-health.json engines.json services.json", "nodeexporter alertmanager", "alertmanager blackbox cadvisor engine-health engines nodeexporter")]
    [InlineData("ollama edge", "alertmanagers.json blackbox.json cadvisor.json engines.json scrape-gateway.yaml services.json", "nodeexporter alertmanager", "alertmanager blackbox cadvisor engines gateway nodeexporter")]
    [InlineData("grafana", "alertmanagers.json blackbox.json cadvisor.json engine-health.json engines.json scrape-gateway.yaml services.json", "nodeexporter alertmanager", "alertmanager blackbox cadvisor engine-health engines gateway nodeexporter")]
    public async Task A_component_left_out_has_no_target_and_is_not_expected(string leftOut, string files, string services, string expected)
    {
        await RunAsync(leftOut.Split(' '));

        Assert.Equal(files.Split(' ').Append("expected.yaml").Order(StringComparer.Ordinal), Directory.EnumerateFiles(Targets).Select(file => Path.GetFileName(file)).Order(StringComparer.Ordinal));
        var general = Path.Combine(Targets, "services.json");
        Assert.Equal(services.Split(' ', StringSplitOptions.RemoveEmptyEntries), System.Text.Json.JsonDocument.Parse(File.Exists(general) ? File.ReadAllText(general) : "[]").RootElement.EnumerateArray().Select(group => group.GetProperty("labels").GetProperty("job").GetString()));
        Assert.Equal(expected.Split(' '), File.ReadLines(Path.Combine(Targets, "expected.yaml")).Where(line => line.Contains("job: ", StringComparison.Ordinal)).Select(line => line.Split("job: ")[1].Split(' ')[0]));

        var written = PublishedCompose.ServicesOf(Path.Combine(_folder.FullName, "left-out", "docker-compose.yaml")).Where(service => service.Name != "grafana" || service.Has("profiles")).ToList();
        var published = PublishedCompose.ServicesOf(Path.Combine(PublishedCompose.Folder, "docker-compose.yaml")).ToList();
        Assert.Equal(
            leftOut.Split(' ').SelectMany(service => new[] { service, $"{service}-volume" }).Where(service => published.Any(other => other.Name == service)).Append("prometheus"),
            written.Select(service => service.Name));
        Assert.All(written.SkipLast(1), service => Assert.Equal(["left-out"], service.List("profiles")));
        // In the place of the published folder, which Compose tells by the target.
        var mount = Assert.Single(written[^1].Mounts);
        Assert.Contains(published.Single(service => service.Name == "prometheus").Mounts, other => other.Target == mount.Target);
        Assert.Equal(Targets, Path.GetFullPath(mount.Source, _folder.FullName));

        // Nobody who stays waits for somebody who is left out, with which Compose refuses every command.
        var gone = written.SkipLast(1).Select(service => service.Name).ToList();
        Assert.All(published.Where(service => !gone.Contains(service.Name)), service => Assert.Empty(service.Entries("depends_on").Keys.Intersect(gone)));
    }

    [Theory]
    [InlineData("/etc/grafana/provisioning/datasources/alertmanager.yml", "alertmanager", "nodeexporter")]
    [InlineData(null, "alertmanager", "grafana")]
    [InlineData(null, "cadvisor")]
    public async Task Grafana_gets_no_data_source_of_an_Alertmanager_that_is_left_out(string? target, params string[] leftOut)
    {
        await RunAsync(leftOut);

        var mounts = PublishedCompose.ServicesOf(Path.Combine(_folder.FullName, "left-out", "docker-compose.yaml")).Where(service => service.Name == "grafana").SelectMany(service => service.Mounts).ToList();
        Assert.Equal(target, mounts.Select(mount => mount.Target).SingleOrDefault());
        Assert.All(mounts, mount => Assert.Equal("apiVersion: 1\n", File.ReadAllText(Path.Combine(_folder.FullName, mount.Source))));
    }

    [Theory]
    [InlineData("http://loki:3100 http://alertmanager:9093", "edge")]
    [InlineData("", "edge", "grafana")]
    [InlineData("", "cadvisor")]
    public async Task Grafanas_data_sources_go_straight_where_the_edge_is_left_out(string urls, params string[] leftOut)
    {
        await RunAsync(leftOut);

        var variables = PublishedCompose.ServicesOf(Path.Combine(_folder.FullName, "left-out", "docker-compose.yaml")).Where(service => service.Name == "grafana").SelectMany(service => service.Entries("environment"));
        Assert.Equal(urls, string.Join(' ', variables.Select(variable => variable.Value.ToString()).Reverse()));
    }

    [Fact]
    public async Task Another_choice_changes_the_label_that_recreates_Prometheus()
    {
        await RunAsync("cadvisor");
        var folder = await ProcessRunner.RunOrThrowAsync("ls", ["-di", Targets]);
        var label = Label();
        await RunAsync("grafana");

        Assert.Equal(folder, await ProcessRunner.RunOrThrowAsync("ls", ["-di", Targets]));
        Assert.NotEqual(label, Label());

        string? Label() => PublishedCompose.ServicesOf(Path.Combine(_folder.FullName, "left-out", "docker-compose.yaml")).Single(service => service.Name == "prometheus").Text("labels", "hazumu.targets");
    }

    [Fact]
    public async Task Without_a_name_nothing_is_left_out_any_more()
    {
        await RunAsync("cadvisor");
        await RunAsync();

        // The file that COMPOSE_FILE may name is there, and the folder that Prometheus may have mounted.
        Assert.Empty(PublishedCompose.ServicesOf(Path.Combine(_folder.FullName, "left-out", "docker-compose.yaml")));
        Assert.Empty(Directory.EnumerateFileSystemEntries(Targets));
    }

    [Theory]
    [InlineData("nobody", "docker-compose.yaml has no service 'nobody'.")]
    [InlineData("default", "docker-compose.yaml has no service 'default'.")]
    [InlineData("prometheus", "'prometheus' cannot be left out; name services of docker-compose.yaml other than prometheus.")]
    [InlineData("gateway", "'gateway' cannot be left out alone, as 'edge' waits for it; name both: sh leave-out.sh edge gateway")]
    [InlineData("ollama-volume", "'ollama-volume' goes with 'ollama'; name that.")]
    [InlineData("cad.*", "'cad.*' cannot be left out; name services of docker-compose.yaml other than prometheus.")]
    public async Task Leaving_out_a_required_component_is_refused_and_changes_nothing(string name, string expected)
    {
        await RunAsync("cadvisor");
        var refused = await ProcessRunner.RunAsync("sh", [Path.Combine(_folder.FullName, "leave-out.sh"), name]);

        Assert.Equal((1, expected), (refused.ExitCode, refused.Output.Trim()));
        Assert.True(Directory.Exists(Targets));
    }

    public void Dispose() => _folder.Delete(recursive: true);

    private Task<string> RunAsync(params string[] services) => ProcessRunner.RunOrThrowAsync("sh", [Path.Combine(_folder.FullName, "leave-out.sh"), .. services]);
}
