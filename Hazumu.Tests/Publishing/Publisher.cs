using Hazumu.Testing;

namespace Hazumu.Tests.Publishing;

/// <summary>Publishes the graph of this build.</summary>
internal static class Publisher
{
    /// <summary>Publishes into a folder.</summary>
    /// <param name="step">The step of the AppHost's pipeline.</param>
    /// <param name="folder">The folder.</param>
    /// <returns>What the AppHost has printed; it exits with 0 even if a step fails.</returns>
    public static async Task<string> RunAsync(string step, string folder)
    {
        // Aspire leaves a folder of its pipeline behind in the folder for temporary files.
        var temporary = Directory.CreateTempSubdirectory("hazumu-publisher-");
        try
        {
            // What the session overrides (an image, a component left out) is not what is published.
            var environment = Environment.GetEnvironmentVariables().Keys.Cast<string>()
                .Where(name => name.StartsWith("Hazumu__", StringComparison.OrdinalIgnoreCase))
                .ToDictionary(name => name, _ => (string?)null);
            environment["TMPDIR"] = environment["TMP"] = temporary.FullName;
            return await ProcessRunner.RunOrThrowAsync(
                "dotnet",
                [RepositoryRoot.ProgramOf("Hazumu.AppHost"), "--operation", "publish", "--step", step, "--output-path", folder],
                TimeSpan.FromMinutes(2),
                environment,
                RepositoryRoot.Combine("Hazumu.AppHost"));
        }
        finally
        {
            temporary.Delete(recursive: true);
        }
    }
}
