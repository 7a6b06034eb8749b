using System.Diagnostics;
using System.Globalization;

namespace Hazumu.Testing;

/// <summary>
/// The output that the AppHost of this build publishes, once per test process, into a folder beside the test program.
/// </summary>
public static class Published
{
    private static readonly Lazy<string> s_folder = new(CreateFolder);
    private static readonly Lazy<string> s_compose = new(() => PublishAsync("publish", "compose").GetAwaiter().GetResult());
    private static readonly Lazy<string> s_chart = new(() => PublishAsync("publish-chart", "kubernetes").GetAwaiter().GetResult());

    /// <summary>The folder of the Compose application.</summary>
    public static string Compose => s_compose.Value;

    /// <summary>The folder of the Helm chart.</summary>
    public static string Chart => s_chart.Value;

    /// <summary>Copies the checkout's part of the chart, which a chart is published into.</summary>
    /// <param name="target">The folder to copy to.</param>
    public static void CopyChartSources(string target)
    {
        var source = RepositoryRoot.Combine("deploy", "kubernetes");
        CopyFolder(source, target, file => !file.StartsWith("files/", StringComparison.Ordinal));
    }

    /// <summary>Copies a folder with its subfolders.</summary>
    /// <param name="source">The folder to copy.</param>
    /// <param name="target">The folder to copy to.</param>
    /// <param name="filter">Which files to copy, by the path below the folder; all unless given.</param>
    public static void CopyFolder(string source, string target, Func<string, bool>? filter = null)
    {
        foreach (var file in Directory.EnumerateFiles(source, "*", SearchOption.AllDirectories))
        {
            var path = Path.GetRelativePath(source, file).Replace('\\', '/');
            if (filter?.Invoke(path) ?? true)
            {
                var copy = Path.Combine(target, path);
                Directory.CreateDirectory(Path.GetDirectoryName(copy)!);
                File.Copy(file, copy);
            }
        }
    }

    /// <summary>Runs a step of the AppHost's pipeline.</summary>
    /// <param name="step">The step.</param>
    /// <param name="folder">The output folder.</param>
    /// <param name="options">Further options of the AppHost.</param>
    /// <returns>The output of the AppHost, which exits with 0 even if the step fails.</returns>
    public static async Task<string> RunStepAsync(string step, string folder, params string[] options)
    {
        // Aspire leaves a folder of its pipeline behind in the folder for temporary files.
        var temporary = Directory.CreateTempSubdirectory("hazumu-publisher-");
        try
        {
            // The session's settings, such as an image or a disabled component, must not change what is published.
            var environment = Environment.GetEnvironmentVariables().Keys.Cast<string>()
                .Where(name => name.StartsWith("Hazumu__", StringComparison.OrdinalIgnoreCase))
                .ToDictionary(name => name, _ => (string?)null);
            environment["TMPDIR"] = environment["TMP"] = temporary.FullName;
            return await ProcessRunner.RunOrThrowAsync(
                "dotnet",
                [RepositoryRoot.ProgramOf("Hazumu.AppHost"), "--operation", "publish", "--step", step, "--output-path", folder, .. options],
                TimeSpan.FromMinutes(2),
                environment,
                RepositoryRoot.Combine("Hazumu.AppHost"));
        }
        finally
        {
            temporary.Delete(recursive: true);
        }
    }

    // Test programs are not always left to end by themselves, so that each one removes the folders of those that have ended.
    private static string CreateFolder()
    {
        var parent = Directory.CreateDirectory(Path.Combine(AppContext.BaseDirectory, "published"));
        var running = Process.GetProcesses().Select(process => process.Id.ToString(CultureInfo.InvariantCulture)).ToHashSet();
        var own = Environment.ProcessId.ToString(CultureInfo.InvariantCulture);
        foreach (var former in parent.EnumerateDirectories().Where(former => former.Name == own || !running.Contains(former.Name)))
        {
            former.Delete(recursive: true);
        }

        return parent.CreateSubdirectory(own).FullName;
    }

    private static async Task<string> PublishAsync(string step, string name)
    {
        var folder = Directory.CreateDirectory(Path.Combine(s_folder.Value, name)).FullName;
        var isChart = step == "publish-chart";
        if (isChart)
        {
            CopyChartSources(folder);
        }

        var output = await RunStepAsync(step, folder);
        return File.Exists(Path.Combine(folder, isChart ? "files/components.yaml" : "docker-compose.yaml"))
            ? folder
            : throw new InvalidOperationException($"The AppHost published nothing by the step '{step}':\n{output}");
    }
}
