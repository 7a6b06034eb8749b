using System.Net;
using System.Net.Sockets;
using Hazumu.Cli;
using Hazumu.Testing;

namespace Hazumu.Tests.Integration;

/// <summary>What a person sees, and what is left behind, when the host cannot start: the real process, from outside.</summary>
public sealed class StartProblemTests
{
    private readonly string _network = $"hazumu-test-{Guid.NewGuid().ToString("N")[..8]}";

    [Fact]
    public async Task A_bad_setting_ends_the_process_with_a_sentence_and_no_stack_trace()
    {
        var result = await RunAsync("--Hazumu:Gpu=cuda");

        Assert.Equal(2, result.ExitCode);
        Assert.Equal("'Hazumu:Gpu' is 'cuda'; allowed: auto, nvidia, amd, none.", result.Output.Trim());
    }

    [Fact]
    public async Task Graph_is_printed_without_a_start()
    {
        var (result, graph) = await PrintAsync("--Hazumu:Grafana:Port=23000", "--Hazumu:Grafana:Image=mirror.example/grafana", "--Hazumu:Ollama:Enabled=false", "--Hazumu:BindAddress=0.0.0.0", "--Hazumu:ImageRegistry=mirror.example");

        Assert.Equal((0, ""), (result.ExitCode, result.Output.Trim()));
        Assert.Equal(ContainerCli.Program, graph!.Engine);
        var grafana = graph["Grafana"];
        Assert.Equal(("http://localhost:23000/", "mirror.example/grafana", true), (grafana.Address.AbsoluteUri, grafana.ImageSetting, grafana.Enabled));
        Assert.StartsWith("mirror.example/grafana:", grafana.Image, StringComparison.Ordinal);
        Assert.Equal((false, false), (graph["Ollama"].Enabled, graph["Ollama"].EnabledSetting));

        // A gateway without instances would have nothing to do; Loki is off by default, and its image is known all the same.
        Assert.Equal((false, null, true), (graph["Gateway"].Enabled, graph["Gateway"].EnabledSetting, graph["Gateway"].IsBuilt));
        Assert.False(graph["Loki"].Enabled);
        Assert.StartsWith("mirror.example/grafana/loki:", graph["Loki"].Image, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Gateway_that_is_enabled_by_name_stays_without_Ollama()
    {
        var (_, graph) = await PrintAsync("--Hazumu:Ollama:Enabled=false", "--Hazumu:Gateway:Enabled=true");

        Assert.True(graph!["Gateway"].Enabled);
    }

    [Fact]
    public async Task Printing_the_graph_reports_a_taken_port_only_on_request()
    {
        Skip.If(ContainerCli.Missing);

        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        var port = ((IPEndPoint)listener.LocalEndpoint).Port;
        string[] settings = [$"--Hazumu:Blackbox:Port={port}", "--Hazumu:Blackbox:Enabled=true"];

        Assert.Equal(0, (await PrintAsync(settings)).Result.ExitCode);
        var (result, graph) = await PrintAsync([.. settings, "--check-start=true"]);

        Assert.Equal(1, result.ExitCode);
        Assert.Contains($"Port {port} of 127.0.0.1, for 'blackbox', is taken", result.Output, StringComparison.Ordinal);
        Assert.Null(graph);
    }

    [Fact]
    public async Task A_taken_port_ends_the_process_before_anything_starts()
    {
        Skip.If(ContainerCli.Missing);

        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        var port = ((IPEndPoint)listener.LocalEndpoint).Port;

        var result = await RunAsync($"--Hazumu:Blackbox:Port={port}", "--Hazumu:Blackbox:Enabled=true");

        Assert.Equal(1, result.ExitCode);
        Assert.Contains($"Port {port} of 127.0.0.1, for 'blackbox', is taken", result.Output, StringComparison.Ordinal);
        Assert.DoesNotContain("   at ", result.Output, StringComparison.Ordinal);
        Assert.Empty(await ContainerCli.RunOrThrowAsync("ps", "--all", "--quiet", "--filter", $"label=hazumu.network={_network}"));
        Assert.False((await ContainerCli.RunAsync("network", "inspect", _network)).Succeeded);
    }

    [Fact]
    public async Task A_running_application_with_the_same_names_is_named_and_left_alone()
    {
        Skip.IfMissing(Component.Prometheus);

        var (production, volume) = ($"{_network}-production", $"{_network}_data");
        await ContainerCli.RunOrThrowAsync(
            "run", "--detach", "--name", production, "--label", "com.docker.compose.project=shop", "--volume", $"{volume}:/prometheus", "--entrypoint", "sleep", Component.Prometheus.Image, "300");
        try
        {
            var result = await RunAsync("--Hazumu:Prometheus:Enabled=true", $"--Hazumu:Prometheus:Volume={volume}", $"--Hazumu:Prometheus:Image={Component.Prometheus.Image}");

            Assert.Equal(1, result.ExitCode);
            Assert.Contains($"The Compose application 'shop' runs on this engine with this graph's network '{_network}' or volumes (containers: {production}); stop it, or ", result.Output, StringComparison.Ordinal);
            Assert.Equal("true", (await ContainerCli.RunOrThrowAsync("inspect", "--format", "{{.State.Running}}", production)).Trim());
            Assert.False((await ContainerCli.RunAsync("network", "inspect", _network)).Succeeded);
        }
        finally
        {
            await ContainerCli.RunAsync("rm", "--force", "--volumes", production);
            await ContainerCli.RunAsync("volume", "rm", volume);
        }
    }

    [Fact]
    public async Task A_running_graph_on_the_same_network_is_named()
    {
        Skip.IfMissing(Component.Prometheus);

        var other = $"{_network}-other";
        await ContainerCli.RunOrThrowAsync("run", "--detach", "--name", other, "--label", $"hazumu.network={_network}", "--entrypoint", "sleep", Component.Prometheus.Image, "300");
        try
        {
            var result = await RunAsync();

            Assert.Equal(1, result.ExitCode);
            Assert.Contains($"Another graph runs on this engine with this graph's network '{_network}' or volumes (containers: {other}); ", result.Output, StringComparison.Ordinal);
        }
        finally
        {
            await ContainerCli.RunAsync("rm", "--force", "--volumes", other);
        }
    }

    private async Task<(CliResult Result, GraphDescription? Graph)> PrintAsync(params string[] options)
    {
        var folder = Directory.CreateTempSubdirectory("hazumu-graph-");
        try
        {
            var file = Path.Combine(folder.FullName, "graph.json");
            var result = await RunAsync([.. options, $"--print-graph={file}"]);
            return (result, File.Exists(file) ? GraphDescription.Read(file) : null);
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    // './hazumu test' sets some: the components that are left out on this machine.
    private static readonly Dictionary<string, string?> s_unset =
        SettingArguments.OfEnvironment().Keys.ToDictionary(name => name, _ => (string?)null);

    private Task<CliResult> RunAsync(params string[] options) => ProcessRunner.RunAsync(
        "dotnet",
        [RepositoryRoot.ProgramOf("Hazumu.AppHost"), $"--Hazumu:Network={_network}", .. options],
        environment: new Dictionary<string, string?>(s_unset)
        {
            ["DOTNET_ENVIRONMENT"] = "Development",
            ["ASPIRE_ALLOW_UNSECURED_TRANSPORT"] = "true",
            ["ASPNETCORE_URLS"] = "http://127.0.0.1:0",
        },
        workingDirectory: RepositoryRoot.Combine("Hazumu.AppHost"));
}
