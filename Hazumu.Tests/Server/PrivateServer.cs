using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using System.Security.Cryptography.X509Certificates;
using Hazumu.Testing;
using Hazumu.Tests.Compose;
using Microsoft.Win32.SafeHandles;

namespace Hazumu.Tests.Server;

/// <summary>
/// A server that has only Docker, within this machine: an engine of its own with a data folder of its own, in namespaces that give it
/// the ports 80 and 443, <c>/var/run</c> and its processes to itself. What is done to its engine touches nobody else's.
/// </summary>
internal sealed partial class PrivateServer : IAsyncDisposable
{
    private const string SocketFile = "docker.sock";
    private const int AnyNamespace = 0;

    private static readonly TimeSpan s_limit = TimeSpan.FromMinutes(3);

    private readonly string _folder = Path.Combine(Path.GetTempPath(), $"hazumu-server-{Guid.NewGuid().ToString("N")[..8]}");
    private Process? _machine;
    private Process? _engine;
    private int _init;

    /// <summary>Why there can be none here, or <see langword="null"/> where there can.</summary>
    public static string? Missing { get; } =
        !OperatingSystem.IsLinux() ? "an engine of its own needs Linux"
        : ContainerCli.Missing is { } engine ? engine
        : ContainerCli.Program != "docker" || !ContainerCli.SharesThisMachine ? "an engine of its own needs this machine's Docker"
        : !Environment.IsPrivilegedProcess ? "an engine of its own needs root"
        : Array.Find(["dockerd", "unshare", "nsenter"], program => !IsOnPath(program)) is { } program ? $"an engine of its own needs '{program}' on PATH"
        : null;

    /// <summary>A folder of the administrator's on that server.</summary>
    public string Home => Path.Combine(_folder, "home");

    private string RunFolder => Path.Combine(_folder, "run");

    /// <summary>Switches it on: its engine starts, and whatever that starts.</summary>
    public async Task SwitchOnAsync()
    {
        if (Directory.Exists(RunFolder))
        {
            Directory.Delete(RunFolder, recursive: true);
        }

        Directory.CreateDirectory(RunFolder);
        Directory.CreateDirectory(Home);

        // When the first process of a namespace ends, the kernel kills the others. This one waits for the end of its input: of this program.
        _machine = Start("unshare", "--net", "--mount", "--pid", "--fork", "--mount-proc", "--kill-child", "sh", "-c", "mount --bind \"$1\" /run && touch /run/on && cat", "init", RunFolder);
        await Wait.UntilAsync("the namespaces", TimeSpan.FromSeconds(10), () =>
        {
            Assert.True(File.Exists(Path.Combine(RunFolder, "on")));
            return Task.CompletedTask;
        });
        _init = int.Parse((await File.ReadAllTextAsync($"/proc/{_machine.Id}/task/{_machine.Id}/children")).Trim(), System.Globalization.CultureInfo.InvariantCulture);
        await StartEngineAsync();
    }

    /// <summary>Ends every process at once.</summary>
    public async Task SwitchOffAsync()
    {
        if (_machine is { } machine)
        {
            machine.Kill();
            await machine.WaitForExitAsync();
            await EngineEndedAsync();
            machine.Dispose();
            _machine = null;
        }
    }

    /// <summary>Starts the engine, and nothing else.</summary>
    public async Task StartEngineAsync()
    {
        _engine = Start("nsenter", [.. Enter, "sh", "-c", "exec dockerd --data-root \"$1\" > \"$2\" 2>&1", "dockerd", Path.Combine(_folder, "data"), Log]);
        await Wait.UntilAsync("the server's engine", TimeSpan.FromMinutes(1), () => RunAsync("docker", "info"), () => File.ReadAllTextAsync(Log));
    }

    /// <summary>Sends the engine a signal that ends it, and waits for its end.</summary>
    /// <param name="signal">The signal's name: <c>TERM</c>, <c>KILL</c>.</param>
    public async Task EndEngineAsync(string signal)
    {
        await ProcessRunner.RunOrThrowAsync("nsenter", [.. Enter, "sh", "-c", $"kill -{signal} \"$(cat /run/docker.pid)\""]);
        await EngineEndedAsync();
    }

    /// <summary>Runs a program against the server's engine, in <see cref="Home"/>, with none of this session's settings.</summary>
    /// <exception cref="InvalidOperationException">It failed; the message carries its output.</exception>
    public async Task<string> RunAsync(string program, params string[] arguments)
    {
        var result = await TryAsync(Home, program, arguments);
        return result.Succeeded
            ? result.Output.Trim()
            : throw new InvalidOperationException($"'{program} {string.Join(' ', arguments)}' exited with {result.ExitCode}:\n{result.Output}");
    }

    /// <summary>Runs a program in a folder against the server's engine, with none of this session's settings.</summary>
    public Task<CliResult> TryAsync(string folder, string program, params string[] arguments)
    {
        var variables = Environment.GetEnvironmentVariables().Keys.Cast<string>()
            .Where(name => name.Contains("__", StringComparison.Ordinal) || name.StartsWith("COMPOSE_", StringComparison.Ordinal))
            .ToDictionary(name => name, _ => (string?)null);
        variables["DOCKER_HOST"] = $"unix://{Path.Combine(RunFolder, SocketFile)}";
        foreach (var (name, value) in ComposeCommand.AsPlugin(_folder))
        {
            variables[name] = value;
        }

        return ProcessRunner.RunAsync(program, arguments, TimeSpan.FromMinutes(8), environment: variables, workingDirectory: folder);
    }

    /// <summary>Copies images of this machine's engine into the server's.</summary>
    public Task TakeImagesAsync(IEnumerable<string> images) =>
        RunAsync("sh", ["-c", "engine=$1; shift; env -u DOCKER_HOST docker save \"$@\" | docker load --quiet", "sh", "-", .. images]);

    /// <summary>A client on the server itself that trusts one authority.</summary>
    public HttpClient Client(X509Certificate2 authority)
    {
        var client = ProductionBackend.Client(authority, async (context, cancellationToken) =>
        {
            var socket = await OpenSocketAsync();
            await socket.ConnectAsync(new IPEndPoint(IPAddress.Loopback, context.DnsEndPoint.Port), cancellationToken);
            return new NetworkStream(socket, ownsSocket: true);
        });
        client.BaseAddress = new Uri("https://localhost/");
        return client;
    }

    public async ValueTask DisposeAsync()
    {
        await SwitchOffAsync();
        if (Directory.Exists(_folder))
        {
            Directory.Delete(_folder, recursive: true);
        }
    }

    private string Log => Path.Combine(_folder, "dockerd.log");

    private string[] Enter => [$"--target={_init}", "--net", "--mount", "--pid"];

    private static bool IsOnPath(string program) =>
        (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':').Any(folder => File.Exists(Path.Combine(folder, program)));

    private static Process Start(string program, params string[] arguments) =>
        Process.Start(new ProcessStartInfo(program, arguments) { RedirectStandardInput = true }) ?? throw new InvalidOperationException($"'{program}' did not start.");

    private async Task EngineEndedAsync()
    {
        if (_engine is { } engine)
        {
            using var limit = new CancellationTokenSource(s_limit);
            await engine.WaitForExitAsync(limit.Token);
            engine.Dispose();
            _engine = null;
        }
    }

    // A socket belongs to the network of the thread that opens it; that thread ends with it.
    private Task<Socket> OpenSocketAsync()
    {
        var opened = new TaskCompletionSource<Socket>(TaskCreationOptions.RunContinuationsAsynchronously);
        new Thread(() =>
        {
            try
            {
                using var network = File.OpenHandle($"/proc/{_init}/ns/net");
                if (SetNamespace(network, AnyNamespace) != 0)
                {
                    throw new InvalidOperationException($"The server's network cannot be entered: {Marshal.GetLastPInvokeErrorMessage()}.");
                }

                opened.SetResult(new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp));
            }
            catch (Exception failure)
            {
                opened.SetException(failure);
            }
        })
        {
            IsBackground = true,
        }.Start();
        return opened.Task;
    }

    [LibraryImport("libc", EntryPoint = "setns", SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int SetNamespace(SafeFileHandle file, int kind);
}
