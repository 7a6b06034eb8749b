using Hazumu.Testing;
using Hazumu.Tests.Compose;

namespace Hazumu.Tests.Cli;

/// <summary>The script <c>./hazumu</c>.</summary>
public sealed class HazumuScriptTests
{
    [Theory]
    [InlineData("What to do? './hazumu help' lists the commands.")]
    [InlineData("There is no command 'start'; './hazumu help' lists the commands.", "start")]
    public async Task Wrong_command_exits_with_2_before_anything_is_built(string sentence, params string[] arguments)
    {
        Skip.If(Shell.Missing);

        var result = await ProcessRunner.RunAsync("bash", [RepositoryRoot.Combine("hazumu"), .. arguments]);

        Assert.Equal((2, $"hazumu: {sentence}\n"), (result.ExitCode, result.Output));
    }
}
