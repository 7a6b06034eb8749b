using System.Globalization;

namespace Hazumu.Gateway.Pipeline.Clients;

/// <summary>How many clients a process may have by its limit of open files: one that runs out of them does not only refuse, the runtime ends it.</summary>
internal static class OpenFiles
{
    // The program's own: assemblies, polls, peers.
    private const long Reserve = 256;

    // For each client a connection to an engine, and as many that are kept for the next ones.
    private const int PerClient = 3;

    private const string Line = "Max open files";

    /// <summary>The clients' connections that this process can bear; <see langword="null"/> where its limit is unknown or there is none.</summary>
    public static long? Clients() => File.Exists("/proc/self/limits") ? Clients(File.ReadLines("/proc/self/limits")) : null;

    /// <summary>Reads that from the kernel's table of limits.</summary>
    internal static long? Clients(IEnumerable<string> limits)
    {
        // The runtime has raised the soft limit to the hard one.
        var line = limits.FirstOrDefault(line => line.StartsWith(Line, StringComparison.Ordinal))?[Line.Length..].Split(' ', StringSplitOptions.RemoveEmptyEntries);
        return line is [var soft, ..] && long.TryParse(soft, NumberStyles.None, CultureInfo.InvariantCulture, out var limit)
            ? Math.Max(1, (limit - Reserve) / PerClient)
            : null;
    }
}
