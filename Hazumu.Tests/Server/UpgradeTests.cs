using Hazumu.Cli.Bundle;
using Hazumu.Testing;

namespace Hazumu.Tests.Server;

/// <summary>What <c>upgrade.sh</c> refuses, and that it runs on BusyBox; with a stand-in for the engine.</summary>
public sealed class UpgradeTests : IAsyncLifetime
{
    private static readonly DateTimeOffset s_time = new(2026, 1, 2, 0, 0, 0, TimeSpan.Zero);

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("hazumu-upgrade-");

    private string Application => Path.Combine(_folder.FullName, BundleArchive.Folder);

    private string Bundle => Path.Combine(_folder.FullName, "bundle.tar.gz");

    public async ValueTask InitializeAsync()
    {
        await TestBundle.WriteAsync(Bundle, s_time);
        await ProcessRunner.RunOrThrowAsync("tar", ["-xzf", Bundle], workingDirectory: _folder.FullName);
        var engine = Path.Combine(Directory.CreateDirectory(Path.Combine(_folder.FullName, "tools")).FullName, "docker");
        await File.WriteAllTextAsync(engine, """
            #!/bin/sh
            case "$*" in
              version | 'compose version') ;;
              'compose config') ;;
              'compose config --format json') printf '{\n  "name": "app",\n  "volumes": {\n    "data": {\n      "name": "app_data"\n    }\n  }\n}\n' ;;
              'compose config --images') echo image; echo image@sha256:1 ;;
              'compose ps --services --status running') echo gateway ;;
              'compose stop'* | 'compose start'* | 'compose down'* | 'compose ps --all' | 'compose up --no-start' | 'compose up --detach --wait') ;;
              'compose up --detach --wait --wait-timeout '*) [ ! -f "$0.unhealthy" ] ;;
              'image inspect image' | 'image inspect image@sha256:1') ;;
              'image inspect --format '*) echo sha256:1 ;;
              'volume inspect --format {{ .Driver }}'*) echo local ;;
              'volume inspect '*) ;;
              'ps '*) ;;
              'create '*) echo container ;;
              'cp - container:/') cat > /dev/null ;;
              'tag sha256:1 image' | 'volume rm app_data') ;;
              'cp container:/volume -') mkdir -p /tmp/volume; tar -cf - -C /tmp volume ;;
              'rm '*) ;;
              *) echo "unexpected: docker $*" >&2; exit 125 ;;
            esac
            """.ReplaceLineEndings("\n"));
        await ProcessRunner.RunOrThrowAsync("chmod", ["755", engine]);
    }

    public ValueTask DisposeAsync()
    {
        _folder.Delete(recursive: true);
        return ValueTask.CompletedTask;
    }

    [Fact]
    public async Task Older_bundle_is_refused()
    {
        var older = await TestBundle.WriteAsync(Path.Combine(_folder.FullName, "older.tar.gz"), s_time.AddSeconds(-1));

        await AssertRefusedAsync(older, $"{older} is of 2026-01-01T23:59:59Z, and older than this application, which is of 2026-01-02T00:00:00Z; nothing was changed.");
    }

    [Fact]
    public async Task File_that_is_no_bundle_is_refused()
    {
        var other = Path.Combine(_folder.FullName, "other.tar.gz");
        await ProcessRunner.RunOrThrowAsync("tar", ["-czf", other, "tools"], workingDirectory: _folder.FullName);

        await AssertRefusedAsync(other, $"{other} is not a bundle of Hazumu, or is damaged; nothing was changed.");
        await AssertRefusedAsync(Path.Combine(_folder.FullName, "missing"), "is not a bundle of Hazumu, or is damaged; nothing was changed.");
    }

    [Fact]
    public async Task Truncated_bundle_is_refused()
    {
        var truncated = Path.Combine(_folder.FullName, "truncated.tar.gz");
        await File.WriteAllBytesAsync(truncated, (await File.ReadAllBytesAsync(Bundle))[..^20_000]);

        await AssertRefusedAsync(truncated, $"{truncated} is damaged; nothing was changed.");
    }

    [Fact]
    public async Task Bundle_with_a_changed_file_is_refused()
    {
        var changed = Path.Combine(_folder.FullName, "changed.tar.gz");
        await ProcessRunner.RunOrThrowAsync("sh", ["-c", "mkdir other && cd other && tar -xzf ../bundle.tar.gz && echo '# x' >> hazumu/caddy/Caddyfile && tar -czf \"$1\" hazumu", "sh", changed], workingDirectory: _folder.FullName);

        await AssertRefusedAsync(changed, $"{changed} is damaged; nothing was changed.");
    }

    [Fact]
    public async Task Backup_inside_the_application_is_refused() =>
        await AssertRefusedAsync(Bundle, "is inside the application's; name another. Nothing was changed.", Path.Combine(Application, "backup"));

    [Fact]
    public async Task Backup_in_a_folder_that_does_not_exist_is_refused() =>
        await AssertRefusedAsync(Bundle, "The folder ../missing of ../missing/backup does not exist; nothing was changed.", "../missing/backup");

    [Fact]
    public async Task Relative_backup_folder_beside_the_application_is_accepted()
    {
        var upgrade = await RunAsync("../bundle.tar.gz", "../backup");

        Assert.True(upgrade.Succeeded, upgrade.Output);
        Assert.True(File.Exists(Path.Combine(_folder.FullName, "backup", "application", BundleArchive.VersionFile)));
    }

    [Fact]
    public async Task Rollback_restores_an_application_whose_image_has_a_digest()
    {
        await File.WriteAllTextAsync(Path.Combine(_folder.FullName, "tools", "docker.unhealthy"), "");
        var newer = await TestBundle.WriteAsync(Path.Combine(_folder.FullName, "newer.tar.gz"), s_time.AddDays(1));

        var upgrade = await RunAsync(newer);

        Assert.Equal(1, upgrade.ExitCode);
        Assert.Contains("app_data: restored\n", upgrade.Output, StringComparison.Ordinal);
        Assert.Contains("The former application runs again.", upgrade.Output, StringComparison.Ordinal);
        Assert.Equal("2026-01-02T00:00:00Z test\n", await File.ReadAllTextAsync(Path.Combine(Application, BundleArchive.VersionFile)));
    }

    [Fact]
    public async Task Bundle_of_the_same_version_is_accepted()
    {
        var upgrade = await RunAsync(Bundle);

        Assert.True(upgrade.Succeeded, upgrade.Output);
        Assert.Contains("The application is of 2026-01-02T00:00:00Z now.", upgrade.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Application_without_a_version_is_replaced_except_its_access_list()
    {
        File.Delete(Path.Combine(Application, BundleArchive.VersionFile));
        File.Delete(Path.Combine(Application, BundleArchive.SumsFile));
        var former = Path.Combine(Application, "prometheus", "rules", "former.yaml");
        await File.WriteAllTextAsync(former, "groups: []\n");
        var access = Path.Combine(Application, "grafana", "access", "access.conf");
        await File.AppendAllTextAsync(access, "# mine\n");

        var upgrade = await RunAsync(Bundle);

        Assert.True(upgrade.Succeeded, upgrade.Output);
        Assert.False(File.Exists(former));
        Assert.EndsWith("# mine\n", await File.ReadAllTextAsync(access), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Upgrade_runs_on_BusyBox_and_keeps_what_is_left_out()
    {
        Skip.IfMissing(Component.Alertmanager);

        await ProcessRunner.RunOrThrowAsync("sh", ["leave-out.sh", "cadvisor"], workingDirectory: Application);
        await TestBundle.WriteAsync(Path.Combine(_folder.FullName, "newer.tar.gz"), s_time.AddDays(1), change: folder => File.AppendAllText(Path.Combine(folder, "caddy", "Caddyfile"), "# newer\n"));

        var result = await ContainerCli.RunAsync(
            "run", "--rm", "--network", "none", "--user", "0", "--volume", $"{_folder.FullName}:/source:ro", "--entrypoint", "/bin/sh", Component.Alertmanager.Image, "-c",
            """
            set -e
            cp -r /source/hazumu /source/tools /
            PATH=/tools:$PATH
            cd /hazumu
            echo '# mine' >> prometheus/rules/targets.yaml
            sh upgrade.sh /source/newer.tar.gz /backup
            tail -n 1 caddy/Caddyfile prometheus/rules/targets.yaml
            cat left-out/docker-compose.yaml VERSION
            ls / /backup
            """);

        Assert.True(result.Succeeded, result.Output);
        Assert.Contains("# newer", result.Output, StringComparison.Ordinal);
        Assert.Contains("# mine", result.Output, StringComparison.Ordinal);
        Assert.Contains("# What is left out; made by: sh leave-out.sh cadvisor\n", result.Output, StringComparison.Ordinal);
        Assert.Contains("2026-01-03T00:00:00Z test\n", result.Output, StringComparison.Ordinal);
        Assert.Contains("application\ndata.tar.gz\n", result.Output, StringComparison.Ordinal);
        Assert.DoesNotContain("hazumu.upgrade", result.Output, StringComparison.Ordinal);
    }

    private async Task AssertRefusedAsync(string bundle, string sentence, params string[] arguments)
    {
        var before = Contents();

        var upgrade = await RunAsync([bundle, .. arguments]);

        Assert.Equal(1, upgrade.ExitCode);
        Assert.EndsWith($"{sentence}\n", upgrade.Output, StringComparison.Ordinal);
        Assert.Equal(before, Contents());
    }

    private List<(string File, string Hash)> Contents() =>
    [
        .. Directory.EnumerateFileSystemEntries(_folder.FullName, "*", SearchOption.AllDirectories)
            .Order(StringComparer.Ordinal)
            .Select(file => (file, File.Exists(file) ? Convert.ToHexString(System.Security.Cryptography.SHA256.HashData(File.ReadAllBytes(file))) : "")),
    ];

    private Task<CliResult> RunAsync(params string[] arguments) => ProcessRunner.RunAsync("sh", ["upgrade.sh", .. arguments], environment: new Dictionary<string, string?>
    {
        ["PATH"] = $"{Path.Combine(_folder.FullName, "tools")}:{Environment.GetEnvironmentVariable("PATH")}",
        ["COMPOSE_FILE"] = null,
    }, workingDirectory: Application);
}
