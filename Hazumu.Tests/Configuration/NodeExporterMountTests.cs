using System.Text.RegularExpressions;
using Hazumu.Testing;
using Hazumu.Tests.Compose;

namespace Hazumu.Tests.Configuration;

/// <summary>Which of a host's mounts the node exporter measures: its disks, and not what an engine mounts for each container.</summary>
public sealed partial class NodeExporterMountTests
{
    private const string Option = "--collector.filesystem.mount-points-exclude=";

    private static readonly string[] s_measured =
    [
        "/",
        "/boot/efi",
        "/data/docker",
        "/home",
        "/var/lib",
        "/var/lib/containerd",
        "/var/lib/containers/storage",
        "/var/lib/containers/storage/volumes",
        "/var/lib/docker",
        "/var/lib/docker/volumes",
        "/var/lib/dockerfiles/of/somebody",
        "/var/lib/kubelet",
    ];

    private static readonly string[] s_excluded =
    [
        "/dev",
        "/dev/shm",
        "/proc/sys/fs/binfmt_misc",
        "/run",
        "/run/containerd/io.containerd.runtime.v2.task/k8s.io/0f1e/rootfs",
        "/run/credentials/systemd-sysusers.service",
        "/run/docker/netns/90aeea7e0b8f",
        "/run/user/1000",
        "/sys/fs/cgroup",
        "/var/lib/containerd/tmpmounts/containerd-mount1870",
        "/var/lib/containers/storage/overlay/4c1f/merged",
        "/var/lib/containers/storage/overlay-containers/4c1f/userdata/shm",
        "/var/lib/docker/containers/4c1f/mounts/shm",
        "/var/lib/docker/overlay2/4c1f/merged",
        "/var/lib/docker/volumes/backup/_data",
        "/var/lib/kubelet/plugins/kubernetes.io/csi/driver/4c1f/globalmount",
        "/var/lib/kubelet/pods/8a7c/volumes/kubernetes.io~projected/kube-api-access-x2x4z",
    ];

    // Compose reads a doubled dollar sign as one.
    private static string Pattern => PublishedCompose.Services.Single(service => service.Name == "nodeexporter").List("command")
        .Single(argument => argument.StartsWith(Option, StringComparison.Ordinal))[Option.Length..].Replace("$$", "$", StringComparison.Ordinal);

    [Fact]
    public void Disks_are_measured_and_containers_mounts_are_not()
    {
        Assert.All(s_measured, mount => Assert.DoesNotMatch(Pattern, mount));
        Assert.All(s_excluded, mount => Assert.Matches(Pattern, mount));
    }

    [Fact]
    public async Task The_node_exporter_reports_disks_only_and_marks_unreadable_ones()
    {
        Skip.IfMissing(Component.NodeExporter);

        var host = Directory.CreateTempSubdirectory("hazumu-mounts-");
        try
        {
            foreach (var mount in s_measured.Concat(s_excluded))
            {
                Directory.CreateDirectory(host.FullName + mount);
            }

            var process = Directory.CreateDirectory(Path.Combine(host.FullName, "proc", "1")).FullName;
            await File.WriteAllLinesAsync(Path.Combine(process, "mountinfo"), s_measured.Concat(s_excluded).Select((mount, number) => $"{number + 20} 1 254:{number} / {mount} rw,relatime - ext4 /dev/disk{number} rw"));
            await File.WriteAllLinesAsync(Path.Combine(process, "mounts"), s_measured.Concat(s_excluded).Select((mount, number) => $"/dev/disk{number} {mount} ext4 rw,relatime 0 0"));
            if (!OperatingSystem.IsWindows())
            {
                File.SetUnixFileMode(host.FullName, (UnixFileMode)0b111_101_101);
                // As Docker makes it: the node exporter is nobody, and may not look into it.
                File.SetUnixFileMode(Path.Combine(host.FullName, "var", "lib", "docker"), (UnixFileMode)0b111_001_000);
            }

            var id = await ContainerCli.RunOrThrowAsync(
                "run", "--detach", "--network", "none", "--user", "65534:65534", "--cap-drop", "ALL", "--volume", $"{host.FullName}:/host:ro", Component.NodeExporter.Image,
                "--path.rootfs=/host", "--path.procfs=/host/proc", "--collector.disable-defaults", "--collector.filesystem", $"{Option}{Pattern}");
            try
            {
                await Wait.UntilAsync("the node exporter to answer", TimeSpan.FromSeconds(30), async () =>
                {
                    var metrics = await ContainerCli.RunOrThrowAsync("exec", id, "wget", "-q", "-O", "-", "http://127.0.0.1:9100/metrics");
                    Assert.Equal(s_measured.Except(["/var/lib/docker/volumes"]), MountsOf("node_filesystem_avail_bytes", metrics));
                    Assert.Equal(["/var/lib/docker/volumes"], MountsOf("node_filesystem_device_error", Regex.Replace(metrics, ".* 0\n", "")));
                });
            }
            finally
            {
                await ContainerCli.RunOrThrowAsync("rm", "--force", "--volumes", id);
            }
        }
        finally
        {
            host.Delete(recursive: true);
        }
    }

    private static IEnumerable<string> MountsOf(string metric, string metrics) => Series().Matches(metrics)
        .Where(series => series.Groups["metric"].Value == metric)
        .Select(series => series.Groups["mount"].Value)
        .Order(StringComparer.Ordinal);

    [GeneratedRegex("^(?<metric>\\w+)\\{.*mountpoint=\"(?<mount>[^\"]+)\".*\\}", RegexOptions.Multiline)]
    private static partial Regex Series();
}
