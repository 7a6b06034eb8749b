using System.Diagnostics;
using System.Globalization;
using System.Text.RegularExpressions;
using Hazumu.Gateway.Tests.Streams;
using Hazumu.Mocks;
using Hazumu.Testing;

namespace Hazumu.Gateway.Tests.Serving;

/// <summary>What the process says on standard output, and that it never waits for whoever reads that.</summary>
public sealed partial class OutputTests
{
    [Fact]
    public async Task A_blocked_standard_output_stops_neither_requests_nor_the_end()
    {
        await using var engine = await MockEngine.StartAsync(new MockEngineOptions { Models = [new MockModel("mock")] });
        using var process = Process.Start(Start([.. GatewayArguments.Of([("engine", engine.Address)], []), "--Logging:LogLevel:Default=Debug", "--Logging:LogLevel:Microsoft.AspNetCore=Debug"]))!;
        try
        {
            // From then on nobody reads it.
            Uri? address = null;
            while (address is null)
            {
                var line = await process.StandardOutput.ReadLineAsync() ?? throw new InvalidOperationException("It has ended.");
                address = Listening().Match(line) is { Success: true } match ? new Uri(match.Groups[1].Value) : null;
            }

            using var http = TestGateway.Client(address);
            http.DefaultRequestHeaders.Add("User-Agent", new string('u', 256));
            var path = "/api/tags/" + new string('p', 1000);
            while (await DroppedAsync(http) == 0)
            {
                await Task.WhenAll(Enumerable.Range(0, 100).Select(_ => http.AnswerAsync(HttpMethod.Get, path)));
            }

            // More than the console logger of the framework would queue.
            for (var round = 0; round < 40; round++)
            {
                await Task.WhenAll(Enumerable.Range(0, 100).Select(_ => http.AnswerAsync(HttpMethod.Get, "/")));
            }

            Assert.Equal(200, (await http.ChatAsync()).Status);
            Assert.True(await DroppedAsync(http) > 4000);

            using var kill = Process.Start("kill", ["-TERM", process.Id.ToString(CultureInfo.InvariantCulture)]);
            using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(30));
            await process.WaitForExitAsync(limit.Token);
            Assert.Equal(0, process.ExitCode);
        }
        finally
        {
            process.Kill();
        }
    }

    [Fact]
    public async Task A_line_that_is_logged_for_a_request_carries_its_id()
    {
        await using var engine = await MockEngine.StartAsync(new MockEngineOptions { Models = [new MockModel("mock")] });
        await using var gateway = await TestGatewayProcess.StartAsync(engine.Address, "--Logging:LogLevel:Yarp=Information");
        gateway.Http.DefaultRequestHeaders.Add("X-Request-Id", "of-the-test");

        await gateway.Http.ChatAsync();

        await Wait.UntilAsync(() => Assert.Contains(
            gateway.Printed, line => line.StartsWith("info: Yarp.ReverseProxy.Forwarder.HttpForwarder[", StringComparison.Ordinal) && line.Contains("=> request_id:of-the-test Proxying to ", StringComparison.Ordinal)));
    }

    [Fact]
    public async Task The_console_loggers_format_can_be_chosen()
    {
        await using var engine = await MockEngine.StartAsync();
        await using var gateway = await TestGatewayProcess.StartAsync(engine.Address, "--Logging:Console:FormatterName=systemd");

        Assert.Contains(gateway.Printed, line => line.StartsWith("<6>Microsoft.Hosting.Lifetime[14] Now listening on: http://127.0.0.1:", StringComparison.Ordinal));
    }

    [Fact]
    public async Task An_unknown_format_is_refused_in_a_sentence()
    {
        var (exitCode, _, error) = await TestGatewayProcess.RunAsync("--Logging:Console:FormatterName=xml", "--urls=http://127.0.0.1:0");

        Assert.Equal(1, exitCode);
        Assert.Equal("'Logging:Console:FormatterName' is 'xml'; allowed: json, simple, systemd.", error.Trim());
    }

    private static ProcessStartInfo Start(IEnumerable<string> arguments) => new("dotnet", [Path.Combine(AppContext.BaseDirectory, "Hazumu.Gateway.dll"), .. arguments])
    {
        RedirectStandardOutput = true,
        WorkingDirectory = AppContext.BaseDirectory,
    };

    private static async Task<double> DroppedAsync(HttpClient http) =>
        Dropped().Match((await http.AnswerAsync(HttpMethod.Get, "/metrics")).Text) is { Success: true } match ? double.Parse(match.Groups[1].Value, CultureInfo.InvariantCulture) : 0;

    [GeneratedRegex("Now listening on: (.+)")]
    private static partial Regex Listening();

    [GeneratedRegex(@"hazumu_gateway_access_log_dropped_total\{[^}]*\} ([0-9.e+]+)")]
    private static partial Regex Dropped();
}
