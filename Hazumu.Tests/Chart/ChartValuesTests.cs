using System.Text.RegularExpressions;
using Hazumu.Testing;
using Hazumu.Tests.Compose;
using k8s.Models;
using YamlDotNet.RepresentationModel;

namespace Hazumu.Tests.Chart;

/// <summary>Values that people write in other ways than the chart's own file does.</summary>
public sealed partial class ChartValuesTests
{
    // Free maps: what is empty there removes a default, as Helm documents it.
    private static readonly string[] s_free = ["affinity", "annotations", "environment", "nodeSelector", "resources", "settings"];

    /// <summary>Every map of values.yaml, as a path with dots.</summary>
    public static TheoryData<string> Sections => [.. SectionsOf(PublishedCompose.Read(Path.Combine(ChartFolder.Folder, "values.yaml")), "").Where(path => path is not ("grafana" or "images" or "images.gateway"))];

    public ChartValuesTests() => Skip.If(Helm.Missing);

    [Theory]
    [MemberData(nameof(Sections))]
    public async Task An_empty_section_is_as_if_it_had_not_been_written(string path)
    {
        var rendered = await Rendering.RenderAsync("hazumu", "least", "--namespace", Rendering.Namespace, "--set-json", $"{path}=null");

        Assert.NotEmpty(rendered.Objects);
        if (!IsFree(path))
        {
            Assert.Equal((await Rendering.OfAsync("least")).Documents, rendered.Documents);
        }
    }

    [Fact]
    public async Task Null_removes_a_default_of_a_free_map()
    {
        var gateway = (await Rendering.RenderAsync("hazumu", "least", "--set-json", "gateway.resources.limits=null")).Workloads["gateway"].Pod.Containers[0];

        Assert.Null(gateway.Resources.Limits);
        Assert.NotNull(gateway.Resources.Requests);
    }

    [Theory]
    [InlineData("prod.hazumu", "prod-hazumu-gateway")]
    [InlineData("1hazumu", "hazumu-1hazumu-gateway")]
    [InlineData("team.a", "team-a-hazumu-gateway")]
    public async Task A_release_name_gives_names_that_the_API_accepts(string release, string gateway)
    {
        var names = (await Rendering.RenderAsync(release, "least")).Of<V1Service>().Select(service => service.Metadata.Name).ToList();

        Assert.Contains(gateway, names);
        Assert.All(names, name => Assert.Matches(DnsLabel(), name));
    }

    [Fact]
    public async Task The_resource_of_the_device_plugin_can_be_another()
    {
        var rendered = await Rendering.RenderAsync("hazumu", "least", "--set", "ollama.gpu.vendor=nvidia,ollama.gpu.resource=nvidia.com/mig-1g.10gb");

        Assert.Equal(["nvidia.com/mig-1g.10gb"], rendered.Workloads["ollama"].Pod.Containers[0].Resources.Limits.Keys);
    }

    [Fact]
    public async Task The_ports_of_the_API_server_can_be_others()
    {
        var policies = (await Rendering.RenderAsync("hazumu", "least", "--set", "networkPolicy.apiServerPorts={7443}")).Of<V1NetworkPolicy>();

        var prometheus = policies.Single(policy => policy.Metadata.Name == "hazumu-prometheus").Spec.Egress;
        Assert.Contains(prometheus, rule => rule.Ports.Select(port => port.Port.Value).SequenceEqual(["7443", "10250"]));
    }

    [Fact]
    public async Task Only_the_namespace_of_the_Ingress_controller_reaches_the_gateway_from_outside()
    {
        var gateway = (await Rendering.OfAsync("least")).Of<V1NetworkPolicy>().Single(policy => policy.Metadata.Name == "hazumu-gateway");

        var outside = gateway.Spec.Ingress.SelectMany(rule => rule.FromProperty).Where(peer => peer.PodSelector is null);
        Assert.Equal("ingress-nginx", Assert.Single(outside).NamespaceSelector.MatchLabels["kubernetes.io/metadata.name"]);
    }

    [GeneratedRegex("^[a-z]([-a-z0-9]{0,61}[a-z0-9])?$")]
    private static partial Regex DnsLabel();

    private static bool IsFree(string path) => s_free.Contains(path.Split('.')[^1]);

    private static IEnumerable<string> SectionsOf(YamlNode node, string path) => IsFree(path) ? [path] : node is YamlMappingNode map
        ? [.. path.Length > 0 ? [path] : Array.Empty<string>(), .. map.Children.SelectMany(child => SectionsOf(child.Value, path.Length > 0 ? $"{path}.{child.Key}" : $"{child.Key}"))]
        : [];
}
