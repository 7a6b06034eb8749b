using System.Text.Json;
using Hazumu.Testing;
using Hazumu.Tests.Compose;

namespace Hazumu.Tests.Server;

/// <summary>One published service, as a server runs it, when what is around it changes.</summary>
public sealed class PublishedServiceTests : IAsyncLifetime
{
    private const string Service = "alertmanager";

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("hazumu-service-");
    private readonly string _project = $"hazumu-service-{Guid.NewGuid().ToString("N")[..8]}";

    public PublishedServiceTests() => Skip.If(ComposeCommand.Missing ?? Component.WhyMissing(Component.Alertmanager));

    public async ValueTask InitializeAsync()
    {
        foreach (var file in Directory.EnumerateFiles(PublishedCompose.Folder, "*", SearchOption.AllDirectories))
        {
            var copy = Path.Combine(_folder.FullName, Path.GetRelativePath(PublishedCompose.Folder, file));
            Directory.CreateDirectory(Path.GetDirectoryName(copy)!);
            await File.WriteAllTextAsync(copy, (await File.ReadAllTextAsync(file))
                .Replace("name: \"hazumu", $"name: \"{_project}", StringComparison.Ordinal)
                .Replace("name: \"alertmanager_data\"", $"name: \"{_project}\"", StringComparison.Ordinal));
        }

        Assert.True((await RunAsync("sh", "secrets.sh")).Succeeded);
    }

    public async ValueTask DisposeAsync()
    {
        await RunAsync("docker", "compose", "down", "--volumes", "--timeout", "1");
        _folder.Delete(recursive: true);
    }

    [Fact]
    public async Task A_receiver_that_is_set_later_reaches_the_container()
    {
        await UpAsync();
        Assert.DoesNotContain("slack_configs", await ConfigurationAsync(), StringComparison.Ordinal);

        // As editors on Windows write it, and with a mode that no container could read.
        await File.WriteAllTextAsync(Path.Combine(_folder.FullName, "secrets", "slack"), "https://hooks.example/T0\r\n");
        await ProcessRunner.RunOrThrowAsync("chmod", ["600", Path.Combine(_folder.FullName, "secrets", "slack")]);
        await File.WriteAllTextAsync(Path.Combine(_folder.FullName, ".env"), "Hazumu__Alertmanager__SlackUrlFile=./secrets/slack\r\nHazumu__Alertmanager__SlackChannel=#ops\r\n");
        Assert.True((await RunAsync("sh", "secrets.sh")).Succeeded);
        await UpAsync();

        var configuration = await ConfigurationAsync();
        Assert.Contains("slack_configs", configuration, StringComparison.Ordinal);
        Assert.Contains("channel: \"#ops\"", configuration, StringComparison.Ordinal);
        Assert.StartsWith("https://hooks.example/T0", await ExecuteAsync("cat", "/run/secrets/alertmanager_slack_url"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_retention_without_a_unit_is_refused_before_anything_is_pulled()
    {
        await File.WriteAllTextAsync(Path.Combine(_folder.FullName, ".env"), "Hazumu__Prometheus__Retention=15\n");

        var result = await RunAsync("sh", "secrets.sh");

        Assert.False(result.Succeeded);
        Assert.Contains("Hazumu__Prometheus__Retention is '15', which is not a duration: write a number and a unit, such as 15d.", result.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_proxy_of_Dockers_client_configuration_does_not_make_it_unhealthy()
    {
        var configuration = Path.Combine(Directory.CreateDirectory(Path.Combine(_folder.FullName, "docker-configuration")).FullName, "config.json");
        await File.WriteAllTextAsync(configuration, JsonSerializer.Serialize(new { proxies = new { @default = new { httpProxy = "http://127.0.0.1:9", httpsProxy = "http://127.0.0.1:9" } } }));

        await UpAsync();

        Assert.Contains("http_proxy=http://127.0.0.1:9", await ExecuteAsync("env"), StringComparison.Ordinal);
    }

    private async Task UpAsync()
    {
        var up = await RunAsync("docker", "compose", "up", "--detach", "--wait", "--wait-timeout", "90", Service);
        Assert.True(up.Succeeded, up.Output);
    }

    private Task<string> ConfigurationAsync() => ExecuteAsync("cat", "/tmp/alertmanager/alertmanager.yml");

    private async Task<string> ExecuteAsync(params string[] command) => (await RunAsync("docker", ["compose", "exec", "-T", Service, .. command])).Output;

    private Task<CliResult> RunAsync(string program, params string[] arguments) => ProcessRunner.RunAsync(
        program,
        arguments,
        TimeSpan.FromMinutes(3),
        environment: new Dictionary<string, string?>(ComposeCommand.AsPlugin(_folder.FullName))
        {
            ["DOCKER_CONFIG"] = Path.Combine(_folder.FullName, "docker-configuration"),
            ["COMPOSE_PROJECT_NAME"] = null,
            ["COMPOSE_FILE"] = null,
            ["Hazumu__Alertmanager__Image"] = Component.Alertmanager.Image,
        },
        workingDirectory: _folder.FullName);
}
