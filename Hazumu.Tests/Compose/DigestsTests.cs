using System.Text.RegularExpressions;
using Hazumu.Testing;
using Hazumu.Tests.Chart;

namespace Hazumu.Tests.Compose;

/// <summary>What <c>./hazumu digests</c> asks registries for, by an engine that reaches none.</summary>
public sealed partial class DigestsTests : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("hazumu-digests-");

    public void Dispose() => _folder.Delete(recursive: true);

    [Fact]
    public async Task Every_published_image_is_looked_up()
    {
        Skip.If(Shell.Missing);

        // Not in the checkout, whose .hazumu a running './hazumu test' uses.
        foreach (var file in new[] { "hazumu", "eng/lib.sh", "deploy/kubernetes/values.yaml" })
        {
            var target = Path.Combine(_folder.FullName, file);
            Directory.CreateDirectory(Path.GetDirectoryName(target)!);
            File.Copy(RepositoryRoot.Combine(file), target);
        }

        Published.CopyFolder(Published.Compose, Path.Combine(_folder.FullName, "deploy", "compose"));

        var engine = Directory.CreateDirectory(Path.Combine(_folder.FullName, "bin"));
        var docker = Path.Combine(engine.FullName, "docker");
        await File.WriteAllTextAsync(docker, "#!/bin/sh\ncase $1 in info) echo '{}' ;; *) echo 'no such host' >&2; exit 1 ;; esac\n");
        await ProcessRunner.RunOrThrowAsync("chmod", ["+x", docker]);
        var asked = await ProcessRunner.RunAsync("bash", [Path.Combine(_folder.FullName, "hazumu"), "digests"], environment: new Dictionary<string, string?>
        {
            ["PATH"] = $"{engine.FullName}{Path.PathSeparator}{Environment.GetEnvironmentVariable("PATH")}",
            ["ASPIRE_CONTAINER_RUNTIME"] = "docker",
        });

        Assert.False(asked.Succeeded);
        Assert.Contains("Nothing was changed, as these have no digest: ", asked.Output, StringComparison.Ordinal);
        var expected = PublishedCompose.Services.Select(service => InRegistry().Match(service.Text("image") ?? "")).Where(image => image.Success).Select(image => $"{image.Groups["registry"]}{image.Groups["rest"]}")
            .Concat(ChartFolder.Images.Select(image => $"{image.Name}:{image.Tag}"));
        Assert.Equal(expected.Distinct().Order(StringComparer.Ordinal), Asked().Matches(asked.Output).Select(match => match.Groups["reference"].Value).Order(StringComparer.Ordinal));
    }

    [GeneratedRegex(@"\$\{Hazumu__ImageRegistry:-(?<registry>[^}]+)\}(?<rest>/[^@}]+)")]
    private static partial Regex InRegistry();

    [GeneratedRegex(@"(?<reference>\S+) \(no such host\)")]
    private static partial Regex Asked();
}
