using System.Diagnostics;

namespace Hazumu.Bench.Processes;

/// <summary>Programs of the machine.</summary>
internal static class Programs
{
    /// <summary>The folders of <c>PATH</c>, and those that Debian leaves out of it for who is not root.</summary>
    private static IEnumerable<string> Folders =>
        (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':').Concat(["/usr/local/sbin", "/usr/sbin", "/sbin"]);

    /// <exception cref="NotReadyException">It is not installed.</exception>
    public static string Find(string name) =>
        Folders.Where(folder => folder.Length > 0).Select(folder => Path.Combine(folder, name)).FirstOrDefault(File.Exists)
        ?? throw new NotReadyException($"{name} is not installed");

    /// <summary>The first line that a program writes with some arguments; <see langword="null"/> if it is not there.</summary>
    public static string? FirstLine(string name, params IEnumerable<string> arguments)
    {
        try
        {
            var start = new ProcessStartInfo(Find(name), arguments) { RedirectStandardOutput = true, RedirectStandardError = true };
            using var process = Process.Start(start)!;
            var error = process.StandardError.ReadToEndAsync();
            var output = process.StandardOutput.ReadToEnd();
            process.WaitForExit();
            return (output + error.Result).Trim().Split('\n')[0];
        }
        catch (NotReadyException)
        {
            return null;
        }
    }
}
