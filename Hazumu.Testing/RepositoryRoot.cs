namespace Hazumu.Testing;

/// <summary>Finds files of the checkout the tests run in.</summary>
public static class RepositoryRoot
{
    /// <summary>The folder that holds <c>Hazumu.sln</c>, absolute.</summary>
    /// <exception cref="InvalidOperationException">The test assembly lies outside a checkout.</exception>
    public static string Path { get; } = Find();

    /// <summary>The absolute path of a file or folder of the checkout.</summary>
    /// <param name="parts">Path parts relative to the root.</param>
    public static string Combine(params string[] parts) => System.IO.Path.Combine([Path, .. parts]);

    /// <summary>A project's program, as this build wrote it; run from there, its dependencies are those of the project itself.</summary>
    /// <param name="project">The project's name, such as <c>Hazumu.AppHost</c>.</param>
    public static string ProgramOf(string project)
    {
        var output = new DirectoryInfo(AppContext.BaseDirectory); // bin/CONFIGURATION/FRAMEWORK
        return Combine(project, "bin", output.Parent!.Name, output.Name, $"{project}.dll");
    }

    private static string Find()
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            if (File.Exists(System.IO.Path.Combine(folder.FullName, "Hazumu.sln")))
            {
                return folder.FullName;
            }
        }

        throw new InvalidOperationException($"No Hazumu.sln above {AppContext.BaseDirectory}; run the tests from a checkout.");
    }
}
