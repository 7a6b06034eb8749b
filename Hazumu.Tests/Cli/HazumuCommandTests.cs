using Hazumu.Cli;

namespace Hazumu.Tests.Cli;

/// <summary>The command line of every command.</summary>
public sealed class HazumuCommandTests
{
    [Theory]
    [InlineData("Required command was not provided. --help lists the commands and options.")]
    [InlineData("Required command was not provided. Unrecognized command or argument 'x'. --help lists the commands and options.", "x")]
    [InlineData("Unrecognized command or argument 'x'. --help lists the commands and options.", "publish", "x")]
    [InlineData("Unrecognized command or argument 'x'. --help lists the commands and options.", "digests", "x")]
    [InlineData("Unrecognized command or argument 'x'. --help lists the commands and options.", "faults", "Engine hung", "x")]
    [InlineData("Required argument missing for command: 'bundle'. --help lists the commands and options.", "bundle", "--with-image")]
    [InlineData("'--bogus' is not an option; give settings as --Hazumu:Key=value (docs/settings.md lists them).", "images", "--bogus")]
    [InlineData("'--Hazumu:Gpu' has no value; write --Hazumu:Gpu=value.", "images", "--Hazumu:Gpu", "--Hazumu:Models=a")]
    public async Task Wrong_command_line_exits_with_2_before_anything_is_done(string sentence, params string[] arguments)
    {
        using var error = new StringWriter { NewLine = "\n" };

        var exitCode = await HazumuCommand.RunAsync(arguments, TextWriter.Null, error, _ => null);

        Assert.Equal((2, $"{sentence}\n"), (exitCode, error.ToString()));
    }
}
