using System.Text.RegularExpressions;
using Hazumu.Testing;
using Hazumu.Tests.Chart;
using Hazumu.Tests.Compose;

namespace Hazumu.Tests.Cli;

/// <summary>The images whose digests the command <c>digests</c> requests, by an engine that reaches no registry.</summary>
public sealed partial class DigestsTests
{
    [Fact]
    public async Task Digest_of_every_published_image_is_requested()
    {
        using var engine = await FakeEngine.CreateAsync(pull: ":", otherwise: "echo 'no such host' >&2; exit 1");

        var asked = await ProcessRunner.RunAsync("dotnet", [RepositoryRoot.ProgramOf("Hazumu.Cli"), "digests", "--no-build"], environment: new Dictionary<string, string?>
        {
            ["PATH"] = $"{Path.GetDirectoryName(engine.Program)}{Path.PathSeparator}{Environment.GetEnvironmentVariable("PATH")}",
            ["ASPIRE_CONTAINER_RUNTIME"] = "docker",
        });

        Assert.False(asked.Succeeded);
        Assert.Contains("Nothing was changed, because these images have no digest: ", asked.Output, StringComparison.Ordinal);
        var expected = PublishedCompose.Services.Select(service => InRegistry().Match(service.Text("image") ?? "")).Where(image => image.Success).Select(image => $"{image.Groups["registry"]}{image.Groups["rest"]}")
            .Concat(ChartFolder.Images.Select(image => $"{image.Name}:{image.Tag}"));
        Assert.Equal(expected.Distinct().Order(StringComparer.Ordinal), Asked().Matches(asked.Output).Select(match => match.Groups["reference"].Value).Order(StringComparer.Ordinal));
    }

    [GeneratedRegex(@"\$\{Hazumu__ImageRegistry:-(?<registry>[^}]+)\}(?<rest>/[^@}]+)")]
    private static partial Regex InRegistry();

    [GeneratedRegex(@"(?<reference>\S+) \(no such host\)")]
    private static partial Regex Asked();
}
