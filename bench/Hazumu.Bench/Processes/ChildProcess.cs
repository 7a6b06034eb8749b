using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;

namespace Hazumu.Bench.Processes;

/// <summary>A process that is measured, its output in a file.</summary>
internal sealed class ChildProcess : IDisposable
{
    private static readonly List<ChildProcess> s_running = [];
    private readonly Process _process;
    private readonly string _log;

    private ChildProcess(Process process, string log)
    {
        _process = process;
        _log = log;
    }

    static ChildProcess()
    {
        AppDomain.CurrentDomain.ProcessExit += (_, _) =>
        {
            foreach (var child in s_running.ToArray())
            {
                child.Dispose();
            }
        };
    }

    public bool HasExited => _process.HasExited;

    public int Id => _process.Id;

    /// <summary>The process and those it has started.</summary>
    public IReadOnlyList<int> Ids => [_process.Id, .. Children(_process.Id)];

    /// <summary>The last lines that it has written.</summary>
    public string Output => File.Exists(_log) ? string.Join('\n', File.ReadLines(_log).TakeLast(5)).Trim() : "";

    /// <param name="name">Of its log.</param>
    /// <param name="folder">Where its log goes.</param>
    /// <param name="environment">Added to this process's own.</param>
    /// <param name="command">The program and its arguments.</param>
    public static ChildProcess Start(
        string name, string folder, IEnumerable<KeyValuePair<string, string>> environment, params IEnumerable<string> command)
    {
        var log = Path.Combine(folder, $"{name}-{Guid.NewGuid():N}.log");
        // The shell opens the file as the program's output, so that no process has to copy it, and then replaces
        // itself.
        var start = new ProcessStartInfo("/bin/sh", ["-c", "exec \"$@\" > \"$LOG\" 2>&1 < /dev/null", "sh", .. command]);
        start.Environment["LOG"] = log;
        foreach (var (key, value) in environment)
        {
            start.Environment[key] = value;
        }

        var child = new ChildProcess(Process.Start(start)!, log);
        s_running.Add(child);
        return child;
    }

    /// <summary>Starts this program itself as another process.</summary>
    public static ChildProcess StartSelf(string name, string folder, params IEnumerable<string> arguments) =>
        Start(name, folder, [], ["dotnet", Environment.GetCommandLineArgs()[0], .. arguments]);

    /// <summary>A free port of loopback.</summary>
    public static int FreePort()
    {
        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        socket.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        return ((IPEndPoint)socket.LocalEndPoint!).Port;
    }

    public void Dispose()
    {
        if (s_running.Remove(this))
        {
            // SIGTERM first: nginx's workers would outlive a master that is killed.
            using (var kill = Process.Start("kill", ["-TERM", _process.Id.ToString(CultureInfo.InvariantCulture)]))
            {
                kill.WaitForExit();
            }

            if (!_process.WaitForExit(3000))
            {
                _process.Kill(entireProcessTree: true);
                _process.WaitForExit();
            }
        }

        _process.Dispose();
    }

    private static IEnumerable<int> Children(int parent)
    {
        foreach (var folder in Directory.EnumerateDirectories("/proc"))
        {
            if (int.TryParse(Path.GetFileName(folder), CultureInfo.InvariantCulture, out var id) && ParentOf(id) == parent)
            {
                yield return id;
            }
        }
    }

    private static int ParentOf(int id)
    {
        try
        {
            // The name before it may hold anything, so count from its closing parenthesis.
            var stat = File.ReadAllText($"/proc/{id}/stat");
            return int.Parse(stat[(stat.LastIndexOf(')') + 2)..].Split(' ')[1], CultureInfo.InvariantCulture);
        }
        catch (IOException)
        {
            return 0;
        }
    }
}
