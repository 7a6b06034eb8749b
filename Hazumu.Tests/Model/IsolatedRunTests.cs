using Hazumu.Hosting.Settings;
using Hazumu.Hosting.Preflight;
using Microsoft.Extensions.Configuration;

namespace Hazumu.Tests.Model;

public sealed class IsolatedRunTests
{
    private static readonly Dictionary<string, string?> s_isolated = new() { ["DcpPublisher:RandomizePorts"] = "true" };

    [Fact]
    public void An_isolated_run_gets_ports_network_and_volumes_of_its_own()
    {
        var defaults = HazumuOptions.Read(Configuration([]));
        var (one, other) = (Apply(s_isolated, "/src/one"), Apply(s_isolated, "/src/other"));

        Assert.DoesNotContain(one.Components, component => defaults.Components.Any(shared => shared.Port == component.Port));
        Assert.Distinct([.. one.Components.Select(component => component.Port), one.Edge.HttpPort, one.Gateway.ManagementPort, defaults.Gateway.ManagementPort]);
        Assert.Distinct([defaults.Network, one.Network, other.Network]);
        Assert.Distinct([.. Volumes(defaults), .. Volumes(one), .. Volumes(other)]);
    }

    [Fact]
    public void An_isolated_run_of_the_same_checkout_finds_its_data_again() =>
        Assert.Equal(Volumes(Apply(s_isolated, "/src/one")), Volumes(Apply(s_isolated, "/src/one")));

    [Fact]
    public void A_value_that_is_set_stays_in_an_isolated_run()
    {
        var options = Apply(new(s_isolated) { ["Hazumu:Prometheus:Port"] = "19090", ["Hazumu:Prometheus:Volume"] = "mine", ["Hazumu:Network"] = "ours" }, "/src/one");

        Assert.Equal((19090, "mine", "ours"), (options.Prometheus.Port, options.Prometheus.Volume, options.Network));
    }

    [Fact]
    public void Ports_of_the_dashboard_are_not_checked_in_an_isolated_run()
    {
        Dictionary<string, string?> profile = new() { ["ASPNETCORE_URLS"] = "http://localhost:15080" };

        Assert.Equal(15080, Assert.Single(HostPort.Dashboard(Configuration(profile))).Port);
        Assert.Empty(HostPort.Dashboard(Configuration(profile.Concat(s_isolated))));
    }

    // 'dotnet run' puts the launch profile's values in the place of the environment's (seen with the SDK 10.0.401).
    [Theory]
    [InlineData(null, "ASPNETCORE_URLS")]
    [InlineData("http", "ASPNETCORE_URLS in Properties/launchSettings.json")]
    public void Dashboards_port_is_changed_in_the_launch_profile_if_there_is_one(string? profile, string setting)
    {
        Dictionary<string, string?> settings = new() { ["ASPNETCORE_URLS"] = "http://localhost:15080", ["DOTNET_LAUNCH_PROFILE"] = profile };

        Assert.Equal(setting, Assert.Single(HostPort.Dashboard(Configuration(settings))).Setting);
    }

    [Fact]
    public void Any_other_run_keeps_the_defaults()
    {
        var (defaults, options) = (HazumuOptions.Read(Configuration([])), Apply([], "/src/one"));

        Assert.Equal(defaults.Components.Select(component => component.Port), options.Components.Select(component => component.Port));
        Assert.Equal(Volumes(defaults), Volumes(options));
    }

    private static IConfigurationRoot Configuration(IEnumerable<KeyValuePair<string, string?>> settings) => new ConfigurationBuilder().AddInMemoryCollection(settings).Build();

    private static HazumuOptions Apply(Dictionary<string, string?> settings, string folder)
    {
        var configuration = Configuration(settings);
        var options = HazumuOptions.Read(configuration);
        IsolatedRun.Apply(options, configuration, folder);
        return options;
    }

    private static IEnumerable<string> Volumes(HazumuOptions options) => options.Components.OfType<StoringComponentOptions>().Select(component => component.Volume);
}
