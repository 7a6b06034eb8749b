using Hazumu.Testing;
using Hazumu.Tests.Compose;

namespace Hazumu.Tests.Cli;

/// <summary>The script <c>./hazumu</c>.</summary>
public sealed class HazumuScriptTests
{
    [Theory]
    [InlineData("What to do? './hazumu help' lists the commands.")]
    [InlineData("There is no command 'start'; './hazumu help' lists the commands.", "start")]
    [InlineData("'--bogus' is no option; settings are given as --Hazumu:Key=value, docs/settings.md lists them.", "up", "--bogus")]
    [InlineData("'--Hazumu:Gpu' has no value; write --Hazumu:Gpu=value.", "images", "--Hazumu:Gpu", "--Hazumu:Models=a")]
    [InlineData("'x' is one argument too many for 'faults'; './hazumu help' lists the commands.", "faults", "Engine hung", "x")]
    [InlineData("'publish' takes no argument 'x'; './hazumu help' lists the commands.", "publish", "x")]
    [InlineData("'digests' takes no argument 'x'; './hazumu help' lists the commands.", "digests", "x")]
    [InlineData("Which file? './hazumu bundle FILE' writes it.", "bundle", "--with-image")]
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
        Skip.If(Shell.Missing);
        var folder = Directory.CreateTempSubdirectory("hazumu-cli-");
        try
        {
            File.Copy(RepositoryRoot.Combine("hazumu"), Path.Combine(folder.FullName, "hazumu"));
            Directory.CreateDirectory(Path.Combine(folder.FullName, "eng"));
            File.Copy(RepositoryRoot.Combine("eng", "lib.sh"), Path.Combine(folder.FullName, "eng", "lib.sh"));
            var script = """dotnet() { [ "$1" != build ] || { echo "error CS1002: ; expected"; return 1; }; }; export -f dotnet; exec bash hazumu test 2>&1""";

            var result = await ProcessRunner.RunAsync("bash", ["-c", script], workingDirectory: folder.FullName);

            Assert.Equal(
                (1, "error CS1002: ; expected\nhazumu: The build failed; .hazumu/build.log has its output.\n0 passed, 1 failed, 0 skipped\n"),
                (result.ExitCode, result.Output));
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }
}
