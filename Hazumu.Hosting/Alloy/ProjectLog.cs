namespace Hazumu.Hosting.Alloy;

/// <summary>
/// The file that has what a project writes. It is a process of this machine: the engine has no log of it.
/// </summary>
/// <param name="project">The project.</param>
internal sealed class ProjectLog(IResource project)
{
    /// <summary>The bytes after which a new file begins; the one before is kept.</summary>
    public const long Capacity = 32 * 1024 * 1024;

    /// <summary>The project.</summary>
    public IResource Project { get; } = project;

    /// <summary>The folder; <see langword="null"/> if the file has no reader.</summary>
    public string? Folder { get; private set; }

    /// <summary>Makes the folder, which only this user may enter. It goes with this process.</summary>
    public string MakeFolder()
    {
        if (Folder is null)
        {
            var folder = Directory.CreateTempSubdirectory("hazumu-logs-");
            AppDomain.CurrentDomain.ProcessExit += (_, _) => folder.Delete(recursive: true);
            Folder = folder.FullName;
        }

        return Folder;
    }
}
