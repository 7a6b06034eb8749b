using System.Text.Json;
using Hazumu.Cli;
using Hazumu.Cli.Doctor;

namespace Hazumu.Tests.Cli;

/// <summary>The command line.</summary>
public sealed class DoctorCommandTests
{
    [Fact]
    public async Task It_ends_with_0_where_nothing_is_wrong_and_with_1_where_something_is()
    {
        await using var graph = await FakeGraph.StartAsync();
        graph.Login = "boss:secret";
        var addresses = graph.Addresses;
        string[] args = ["--prometheus", $"{addresses.Prometheus}", "--grafana", $"{addresses.Grafana}", "--left-out", "cadvisor,blackbox"];

        var well = await RunAsync(args, ("GRAFANA_ADMIN_USER", "boss"), ("Parameters__grafana-admin-password", "secret"), ("GRAFANA_ADMIN_PASSWORD", ""));
        Assert.Equal((0, ""), (well.Code, well.Error));
        Assert.EndsWith("Nothing is wrong.\n", well.Output, StringComparison.Ordinal);

        var ill = await RunAsync(args);
        Assert.Equal((1, ""), (ill.Code, ill.Error));
        Assert.Matches("data sources +PROBLEM", ill.Output);
        Assert.EndsWith("Something is wrong with: data sources.\n", ill.Output, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("--prometheus is 'localhost:9090'; allowed: an address such as http://localhost:9090. --help lists the commands and options.\n", "--prometheus", "localhost:9090")]
    [InlineData("--gateway is 'ftp://x'; allowed: an address such as http://localhost:9090. --help lists the commands and options.\n", "--gateway", "ftp://x")]
    [InlineData("'now' is not an option; give settings as --Hazumu:Key=value (docs/settings.md lists them).\n", "now")]
    public async Task A_command_line_that_is_not_understood_ends_with_2(string expected, params string[] args) =>
        Assert.Equal((2, "", expected), await RunAsync(args));

    [Fact]
    public async Task A_graph_without_addresses_is_nothing_to_look_at() =>
        Assert.Equal("There is nothing to check: the graph has no component with an address.", Report.Write(await CheckRunner.RunAsync(new DoctorOptions(), CancellationToken.None)));

    [Theory]
    [InlineData("""{"DockerRootDir": "/data/docker"}""", "/data/docker/volumes")]
    [InlineData("""{"store": {"volumePath": "/var/lib/containers/storage/volumes"}}""", "/var/lib/containers/storage/volumes")]
    [InlineData("""{"DockerRootDir": ""}""", "/var/lib/docker/volumes")]
    [InlineData("""{"ServerErrors": ["no daemon"]}""", "/var/lib/docker/volumes")]
    public void Volumes_folder_is_the_one_that_the_engine_reports(string info, string expected) =>
        Assert.Equal(expected, DoctorOptions.FindVolumesFolder(JsonDocument.Parse(info).RootElement));

    private static async Task<(int Code, string Output, string Error)> RunAsync(string[] args, params (string Name, string Value)[] variables)
    {
        using var output = new StringWriter { NewLine = "\n" };
        using var error = new StringWriter { NewLine = "\n" };
        var code = await HazumuCommand.RunAsync(["doctor", .. args], output, error, name => variables.FirstOrDefault(variable => variable.Name == name).Value);
        return (code, output.ToString(), error.ToString());
    }
}
