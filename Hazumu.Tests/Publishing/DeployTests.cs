using Hazumu.Testing;

namespace Hazumu.Tests.Publishing;

public sealed class DeployTests
{
    [Fact]
    public async Task Deploying_from_the_AppHost_is_refused()
    {
        // Aspire exits with 0 where a step fails.
        var output = await ProcessRunner.RunOrThrowAsync(
            "dotnet",
            [RepositoryRoot.ProgramOf("Hazumu.AppHost"), "--operation", "publish", "--step", "deploy"],
            TimeSpan.FromMinutes(2),
            workingDirectory: RepositoryRoot.Combine("Hazumu.AppHost"));

        Assert.Contains("Hazumu is not deployed from the AppHost; publish it", output, StringComparison.Ordinal);
    }
}
