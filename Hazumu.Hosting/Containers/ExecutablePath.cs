namespace Hazumu.Hosting.Containers;

/// <summary>Looks programs up on PATH.</summary>
internal static class ExecutablePath
{
    /// <summary>The program's whole path, or <see langword="null"/> where PATH has none of that name.</summary>
    public static string? Find(string program)
    {
        var names = OperatingSystem.IsWindows() ? new[] { $"{program}.exe", $"{program}.cmd" } : [program];
        return (Environment.GetEnvironmentVariable("PATH") ?? "")
            .Split(Path.PathSeparator, StringSplitOptions.RemoveEmptyEntries)
            .SelectMany(folder => names.Select(name => Path.Combine(folder, name)))
            .FirstOrDefault(File.Exists);
    }
}
