using Hazumu.Testing;

namespace Hazumu.Tests.Server;

/// <summary>Which volumes <c>restore.sh</c> accepts, with a stand-in for the engine that can do no more than Podman 4.9.</summary>
public sealed class RestoreVolumeTests : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("hazumu-test-");

    [Theory]
    [InlineData("", "local device o type", true)]
    [InlineData("", "rclone", true)]
    [InlineData("\"driver_opts\": {", "", true)]
    [InlineData("\"driver\": \"nfs\"", "", true)]
    [InlineData("\"driver\": \"local\"", "local", false)]
    [InlineData("", "", false)]
    public async Task Volume_with_a_driver_of_its_own_is_refused_before_the_question(string configured, string existing, bool isRefused)
    {
        var restore = await RunAsync(configured, existing, container: "");

        Assert.Equal(1, restore.ExitCode);
        Assert.Equal(isRefused, restore.Output.Contains("The volume app_data has a driver other than 'local', or driver options", StringComparison.Ordinal));
        Assert.Equal(!isRefused, restore.Output.Contains("Not confirmed; nothing was changed.", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("/other-1 other", true)]
    [InlineData("other-1 ", true)]
    [InlineData("/other-1 <no value>", true)]
    [InlineData("/app-1 app", false)]
    public async Task Volume_in_use_by_another_application_is_refused(string container, bool isRefused)
    {
        var restore = await RunAsync("", "local", container);

        Assert.Equal(1, restore.ExitCode);
        Assert.Equal(isRefused, restore.Output.Contains("is in use by the container other-1, which is not part of this application", StringComparison.Ordinal));
        Assert.Equal(!isRefused, restore.Output.Contains("Not confirmed; nothing was changed.", StringComparison.Ordinal));
    }

    public void Dispose() => _folder.Delete(recursive: true);

    private async Task<CliResult> RunAsync(string configured, string existing, string container)
    {
        var engine = Path.Combine(_folder.FullName, "docker");
        await File.WriteAllTextAsync(engine, """
            #!/bin/sh
            case "$*" in
              version) ;;
              'compose config --format json') printf '{\n  "name": "app",\n  "volumes": {\n    "data": {\n      "name": "app_data"\n      %s\n    }\n  }\n}\n' "$CONFIGURED" | sed '/^ *$/d' ;;
              'compose config --images') echo image ;;
              'image inspect image') ;;
              'volume inspect --format {{ .Driver }}'*) echo "$EXISTING" ;;
              'volume inspect --format {{ index .Labels'*) echo app ;;
              'volume inspect app_data') [ -n "$EXISTING" ] ;;
              'ps --all --quiet --filter volume=app_data') if [ -n "$CONTAINER" ]; then printf '1\n2\n'; fi ;;
              'inspect --type container --format '*' 1') exit 1 ;;
              'inspect --type container --format '*' 2') echo "$CONTAINER" ;;
              *) echo "unexpected: docker $*" >&2; exit 125 ;;
            esac
            """.ReplaceLineEndings("\n"));
        await ProcessRunner.RunOrThrowAsync("sh", ["-c", """
            set -e
            chmod 755 "$1/docker"
            mkdir -p "$1/backup/volume"
            cd "$1/backup"
            tar -cf data.tar volume && gzip data.tar && rm -r volume
            sha256sum -- *.tar.gz > SHA256SUMS
            """, "sh", _folder.FullName]);
        return await ProcessRunner.RunAsync("sh", [RepositoryRoot.Combine("deploy", "compose", "restore.sh"), Path.Combine(_folder.FullName, "backup")], environment: new Dictionary<string, string?>
        {
            ["PATH"] = $"{_folder.FullName}:{Environment.GetEnvironmentVariable("PATH")}",
            ["CONFIGURED"] = configured,
            ["EXISTING"] = existing,
            ["CONTAINER"] = container,
        });
    }
}
