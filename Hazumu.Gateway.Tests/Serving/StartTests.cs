using System.Globalization;
using System.Net;
using System.Net.Sockets;
using Hazumu.Gateway.Tests.Keys;
using Hazumu.Gateway.Tests.Streams;

namespace Hazumu.Gateway.Tests.Serving;

/// <summary>A gateway that cannot start says why in a sentence, and ends.</summary>
public sealed class StartTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("--Gateway:Slots=0", "Gateway:Slots")]
    [InlineData("--Gateway:Slot=1", "Gateway:Slot")]
    [InlineData("--Gateway:Engines:a:Url=ftp://gpu-1", "ftp://gpu-1")]
    public Task A_setting_that_is_not_allowed(string argument, string names) => FailsAsync(names, 2, argument);

    [Fact]
    public Task A_connection_string_without_a_URL() => FailsAsync("gpu-1", "--ConnectionStrings:ollama=Endpoint=gpu-1");

    [Fact]
    public Task A_file_with_settings_that_is_not_there() => FailsAsync("nowhere.json", $"--Gateway:SettingsFile={_folder.File("nowhere.json")}");

    [Fact]
    public async Task A_file_with_settings_that_is_broken()
    {
        await File.WriteAllTextAsync(_folder.File("settings.json"), """{"Gateway":{"Slots":""");
        await FailsAsync("settings.json", $"--Gateway:SettingsFile={_folder.File("settings.json")}");
    }

    [Fact]
    public async Task A_file_with_keys_that_is_broken()
    {
        await File.WriteAllTextAsync(_folder.File("keys.json"), "no keys");
        await FailsAsync("keys.json", $"--Gateway:Keys:File={_folder.File("keys.json")}");
    }

    [Fact]
    public Task A_file_with_keys_that_cannot_be_read()
    {
        Directory.CreateDirectory(_folder.File("keys.json"));
        return FailsAsync("keys.json", $"--Gateway:Keys:File={_folder.File("keys.json")}");
    }

    [Fact]
    public Task A_management_port_that_is_the_only_one() => FailsAsync("Gateway:Management:Port", "--urls=http://127.0.0.1:18999", "--Gateway:Management:Port=18999");

    [Fact]
    public async Task A_port_that_is_taken()
    {
        using var taken = new TcpListener(IPAddress.Loopback, 0);
        taken.Start();
        var port = ((IPEndPoint)taken.LocalEndpoint).Port.ToString(CultureInfo.InvariantCulture);
        await FailsAsync(port, $"--urls=http://127.0.0.1:{port}");
    }

    private static Task FailsAsync(string names, params string[] arguments) => FailsAsync(names, 1, arguments);

    private static async Task FailsAsync(string names, int expectedExitCode, params string[] arguments)
    {
        var (exitCode, output, error) = await TestGatewayProcess.RunAsync(["--urls=http://127.0.0.1:0", .. arguments]);

        Assert.Equal(expectedExitCode, exitCode);
        var sentence = Assert.Single(error.Split('\n', StringSplitOptions.RemoveEmptyEntries));
        Assert.Contains(names, sentence, StringComparison.Ordinal);
        Assert.DoesNotContain("   at ", output + error, StringComparison.Ordinal);
        Assert.DoesNotContain("Exception", output + error, StringComparison.Ordinal);
    }
}
