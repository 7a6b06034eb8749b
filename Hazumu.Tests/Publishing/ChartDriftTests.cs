using Hazumu.Testing;

namespace Hazumu.Tests.Publishing;

public sealed class ChartDriftTests
{
    private static readonly string s_committed = RepositoryRoot.Combine("deploy", "kubernetes");

    [Fact]
    public async Task The_committed_chart_holds_what_the_AppHost_publishes()
    {
        var chart = Directory.CreateTempSubdirectory("hazumu-chart-");
        try
        {
            Copy(s_committed, chart.FullName);
            // What publishing writes over, or takes away.
            await File.AppendAllTextAsync(Path.Combine(chart.FullName, "files", "components.yaml"), "elsewhere:\n");
            await File.WriteAllTextAsync(Path.Combine(chart.FullName, "files", "prometheus", "rules", "gone.yaml"), "groups: []\n");
            var values = Path.Combine(chart.FullName, "values.yaml");
            await File.WriteAllTextAsync(values, (await File.ReadAllTextAsync(values)).Replace("prom/prometheus", "prom/other", StringComparison.Ordinal));

            await Publisher.RunAsync("publish-chart", chart.FullName);

            var expected = Read(chart.FullName);
            var committed = Read(s_committed);
            Assert.Equal(expected.Keys, committed.Keys);
            Assert.All(expected, file => Assert.True(file.Value == committed[file.Key], $"deploy/kubernetes/{file.Key} has drifted; run ./hazumu publish."));
        }
        finally
        {
            chart.Delete(recursive: true);
        }
    }

    [Fact]
    public async Task A_folder_that_holds_no_chart_is_refused()
    {
        var folder = Directory.CreateTempSubdirectory("hazumu-chart-");
        try
        {
            // Aspire exits with 0 where a step fails.
            Assert.Contains("holds no values.yaml", await Publisher.RunAsync("publish-chart", folder.FullName), StringComparison.Ordinal);
            Assert.Empty(folder.EnumerateFileSystemInfos());
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    private static void Copy(string from, string to)
    {
        foreach (var file in Directory.EnumerateFiles(from, "*", SearchOption.AllDirectories))
        {
            var target = Path.Combine(to, Path.GetRelativePath(from, file));
            Directory.CreateDirectory(Path.GetDirectoryName(target)!);
            File.Copy(file, target);
        }
    }

    private static SortedDictionary<string, string> Read(string folder) => new(
        Directory.EnumerateFiles(folder, "*", SearchOption.AllDirectories)
            .ToDictionary(file => Path.GetRelativePath(folder, file).Replace('\\', '/'), File.ReadAllText),
        StringComparer.Ordinal);
}
