using System.Text.Json;
using Hazumu.Testing;
using Hazumu.Tests.Compose;

namespace Hazumu.Tests.Configuration;

/// <summary>The published files of targets, read by a Prometheus that is confined as the published one is.</summary>
public sealed class PrometheusDiscoveryTests
{
    [Theory]
    [InlineData("", "nodeexporter:9100")]
    [InlineData("nvidia", "nodeexporter:9100 gpuexporter:9835")]
    [InlineData("amd", "nodeexporter:9100 gpuexporter:5000")]
    [InlineData("logs", "alloy:12345 nodeexporter:9100 loki:3100")]
    public async Task Every_folder_of_targets_can_be_watched_whichever_option_is_used(string option, string expected)
    {
        Skip.IfMissing(Component.Prometheus);

        var mounts = PublishedCompose.Services
            .Where(service => service.Name == "prometheus" && (service.File == "docker-compose.yaml" || service.File == $"docker-compose.{option}.yaml"))
            .SelectMany(service => service.Mounts)
            .Where(mount => mount.Type == "bind")
            .SelectMany(mount => new[] { "--volume", $"{Path.GetFullPath(mount.Source, PublishedCompose.Folder)}:{mount.Target}:ro" });
        var id = await ContainerCli.RunOrThrowAsync(
        [
            "run", "--detach", "--network", "none", "--read-only", "--cap-drop", "ALL", "--user", "65534:65534", "--tmpfs", "/prometheus:uid=65534", .. mounts, Component.Prometheus.Image,
            "--config.file=/etc/prometheus/prometheus.yml", "--storage.tsdb.path=/prometheus",
        ]);
        try
        {
            await Wait.UntilAsync("Prometheus to find its targets", TimeSpan.FromSeconds(30), async () =>
            {
                var answer = JsonSerializer.Deserialize<JsonElement>(await ContainerCli.RunOrThrowAsync("exec", id, "wget", "-q", "-O", "-", "http://127.0.0.1:9090/api/v1/targets?scrapePool=services"));
                var found = answer.GetProperty("data").GetProperty("activeTargets").EnumerateArray().Select(target => target.GetProperty("discoveredLabels").GetProperty("__address__").GetString()).ToHashSet();
                Assert.Superset(expected.Split(' ').ToHashSet(), found!);
            }, LogAsync);

            // What cannot be watched is told with the first look at the files and with each one after, every five minutes.
            Assert.DoesNotContain("watch", await LogAsync(), StringComparison.Ordinal);
        }
        finally
        {
            await ContainerCli.RunOrThrowAsync("rm", "--force", "--volumes", id);
        }

        async Task<string> LogAsync() => (await ContainerCli.RunAsync("logs", id)).Output;
    }
}
