using Hazumu.Checks;

namespace Hazumu.Tests.Publish;

public sealed class ComposeDriftTests
{
    [Fact]
    public async Task The_committed_Compose_application_is_what_the_AppHost_publishes()
    {
        var published = Directory.CreateTempSubdirectory("hazumu-publish-");
        try
        {
            var appHost = Path.Combine(AppContext.BaseDirectory, "Hazumu.AppHost.dll");
            await Cli.RunOrThrowAsync(
                "dotnet",
                [appHost, "--operation", "publish", "--step", "publish", "--output-path", published.FullName],
                TimeSpan.FromMinutes(2),
                WithoutOverrides(),
                RepositoryRoot.Combine("Hazumu.AppHost"));

            var expected = Read(published.FullName);
            var committed = Read(RepositoryRoot.Combine("deploy", "compose"));
            Assert.Equal(expected.Keys, committed.Keys);
            Assert.All(expected, file => Assert.True(file.Value == committed[file.Key], $"deploy/compose/{file.Key} has drifted; run ./hazumu publish."));
        }
        finally
        {
            published.Delete(recursive: true);
        }
    }

    // What the session overrides (an image, a component left out) is not what is published.
    private static Dictionary<string, string?> WithoutOverrides() => Environment.GetEnvironmentVariables().Keys.Cast<string>()
        .Where(name => name.StartsWith("Hazumu__", StringComparison.OrdinalIgnoreCase))
        .ToDictionary(name => name, _ => (string?)null);

    private static SortedDictionary<string, string> Read(string folder) => new(
        Directory.EnumerateFiles(folder, "*", SearchOption.AllDirectories)
            // What is this machine's own.
            .Where(file => Path.GetFileName(file) != ".env" && Path.GetFileName(Path.GetDirectoryName(file)) is not "secrets")
            .Select(file => Path.GetRelativePath(folder, file).Replace('\\', '/'))
            .Where(file => !file.StartsWith("left-out/", StringComparison.Ordinal))
            .ToDictionary(file => file, file => File.ReadAllText(Path.Combine(folder, file))),
        StringComparer.Ordinal);
}
