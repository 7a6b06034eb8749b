using Hazumu.Testing;

namespace Hazumu.Tests.Publishing;

public sealed class ComposeDriftTests
{
    [Fact]
    public async Task The_committed_Compose_application_is_what_the_AppHost_publishes()
    {
        var published = Directory.CreateTempSubdirectory("hazumu-publish-");
        try
        {
            await Publisher.RunAsync("publish", published.FullName);

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

    private static SortedDictionary<string, string> Read(string folder) => new(
        Directory.EnumerateFiles(folder, "*", SearchOption.AllDirectories)
            // What is this machine's own.
            .Where(file => Path.GetFileName(file) != ".env" && Path.GetFileName(Path.GetDirectoryName(file)) is not "secrets")
            .Select(file => Path.GetRelativePath(folder, file).Replace('\\', '/'))
            .Where(file => !file.StartsWith("left-out/", StringComparison.Ordinal))
            .ToDictionary(file => file, file => File.ReadAllText(Path.Combine(folder, file))),
        StringComparer.Ordinal);
}
