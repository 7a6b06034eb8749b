using Aspire.Hosting;
using Aspire.Hosting.ApplicationModel;
using Aspire.Hosting.Testing;
using Hazumu.Testing;

namespace Hazumu.Tests.Integration;

/// <summary>The AppHosts in <c>samples</c> run as another repository's would: with the library alone.</summary>
public sealed class SampleTests
{
    private static readonly TimeSpan s_limit = TimeSpan.FromMinutes(5);

    private static readonly Component[] s_optional = [Component.Ollama, Component.LlamaServer, Component.Gateway, Component.Grafana, Component.CAdvisor, Component.Alertmanager, Component.NodeExporter];

    public SampleTests() => Skip.If(Component.WhyMissing(Component.Prometheus, Component.Blackbox));

    [Fact]
    public async Task Single_integrations_run_with_the_package_configuration()
    {
        var builder = await DistributedApplicationTestingBuilder.CreateAsync<Projects.Monitoring>(["--hostBuilder:reloadConfigOnChange=false"]);
        foreach (var component in new[] { Component.Prometheus, Component.Blackbox })
        {
            UseImage(builder, component);
        }

        await RunAsync(builder, ["prometheus", "blackbox"], async application =>
        {
            using var client = application.CreateHttpClient("prometheus");
            await Wait.UntilAsync("Prometheus to scrape the exporter", TimeSpan.FromMinutes(1), async () =>
                Assert.Contains("\"value\":[", await client.GetStringAsync("/api/v1/query?query=up{job=\"blackbox\"}==1")));
        });
    }

    [Fact]
    public async Task The_whole_graph_runs_by_one_line()
    {
        var name = $"hazumu-sample-{Guid.NewGuid():N}"[..24];
        Component[] components = [Component.Prometheus, Component.Blackbox, .. s_optional.Where(component => component.Missing is null && (component != Component.LlamaServer || component == Component.Engine) && (component != Component.Gateway || Compose.GatewayImage.Missing is null))];
        var builder = await DistributedApplicationTestingBuilder.CreateAsync<Projects.WholeGraph>(
        [
            "--hostBuilder:reloadConfigOnChange=false",
            // Free ports, and a network and volumes of its own.
            "--DcpPublisher:RandomizePorts=true",
            $"--Hazumu:Network={name}",
            .. components.Select(component => $"--Hazumu:{component.Section}:Image={component.Image}"),
            .. s_optional.Select(component => $"--Hazumu:{component.Section}:Enabled={components.Contains(component)}"),
        ]);
        await RunAsync(builder, [.. components.Select(component => component.Service)], _ => Task.CompletedTask);
    }

    private static void UseImage(IDistributedApplicationTestingBuilder builder, Component component)
    {
        var image = Assert.Single(builder.Resources, resource => resource.Name == component.Service).Annotations.OfType<ContainerImageAnnotation>().Single();
        image.Tag = component.Image.Split('@')[0].Split(':')[^1];
    }

    private static async Task RunAsync(IDistributedApplicationTestingBuilder builder, IReadOnlyList<string> healthy, Func<DistributedApplication, Task> check)
    {
        var volumes = builder.Resources.SelectMany(resource => resource.Annotations.OfType<ContainerMountAnnotation>()).Where(mount => mount.Type == ContainerMountType.Volume).Select(mount => mount.Source!).ToList();
        try
        {
            await using var application = await builder.BuildAsync();
            await application.StartAsync().WaitAsync(s_limit);
            foreach (var resource in healthy)
            {
                await application.ResourceNotifications.WaitForResourceHealthyAsync(resource).WaitAsync(s_limit);
            }

            await check(application);
            await application.StopAsync();
        }
        finally
        {
            foreach (var volume in volumes)
            {
                await ContainerCli.RunAsync("volume", "rm", "--force", volume);
            }
        }
    }
}
