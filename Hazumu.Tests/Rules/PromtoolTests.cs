using Hazumu.Testing;


namespace Hazumu.Tests.Rules;

public sealed class PromtoolTests
{
    public static TheoryData<string> Tests => [.. RuleFiles.Tests.Keys];

    public PromtoolTests() => Skip.If(Promtool.Missing);

    [Fact]
    public async Task Promtool_accepts_every_rule()
    {
        var check = await Promtool.RunAsync(["check", "rules", "--lint=all", "--lint-fatal", .. RuleFiles.NamesIn("rules").Select(name => $"rules/{name}")]);

        Assert.True(check.Succeeded, check.Output);
    }

    [Theory]
    [MemberData(nameof(Tests))]
    public async Task Rules_do_what_their_tests_say(string file)
    {
        var test = await Promtool.RunAsync("test", "rules", $"tests/{file}");

        Assert.True(test.Succeeded, test.Output);
    }
}
