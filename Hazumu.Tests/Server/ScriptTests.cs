using Hazumu.Testing;
using Hazumu.Tests.Compose;

namespace Hazumu.Tests.Server;

/// <summary>The scripts of <c>deploy/compose</c> with an application of one container, beside another installation on the same engine.</summary>
public sealed class ScriptTests : IAsyncLifetime
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("hazumu-scripts-");
    private readonly string _project = $"hazumu-scripts-{Guid.NewGuid().ToString("N")[..8]}";

    /// <summary>The key of the application's volume, and the name of the other installation's.</summary>
    private string Key => $"{_project}_data";

    /// <summary>The name of the application's volume.</summary>
    private string Name => $"{_project}_staging";

    private string Application => Path.Combine(_folder.FullName, "application");

    private string Backup => Path.Combine(_folder.FullName, "backup");

    public ScriptTests() => Skip.If(ComposeCommand.Missing ?? Component.WhyMissing(Component.Alertmanager));

    public async ValueTask InitializeAsync()
    {
        Published.CopyFolder(Published.Compose, Application);
        await WriteApplicationAsync(Name);
        await ContainerCli.RunOrThrowAsync("volume", "create", "--label", "com.docker.compose.project=production", Key);
        await RunInAsync(Key, "echo production > /volume/file");
    }

    public async ValueTask DisposeAsync()
    {
        await RunAsync("compose", "down", "--volumes", "--timeout", "0");
        await ContainerCli.RunAsync("volume", "rm", "--force", Key, Name);
        _folder.Delete(recursive: true);
    }

    [Fact]
    public async Task Restore_replaces_the_volume_that_Compose_names_and_no_other()
    {
        await UpAsync();
        await RunInAsync(Name, "echo first > /volume/file; chown 65534:65534 /volume/file");
        var backup = await ScriptAsync("backup.sh", Backup);
        Assert.True(backup.Succeeded, backup.Output);
        await RunInAsync(Name, "echo second > /volume/file; touch /volume/later");

        var restore = await ScriptAsync("restore.sh", Backup, "--yes");

        Assert.True(restore.Succeeded, restore.Output);
        Assert.Equal("first file 65534", await RunInAsync(Name, "echo $(cat /volume/file) $(ls /volume) $(stat -c %u /volume/file)"));
        Assert.Equal("production", await RunInAsync(Key, "cat /volume/file"));
        Assert.Equal("running", await StateAsync());
    }

    [Fact]
    public async Task A_volume_of_another_project_is_neither_copied_nor_replaced()
    {
        await WriteApplicationAsync(Key);
        var backup = await ScriptAsync("backup.sh", Backup);
        Assert.Equal(1, backup.ExitCode);
        Assert.Contains($"The volume {Key} belongs to the Compose project 'production', not to '{_project}'", backup.Output, StringComparison.Ordinal);
        Assert.Empty(Directory.EnumerateFileSystemEntries(Backup));

        await WriteBackupAsync("volume/file");
        var restore = await ScriptAsync("restore.sh", Backup, "--yes");
        Assert.Equal(1, restore.ExitCode);
        Assert.Contains($"The volume {Key} belongs to the Compose project 'production', not to '{_project}'", restore.Output, StringComparison.Ordinal);
        Assert.Equal("production", await RunInAsync(Key, "cat /volume/file"));
    }

    [Theory]
    [InlineData("")]
    [InlineData("no\n")]
    [InlineData("y\n")]
    public async Task Restore_changes_nothing_unless_it_is_confirmed(string answer)
    {
        await UpAsync();
        await RunInAsync(Name, "echo first > /volume/file");
        await WriteBackupAsync("volume/file");

        var restore = await RunAsync(answer, "sh", ["restore.sh", Backup]);

        Assert.Equal(1, restore.ExitCode);
        Assert.Contains($"  {Name}\n", restore.Output, StringComparison.Ordinal);
        Assert.Contains("Not confirmed; nothing was changed.", restore.Output, StringComparison.Ordinal);
        Assert.Equal("first", await RunInAsync(Name, "cat /volume/file"));
        Assert.Equal("running", await StateAsync());
    }

    [Theory]
    [InlineData("other/file", false, "is not a copy of a volume; nothing was changed.")]
    [InlineData("volume/file", true, "SHA256SUMS does not list")]
    public async Task A_backup_that_cannot_be_right_is_refused_before_anything_is_removed(string content, bool isUnlisted, string sentence)
    {
        await UpAsync();
        await RunInAsync(Name, "echo first > /volume/file");
        await WriteBackupAsync(content, isUnlisted);

        var restore = await ScriptAsync("restore.sh", Backup, "--yes");

        Assert.Equal(1, restore.ExitCode);
        Assert.Contains(sentence, restore.Output, StringComparison.Ordinal);
        Assert.Equal("first", await RunInAsync(Name, "cat /volume/file"));
        Assert.Equal("running", await StateAsync());
    }

    [Fact]
    public async Task The_scripts_run_on_BusyBox_and_with_files_that_end_lines_with_CR()
    {
        // The engine is a stand-in here: what differs is the tools around it.
        var tools = Directory.CreateDirectory(Path.Combine(_folder.FullName, "tools"));
        await File.WriteAllTextAsync(Path.Combine(tools.FullName, "docker"), $$"""
            #!/bin/sh
            case "$*" in
              'compose config --format json') printf '{\n  "name": "x",\n  "volumes": {\n    "{{Key}}": {\n      "name": "{{Name}}"\n    }\n  }\n}\n' ;;
              'compose config --images') echo image ;;
              'volume inspect '*) exit 1 ;;
              'create '*) echo container ;;
              'cp -'*) cat > /restored.tar ;;
              # The image may have a volume of its own, which would stay.
              'rm container') exit 1 ;;
            esac
            """.ReplaceLineEndings("\n"));
        await WriteBackupAsync("volume/file");
        foreach (var file in Directory.EnumerateFiles(Application, "*", SearchOption.AllDirectories).Where(file => !file.EndsWith(".sh", StringComparison.Ordinal)))
        {
            await File.WriteAllTextAsync(file, (await File.ReadAllTextAsync(file)).ReplaceLineEndings("\r\n"));
        }

        var result = await ContainerCli.RunAsync(
            "run", "--rm", "--network", "none", "--user", "0", "--volume", $"{_folder.FullName}:/source:ro", "--entrypoint", "/bin/sh", Component.Alertmanager.Image, "-c",
            """
            set -e
            (umask 077; cp -r /source/application /source/backup /source/tools /)
            chmod +x /tools/docker
            PATH=/tools:$PATH
            sh /application/secrets.sh
            sh /application/restore.sh /backup --yes
            tar -tf /restored.tar
            sh /application/leave-out.sh blackbox
            stat -c '%a %n' /application/secrets /application/secrets/grafana_users /application/caddy /application/caddy/Caddyfile /application/left-out/prometheus-targets/expected.yaml
            cat /application/left-out/prometheus-targets/expected.yaml
            """);

        Assert.True(result.Succeeded, result.Output);
        Assert.Contains($"{Name}: restored", result.Output, StringComparison.Ordinal);
        Assert.Contains("volume/file", result.Output, StringComparison.Ordinal);
        Assert.Contains("700 /application/secrets\n644 /application/secrets/grafana_users\n755 /application/caddy\n644 /application/caddy/Caddyfile\n644 /application/left-out", result.Output, StringComparison.Ordinal);
        Assert.Contains("job: cadvisor", result.Output, StringComparison.Ordinal);
        Assert.DoesNotContain("job: blackbox", result.Output, StringComparison.Ordinal);
    }

    private Task WriteApplicationAsync(string volume) => File.WriteAllTextAsync(Path.Combine(Application, "docker-compose.scripts.yaml"), $$"""
        name: {{_project}}
        services:
          app:
            image: {{Component.Alertmanager.Image}}
            entrypoint: [/bin/sleep, "3600"]
            stop_grace_period: 0s
            network_mode: none
            volumes: ["{{Key}}:/volume"]
        volumes:
          {{Key}}:
            name: {{volume}}
        """);

    // As backup.sh writes it, with one file of this path.
    private Task<string> WriteBackupAsync(string path, bool isUnlisted = false) => ProcessRunner.RunOrThrowAsync("sh", ["-c", """
        set -e
        mkdir -p "$1" && cd "$1"
        mkdir -p "$(dirname "$3")" && echo backup > "$3"
        tar -cf "$2.tar" "$(dirname "$3")" && gzip "$2.tar" && rm -r "$(dirname "$3")"
        if [ -n "$4" ]; then echo x > other && sha256sum other > SHA256SUMS; else sha256sum -- *.tar.gz > SHA256SUMS; fi
        """, "sh", Backup, Key, path, isUnlisted ? "unlisted" : ""]);

    private async Task UpAsync()
    {
        var up = await RunAsync("compose", "up", "--detach", "--wait");
        Assert.True(up.Succeeded, up.Output);
    }

    private async Task<string> StateAsync() => (await RunAsync("compose", "ps", "--format", "{{.State}}", "app")).Output.Trim();

    private static Task<string> RunInAsync(string volume, string command) => ContainerCli.RunOrThrowAsync(
        "run", "--rm", "--network", "none", "--user", "0", "--volume", $"{volume}:/volume", "--entrypoint", "/bin/sh", Component.Alertmanager.Image, "-c", command);

    private Task<CliResult> RunAsync(params string[] arguments) => RunAsync("", "docker", arguments);

    private Task<CliResult> ScriptAsync(params string[] arguments) => RunAsync("", "sh", arguments);

    private Task<CliResult> RunAsync(string input, string program, string[] arguments)
    {
        var environment = new Dictionary<string, string?>(ComposeCommand.AsPlugin(_folder.FullName)) { ["COMPOSE_FILE"] = "docker-compose.scripts.yaml", ["COMPOSE_PROJECT_NAME"] = null };
        return ProcessRunner.RunAsync(program, arguments, TimeSpan.FromMinutes(3), input, environment, Application);
    }
}

/// <summary>The text of the scripts of <c>deploy/compose</c>.</summary>
public sealed class ScriptTextTests
{
    [Fact]
    public void The_scripts_use_no_option_that_only_GNU_tools_have() => Assert.All(
        Directory.EnumerateFiles(RepositoryRoot.Combine("deploy", "compose"), "*.sh"),
        script => Assert.DoesNotMatch(@"sed (-r|-i|--)|grep (-P|--)|sha256sum -?-[a-z]{2}|readlink -f|stat -c|date -d|cp (-a|--)|gunzip|mktemp --|xargs -r", File.ReadAllText(script)),
        throwIfEmpty: true);
}
