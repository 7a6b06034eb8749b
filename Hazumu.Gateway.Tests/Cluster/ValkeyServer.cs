using System.Diagnostics;
using System.Globalization;
using System.Net.Sockets;
using Hazumu.Gateway.Tests.Streams;
using Hazumu.Testing;

namespace Hazumu.Gateway.Tests.Cluster;

/// <summary>A real Valkey on a free port of loopback, gone with its test: a process, or a container where the program is not installed.</summary>
internal sealed class ValkeyServer : IAsyncDisposable
{
    public const string Password = "the-password-of-the-store";

    private Process? _process;
    private string? _container;

    private ValkeyServer(int port) => Port = port;

    /// <summary>The program; <see langword="null"/> if it is not installed.</summary>
    public static string? Program { get; } = (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator)
        .Select(folder => Path.Combine(folder, "valkey-server")).FirstOrDefault(File.Exists);

    /// <summary>Its port, also after it has stopped.</summary>
    public int Port { get; }

    /// <summary>What a gateway is given to use it.</summary>
    public string[] Arguments => [$"--Gateway:Cluster:Store=127.0.0.1:{Port}", $"--Gateway:Cluster:Password={Password}", "--Gateway:Cluster:Port=0"];

    /// <summary>Starts one, and waits until it accepts connections. Skips the test if this machine has neither the program nor the image.</summary>
    public static async Task<ValkeyServer> StartAsync()
    {
        Skip.If(Program is null && Component.WhyMissing(Component.Valkey) is { } missing ? $"no valkey-server in PATH; {missing}" : null);
        var server = new ValkeyServer(ClusterGroup.FreePort());
        await server.RestartAsync();
        return server;
    }

    /// <summary>Starts it at the same port again, empty.</summary>
    public async Task RestartAsync()
    {
        var port = Port.ToString(CultureInfo.InvariantCulture);
        if (Program is { } program)
        {
            // In a folder where it finds nothing that another has saved, and saves nothing itself.
            _process = Process.Start(new ProcessStartInfo(program, ["--port", port, "--bind", "127.0.0.1", "--requirepass", Password, "--save", "", "--appendonly", "no"])
            {
                RedirectStandardOutput = true,
                WorkingDirectory = Path.GetTempPath(),
            })!;
            _process.OutputDataReceived += static (_, _) => { };
            _process.BeginOutputReadLine();
        }
        else
        {
            _container = (await ContainerCli.RunOrThrowAsync(
                "run", "--detach", "--rm", "--publish", $"127.0.0.1:{port}:6379", Component.Valkey.Image, "valkey-server", "--requirepass", Password, "--save", "")).Trim();
        }

        await Wait.UntilAsync(() =>
        {
            using var client = new TcpClient("127.0.0.1", Port);
            client.GetStream().Write("PING\r\n"u8);
            Assert.True(client.GetStream().ReadByte() >= 0);
        });
    }

    /// <summary>Kills it.</summary>
    public async Task KillAsync()
    {
        if (_process is not null)
        {
            _process.Kill();
            await _process.WaitForExitAsync();
            _process.Dispose();
            _process = null;
        }

        if (_container is not null)
        {
            await ContainerCli.RunAsync("rm", "--force", "--volumes", _container);
            _container = null;
        }
    }

    public ValueTask DisposeAsync() => new(KillAsync());
}
