using System.Net;
using System.Net.Sockets;
using Hazumu.Checks;

namespace Hazumu.Tests.Integration;

/// <summary>What a person sees, and what is left behind, when the host cannot start: the real process, from outside.</summary>
public sealed class StartProblemTests
{
    private readonly string _network = $"hazumu-test-{Guid.NewGuid().ToString("N")[..8]}";

    [Fact]
    public async Task A_bad_setting_ends_the_process_with_a_sentence_and_no_stack_trace()
    {
        var result = await RunAsync("--Hazumu:Gpu=cuda");

        Assert.Equal(1, result.ExitCode);
        Assert.Equal("'Hazumu:Gpu' is 'cuda'; allowed: auto, nvidia, amd, none.", result.Output.Trim());
    }

    [RequiresFact]
    public async Task A_taken_port_ends_the_process_before_anything_starts()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        var port = ((IPEndPoint)listener.LocalEndpoint).Port;

        var result = await RunAsync($"--Hazumu:Blackbox:Port={port}", "--Hazumu:Blackbox:Enabled=true");

        Assert.Equal(1, result.ExitCode);
        Assert.Contains($"Port {port} of 127.0.0.1, for 'blackbox', is taken", result.Output, StringComparison.Ordinal);
        Assert.DoesNotContain("   at ", result.Output, StringComparison.Ordinal);
        Assert.Empty(await ContainerEngine.RunOrThrowAsync("ps", "--all", "--quiet", "--filter", $"label=hazumu.network={_network}"));
        Assert.False((await ContainerEngine.RunAsync("network", "inspect", _network)).Succeeded);
    }

    private Task<CliResult> RunAsync(params string[] options) => Cli.RunAsync(
        "dotnet",
        [Path.Combine(AppContext.BaseDirectory, "Hazumu.AppHost.dll"), $"--Hazumu:Network={_network}", .. options],
        environment: new Dictionary<string, string?> { ["DOTNET_ENVIRONMENT"] = "Development", ["ASPIRE_ALLOW_UNSECURED_TRANSPORT"] = "true", ["ASPNETCORE_URLS"] = "http://127.0.0.1:0" },
        workingDirectory: RepositoryRoot.Combine("Hazumu.AppHost"));
}
