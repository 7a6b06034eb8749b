using Hazumu.Testing;

namespace Hazumu.Tests.Publishing;

public sealed class PublishTests : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("hazumu-publish-");

    public void Dispose() => _folder.Delete(recursive: true);

    [Fact]
    public async Task Publishing_the_Compose_application_again_writes_the_same_bytes()
    {
        Published.CopyFolder(Published.Compose, _folder.FullName);
        await File.WriteAllTextAsync(Path.Combine(_folder.FullName, "prometheus", "rules", "gone.yaml"), "groups: []\n");
        await File.AppendAllTextAsync(Path.Combine(_folder.FullName, "docker-compose.yaml"), "# changed\n");

        await Published.RunStepAsync("publish", _folder.FullName);

        AssertSame(Published.Compose, _folder.FullName);
    }

    [Fact]
    public async Task Publishing_the_chart_again_writes_the_same_bytes()
    {
        Published.CopyFolder(Published.Chart, _folder.FullName);
        await File.WriteAllTextAsync(Path.Combine(_folder.FullName, "files", "prometheus", "rules", "gone.yaml"), "groups: []\n");
        await File.AppendAllTextAsync(Path.Combine(_folder.FullName, "files", "components.yaml"), "elsewhere:\n");

        await Published.RunStepAsync("publish-chart", _folder.FullName);

        AssertSame(Published.Chart, _folder.FullName);
    }

    [Fact]
    public async Task The_images_in_values_yaml_are_those_of_the_AppHost()
    {
        Published.CopyChartSources(_folder.FullName);
        var values = Path.Combine(_folder.FullName, "values.yaml");
        await File.WriteAllTextAsync(values, (await File.ReadAllTextAsync(values)).Replace("prom/prometheus", "prom/other", StringComparison.Ordinal));

        await Published.RunStepAsync("publish-chart", _folder.FullName);

        Assert.True(
            await File.ReadAllTextAsync(values) == await File.ReadAllTextAsync(RepositoryRoot.Combine("deploy", "kubernetes", "values.yaml")),
            "The images in deploy/kubernetes/values.yaml are not those of the AppHost; run ./hazumu publish.");
    }

    [Fact]
    public async Task Nothing_that_git_ignores_is_committed()
    {
        Assert.SkipUnless(Path.Exists(RepositoryRoot.Combine(".git")), "no Git checkout");

        Assert.Equal("", await ProcessRunner.RunOrThrowAsync("git", ["ls-files", "--cached", "--ignored", "--exclude-standard"]));
    }

    [Fact]
    public async Task A_folder_without_a_chart_is_refused()
    {
        // Aspire exits with 0 where a step fails.
        Assert.Contains("contains no values.yaml", await Published.RunStepAsync("publish-chart", _folder.FullName), StringComparison.Ordinal);
        Assert.Empty(_folder.EnumerateFileSystemInfos());
    }

    private static void AssertSame(string expected, string actual)
    {
        Assert.Equal(FilesOf(expected), FilesOf(actual));
        Assert.All(FilesOf(expected), file => Assert.Equal(File.ReadAllBytes(Path.Combine(expected, file)), File.ReadAllBytes(Path.Combine(actual, file))));
    }

    private static IEnumerable<string> FilesOf(string folder) =>
        Directory.EnumerateFiles(folder, "*", SearchOption.AllDirectories).Select(file => Path.GetRelativePath(folder, file)).Order(StringComparer.Ordinal);
}
