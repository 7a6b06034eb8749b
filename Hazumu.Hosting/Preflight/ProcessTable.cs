using System.Globalization;

namespace Hazumu.Hosting.Preflight;

/// <summary>Reads Linux' /proc to name the process that listens on a port.</summary>
internal static class ProcessTable
{
    private const string Listening = "0A";
    private static readonly string[] s_tables = ["/proc/net/tcp", "/proc/net/tcp6"];

    /// <summary>
    /// Names the process: <c>process 'nginx' (pid 4711)</c>; <see langword="null"/> if /proc does not show it, as for
    /// another user's process or on another system.
    /// </summary>
    public static string? FindListener(int port)
    {
        if (!OperatingSystem.IsLinux())
        {
            return null;
        }

        var sockets = s_tables
            .Where(File.Exists)
            .SelectMany(File.ReadLines)
            .Select(line => line.Split(' ', StringSplitOptions.RemoveEmptyEntries))
            .Where(fields => fields.Length > 9 && fields[3] == Listening && fields[1].EndsWith($":{port.ToString("X4", CultureInfo.InvariantCulture)}", StringComparison.Ordinal))
            .Select(fields => $"socket:[{fields[9]}]")
            .ToHashSet();

        return sockets.Count == 0 ? null : Directory.EnumerateDirectories("/proc")
            .Where(folder => Path.GetFileName(folder).All(char.IsAsciiDigit) && Sockets(folder).Any(sockets.Contains))
            .Select(Describe)
            .FirstOrDefault();
    }

    private static string Describe(string processFolder)
    {
        var pid = Path.GetFileName(processFolder);
        try
        {
            return $"process '{File.ReadAllText(Path.Combine(processFolder, "comm")).Trim()}' (pid {pid})";
        }
        catch (IOException)
        {
            // It has just ended, or hides its name.
            return $"process {pid}";
        }
    }

    private static string[] Sockets(string processFolder)
    {
        try
        {
            return [.. Directory.GetFiles(Path.Combine(processFolder, "fd")).Select(link => new FileInfo(link).LinkTarget).OfType<string>()];
        }
        catch (Exception error) when (error is UnauthorizedAccessException or IOException)
        {
            // Another user's process, or one that has just ended: it cannot be named, which is all that is lost.
            return [];
        }
    }
}
