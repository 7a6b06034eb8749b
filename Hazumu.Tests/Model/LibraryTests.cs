using Aspire.Hosting;
using Aspire.Hosting.ApplicationModel;

namespace Hazumu.Tests.Model;

/// <summary>Hazumu.Hosting in the AppHost of another repository.</summary>
public sealed class LibraryTests
{
    [Fact]
    public void AddHazumu_adds_the_whole_graph_with_the_gateway_as_a_container()
    {
        var builder = DistributedApplication.CreateBuilder([.. DefaultOptions.Elsewhere]);
        var hazumu = builder.AddHazumu();

        Assert.Equal(
            ["alertmanager", "blackbox", "cadvisor", "gateway", "gpuexporter", "grafana", "nodeexporter", "ollama", "prometheus"],
            builder.Resources.OfType<ContainerResource>().Select(resource => resource.Name).Order(StringComparer.Ordinal));
        var gateway = Assert.IsType<HazumuGatewayResource>(hazumu.Gateway.Resource);
        Assert.Equal("localhost/hazumu/gateway:dev", GraphModel.Image(gateway));
        Assert.Equal((11435, 8080), (GraphModel.Endpoint(gateway, "http").Port, GraphModel.Endpoint(gateway, "http").TargetPort));
        Assert.Contains("Volume:gateway_data:/data", GraphModel.Mounts(gateway));
    }

    [Theory]
    [InlineData("prometheus", "/etc/prometheus", "prometheus.yml")]
    [InlineData("prometheus", "/etc/prometheus-runbooks", "EngineDown.md")]
    [InlineData("alertmanager", "/etc/alertmanager", "alertmanager.yml")]
    [InlineData("blackbox", "/etc/blackbox_exporter", "config.yml")]
    public void The_configuration_lies_beside_the_program(string name, string target, string file)
    {
        var builder = DistributedApplication.CreateBuilder([.. DefaultOptions.Elsewhere]);
        builder.AddHazumu();

        var mount = Assert.Single(
            builder.Resources.Single(resource => resource.Name == name).Annotations.OfType<ContainerMountAnnotation>(),
            mount => mount.Target == target);
        Assert.StartsWith(AppContext.BaseDirectory, mount.Source, StringComparison.Ordinal);
        Assert.True(File.Exists(Path.Combine(mount.Source!, file)));
    }

    [Fact]
    public async Task Grafana_has_a_generated_password_unless_one_is_given()
    {
        var builder = DistributedApplication.CreateBuilder();
        var grafana = builder.AddGrafana("dashboards");

        Assert.Equal("admin", await grafana.Resource.AdminUser.GetValueAsync(default));
        Assert.Equal("dashboards-admin-password", grafana.Resource.AdminPassword.Name);
        Assert.True((await grafana.Resource.AdminPassword.GetValueAsync(default))!.Length >= 22);
    }

    [Fact]
    public void A_configuration_folder_that_does_not_exist_is_reported()
    {
        var builder = DistributedApplication.CreateBuilder();
        var blackbox = builder.AddBlackboxExporter("blackbox");

        var problem = Assert.Throws<DistributedApplicationException>(() => blackbox.WithConfiguration("nowhere"));
        Assert.Contains("nowhere", problem.Message, StringComparison.Ordinal);
    }
}
