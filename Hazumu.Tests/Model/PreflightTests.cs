using System.Net;
using System.Net.Sockets;
using Hazumu.Hosting.Settings;
using Hazumu.Hosting.Containers;
using Hazumu.Hosting.Preflight;
using Microsoft.Extensions.Configuration;

namespace Hazumu.Tests.Model;

public sealed class PreflightTests
{
    [Fact]
    public async Task A_missing_engine_is_reported()
    {
        var problem = await Assert.ThrowsAsync<StartupProblemException>(() => Engine(("ASPIRE_CONTAINER_RUNTIME", "no-such-engine")).GetInfoAsync(default));
        Assert.StartsWith("No container engine: there is no 'no-such-engine' command on PATH; install Docker", problem.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_engine_that_fails_is_reported()
    {
        var problem = await Assert.ThrowsAsync<StartupProblemException>(() => Engine(("ASPIRE_CONTAINER_RUNTIME", "false")).GetInfoAsync(default));
        Assert.StartsWith("The container engine does not answer 'false info'", problem.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_taken_port_is_reported_with_its_holder()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        var port = ((IPEndPoint)listener.LocalEndpoint).Port;

        // "true" stands for an engine that knows of no container.
        var problems = await new PortCheck(Engine(("ASPIRE_CONTAINER_RUNTIME", "true"))).FindProblemsAsync([new(IPAddress.Loopback, port, "'prometheus'", "Hazumu:Prometheus:Port")], default);

        var problem = Assert.Single(problems);
        Assert.StartsWith($"Port {port} of 127.0.0.1, for 'prometheus', is taken", problem, StringComparison.Ordinal);
        Assert.EndsWith("; stop that program, or set Hazumu:Prometheus:Port to a free port.", problem, StringComparison.Ordinal);
        if (OperatingSystem.IsLinux())
        {
            Assert.Contains($"(pid {Environment.ProcessId})", problem, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task A_port_that_is_set_twice_is_reported()
    {
        HostPort[] ports = [new(IPAddress.Loopback, 1234, "'a'", "Hazumu:A:Port"), new(IPAddress.Loopback, 1234, "'b'", "Hazumu:B:Port")];
        var problems = await new PortCheck(Engine()).FindProblemsAsync(ports, default);
        Assert.Equal("Port 1234 is requested by 'a' and by 'b'; change Hazumu:B:Port.", Assert.Single(problems));
    }

    [Fact]
    public async Task A_free_port_is_no_problem()
    {
        int port;
        using (var listener = new TcpListener(IPAddress.Loopback, 0))
        {
            listener.Start();
            port = ((IPEndPoint)listener.LocalEndpoint).Port;
        }

        Assert.Empty(await new PortCheck(Engine()).FindProblemsAsync([new(IPAddress.Loopback, port, "'a'", "Hazumu:A:Port")], default));
    }

    [Fact]
    public async Task An_address_of_another_machine_is_reported()
    {
        // 192.0.2.0/24 is set aside for documentation (RFC 5737): no machine has it.
        var problem = await Assert.ThrowsAsync<StartupProblemException>(() =>
            new PortCheck(Engine()).FindProblemsAsync([new(IPAddress.Parse("192.0.2.1"), 1234, "'a'", "Hazumu:A:Port")], default));
        Assert.StartsWith("This machine has no address 192.0.2.1; set Hazumu:BindAddress", problem.Message, StringComparison.Ordinal);
    }

    private static ContainerEngine Engine(params (string Key, string Value)[] settings) => new(new ConfigurationBuilder()
        .AddInMemoryCollection(settings.ToDictionary(setting => setting.Key, setting => (string?)setting.Value))
        .Build());
}
