using Hazumu.Testing;
using Hazumu.Tests.Compose;

namespace Hazumu.Tests.Cli;

/// <summary>The script <c>./hazumu</c>.</summary>
public sealed class HazumuScriptTests
{
    [Theory]
    [InlineData("No command is given; './hazumu help' lists the commands.")]
    [InlineData("There is no command 'start'; './hazumu help' lists the commands.", "start")]
    [InlineData("'--bogus' is not an option; give settings as --Hazumu:Key=value (docs/settings.md lists them).", "up", "--bogus")]
    public async Task Wrong_command_line_exits_with_2_before_anything_is_built(string sentence, params string[] arguments)
    {
        Skip.If(Shell.Missing);

        var result = await ProcessRunner.RunAsync("bash", [RepositoryRoot.Combine("hazumu"), .. arguments]);

        Assert.Equal((2, $"hazumu: {sentence}\n"), (result.ExitCode, result.Output));
    }

    [Fact]
    public async Task Help_of_up_prints_the_usage()
    {
        Skip.If(Shell.Missing);

        var result = await ProcessRunner.RunAsync("bash", [RepositoryRoot.Combine("hazumu"), "up", "--help"]);

        Assert.Equal(0, result.ExitCode);
        Assert.StartsWith("./hazumu up ", result.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Failed_build_ends_with_the_line_that_counts_the_tests()
    {
        var script = """dotnet() { [ "$1" != build ] || { echo "error CS1002: ; expected"; return 1; }; }; export -f dotnet; exec bash hazumu test 2>&1""";

        var result = await RunInCopyAsync(script);

        Assert.Equal(
            (1, "error CS1002: ; expected\nhazumu: The build failed; .hazumu/build.log has its output.\n0 passed, 1 failed, 0 skipped\n"),
            (result.ExitCode, result.Output));
    }

    [Fact]
    public async Task Termination_while_images_are_pulled_ends_their_process()
    {
        const string Script = """
            mkdir bin
            cat > bin/dotnet <<'END'
            #!/bin/bash
            case "$*" in
              *images*)
                trap 'exit 1' TERM
                echo $$ > pulling.new && mv pulling.new pulling
                while :; do sleep 0.1; done
                ;;
            esac
            END
            chmod +x bin/dotnet
            PATH=$PWD/bin:$PATH ASPIRE_CONTAINER_RUNTIME=podman bash hazumu up &
            until [ -e pulling ]; do sleep 0.1; done
            kill -TERM $!
            wait $!
            echo "exit code $?"
            kill -0 "$(cat pulling)" 2> /dev/null || echo 'the process has ended'
            """;

        var result = await RunInCopyAsync(Script);

        Assert.Equal("exit code 1\nthe process has ended\n", result.Output);
    }

    private static async Task<CliResult> RunInCopyAsync(string script)
    {
        Skip.If(Shell.Missing);
        var folder = Directory.CreateTempSubdirectory("hazumu-cli-");
        try
        {
            File.Copy(RepositoryRoot.Combine("hazumu"), Path.Combine(folder.FullName, "hazumu"));
            Directory.CreateDirectory(Path.Combine(folder.FullName, "eng"));
            File.Copy(RepositoryRoot.Combine("eng", "lib.sh"), Path.Combine(folder.FullName, "eng", "lib.sh"));
            return await ProcessRunner.RunAsync("bash", ["-c", script], workingDirectory: folder.FullName);
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }
}
