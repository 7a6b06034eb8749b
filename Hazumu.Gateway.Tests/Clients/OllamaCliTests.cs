using System.Globalization;
using Hazumu.Gateway.Keys;
using Hazumu.Gateway.Tests.Engines;
using Hazumu.Gateway.Tests.Keys;
using Hazumu.Mocks;
using Hazumu.Testing;

namespace Hazumu.Gateway.Tests.Clients;

/// <summary>Ollama's own command line, from PATH or its image, through a gateway with keys and two instances.</summary>
public sealed class OllamaCliTests : IDisposable
{
    private const string Image = "ollama/ollama:0.32.15";

    private static readonly Lazy<bool> s_isOnPath = new(() => ClientPrograms.CanRun("ollama", ["--version"]));

    private readonly TemporaryFolder _folder = new();
    private readonly OllamaKeyPair _client = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task The_command_line_signs_its_requests_and_shows_refusals()
    {
        Skip.If(s_isOnPath.Value ? null : EngineContainer.WhyMissing(Image) is { } missing ? $"there is no program 'ollama' on PATH, and {missing}" : null);

        var (key, _) = TestKeys.Make("alice", Scope.Infer | Scope.Read | Scope.Admin);
        TestKeys.Write(_folder.File("keys.json"), key with { OllamaPublicKey = _client.PublicKey });
        await File.WriteAllTextAsync(_folder.File("id_ed25519"), _client.PrivateKey);
        var options = new MockEngineOptions { Tokens = 4, TokenText = "日本é" };
        await using var first = await MockEngine.StartAsync(options);
        await using var second = await MockEngine.StartAsync(options);
        await using var gateway = await TestGateway.StartAsync(
            [("first", first.Address), ("second", second.Address)], "--Gateway:Keys:Required=true", $"--Gateway:Keys:File={_folder.File("keys.json")}");

        var unsigned = await RunAsync(gateway, signs: false, "run", "mock", "hi");
        Assert.NotEqual(0, unsigned.ExitCode);
        Assert.Contains("This gateway needs a key: set OLLAMA_AUTH=1", unsigned.Output, StringComparison.Ordinal);
        Assert.DoesNotContain("signed in", unsigned.Output, StringComparison.Ordinal);

        await AnswersAsync("mock:latest", "list");
        await AnswersAsync(KeyedGateway.Answer, "run", "mock", "hi");
        await AnswersAsync("mock:latest", "ps");
        await AnswersAsync("Capabilities", "show", "mock");
        await AnswersAsync("success", "pull", "new");
        await AnswersAsync("copied 'new' to 'newer'", "cp", "new", "newer");
        await AnswersAsync("deleted 'newer'", "rm", "newer");
        await AnswersAsync("", "stop", "mock");

        Assert.DoesNotContain(first.Requests.Concat(second.Requests), request => request.Headers.ContainsKey("Authorization"));
        Assert.Equal(0, gateway.Measured.Sum("hazumu.gateway.errors", ("error_type", "stream_truncated")));

        async Task AnswersAsync(string text, params string[] arguments)
        {
            var result = await RunAsync(gateway, signs: true, arguments);
            Assert.True(result.Succeeded, $"ollama {string.Join(' ', arguments)} exited with {result.ExitCode}: {result.Output}");
            Assert.Contains(text, result.Output, StringComparison.Ordinal);
        }
    }

    private Task<CliResult> RunAsync(TestGateway gateway, bool signs, params string[] arguments)
    {
        var home = Directory.CreateDirectory(_folder.File("home")).FullName;
        var keys = Directory.CreateDirectory(Path.Combine(home, ".ollama")).FullName;
        File.Copy(_folder.File("id_ed25519"), Path.Combine(keys, "id_ed25519"), overwrite: true);
        var environment = new Dictionary<string, string?>
        {
            ["HOME"] = home,
            ["OLLAMA_HOST"] = gateway.Address.GetLeftPart(UriPartial.Authority),
            ["OLLAMA_AUTH"] = signs ? "1" : null,
        };
        if (s_isOnPath.Value)
        {
            return ProcessRunner.RunAsync("ollama", arguments, environment: environment);
        }

        environment["HOME"] = "/root";
        return ContainerCli.RunAsync(
            [
                "run", "--rm", "--pull", "never", "--network", "host", "--volume", $"{keys}:/root/.ollama",
                .. environment.Where(variable => variable.Value is not null).SelectMany(variable => (string[])["--env", string.Create(CultureInfo.InvariantCulture, $"{variable.Key}={variable.Value}")]),
                Image, .. arguments,
            ]);
    }
}
