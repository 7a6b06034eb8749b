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
    private static readonly string[] s_free = 
    [
        "affinity", "annotations", "commonAnnotations", "commonLabels", "environment", "nodeSelector", "pod", "pods", "resources", "service", "settings",
    ];

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

    [Fact]
    public async Task Options_of_pods_are_added_to_every_workload()
    {
        var rendered = await Rendering.RenderAsync(
            "hazumu",
            "logs",
            "--set-json",
            """pods={"labels":{"team":"ai"},"annotations":{"mesh":"off"},"spec":{"priorityClassName":"high","hostAliases":[{"ip":"10.0.0.9","hostnames":["lan"]}],"securityContext":{"runAsUser":null}},"container":{"env":[{"name":"HTTPS_PROXY","value":"p"}]},"workload":{"revisionHistoryLimit":2}}""");

        Assert.Equal((await Rendering.OfAsync("logs")).Workloads.Keys, rendered.Workloads.Keys);
        Assert.All(rendered.Workloads.Values.Select(workload => workload.Pod), pod =>
        {
            Assert.Equal(("high", "10.0.0.9"), (pod.PriorityClassName, Assert.Single(pod.HostAliases).Ip));
            Assert.Null(pod.SecurityContext.RunAsUser);
            Assert.NotNull(pod.SecurityContext.RunAsGroup);
            Assert.Contains(pod.Containers[0].Env, variable => variable.Name == "HTTPS_PROXY");
            Assert.DoesNotContain(pod.Containers.Skip(1), container => container.Env?.Any(variable => variable.Name == "HTTPS_PROXY") == true);
        });
        Assert.All(rendered.Of<V1StatefulSet>(), set => Assert.Equal((2, "ai", "off"), (set.Spec.RevisionHistoryLimit, set.Spec.Template.Metadata.Labels["team"], set.Spec.Template.Metadata.Annotations["mesh"])));
    }

    [Fact]
    public async Task Options_of_one_component_are_merged_into_what_it_has()
    {
        var ollama = (await Rendering.RenderAsync(
            "hazumu",
            "least",
            "--set-json",
            """ollama.pod={"spec":{"initContainers":[{"name":"own","image":"i"}],"containers":[{"name":"sidecar","image":"i"}],"volumes":[{"name":"ca","configMap":{"name":"ca"}}]},"container":{"envFrom":[{"secretRef":{"name":"s"}}],"volumeMounts":[{"name":"ca","mountPath":"/ca"}],"readinessProbe":{"periodSeconds":30}}}""")).Workloads["ollama"].Pod;
        var before = (await Rendering.OfAsync("least")).Workloads["ollama"].Pod;

        Assert.Equal(["ollama", "sidecar"], ollama.Containers.Select(container => container.Name));
        Assert.Contains(ollama.InitContainers, container => container.Name == "own");
        Assert.Equal([.. before.Volumes.Select(volume => volume.Name), "ca"], ollama.Volumes.Select(volume => volume.Name));
        Assert.Equal([.. before.Containers[0].VolumeMounts.Select(mount => mount.MountPath), "/ca"], ollama.Containers[0].VolumeMounts.Select(mount => mount.MountPath));
        Assert.Equal((30, "/"), (ollama.Containers[0].ReadinessProbe.PeriodSeconds, ollama.Containers[0].ReadinessProbe.HttpGet.Path));
        Assert.Equal("s", Assert.Single(ollama.Containers[0].EnvFrom).SecretRef.Name);
    }

    [Fact]
    public async Task Options_of_one_component_reach_no_other()
    {
        var rendered = await Rendering.RenderAsync(
            "hazumu",
            "least",
            "--set-json",
            """pods={"container":{"env":[{"name":"HTTPS_PROXY","value":"all"}]}},gateway.pod={"container":{"env":[{"name":"HTTPS_PROXY","value":"own"}]}}""");

        Assert.All(rendered.Workloads, workload => Assert.Equal(
            workload.Key == "gateway" ? "own" : "all",
            workload.Value.Pod.Containers[0].Env.Single(variable => variable.Name == "HTTPS_PROXY").Value));
    }

    [Fact]
    public async Task A_release_without_replicas_of_an_engine_expects_no_target_of_it()
    {
        var rendered = await Rendering.RenderAsync(
            "hazumu", "least", "--set", "ollama.replicas=0,vllm.enabled=true,vllm.model=a/b,vllm.replicas=0,engines.far.url=http://far:8000");

        var expected = rendered.The<V1ConfigMap>("hazumu-prometheus").Data["rules__expected.yaml"];
        Assert.DoesNotContain("engine-health", expected, StringComparison.Ordinal);
        Assert.DoesNotContain("vllm", expected, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Labels_and_annotations_are_on_every_object()
    {
        var rendered = await Rendering.RenderAsync("hazumu", "logs", "--set", "commonLabels.team=ai,commonAnnotations.owner=ops");

        Assert.All(rendered.Objects, found => Assert.Equal(("ai", "ops"), (found.Metadata.Labels["team"], found.Metadata.Annotations["owner"])));
    }

    [Fact]
    public async Task A_Service_can_be_of_another_type()
    {
        var gateway = (await Rendering.RenderAsync(
            "hazumu",
            "least",
            "--set-json",
            """gateway.service={"annotations":{"lb":"internal"},"spec":{"type":"NodePort","ipFamilyPolicy":"PreferDualStack","ports":[{"name":"http","nodePort":30080}]}}""")).The<V1Service>("hazumu-gateway");

        Assert.Equal(("NodePort", "PreferDualStack", "internal"), (gateway.Spec.Type, gateway.Spec.IpFamilyPolicy, gateway.Metadata.Annotations["lb"]));
        var port = Assert.Single(gateway.Spec.Ports);
        Assert.Equal((30080, 8080), (port.NodePort, port.Port));
    }

    [Fact]
    public async Task A_claim_can_be_one_that_exists_or_an_empty_folder()
    {
        var rendered = await Rendering.RenderAsync(
            "hazumu",
            "least",
            "--set",
            "ollama.storage.existingClaim=models,prometheus.storage.emptyDir=true,grafana.storage.accessModes={ReadWriteOncePod},grafana.storage.annotations.backup=daily");

        var (ollama, prometheus) = (rendered.The<V1StatefulSet>("hazumu-ollama").Spec, rendered.The<V1StatefulSet>("hazumu-prometheus").Spec);
        Assert.Null(ollama.VolumeClaimTemplates);
        Assert.Equal("models", ollama.Template.Spec.Volumes.Single(volume => volume.Name == "data").PersistentVolumeClaim.ClaimName);
        Assert.Null(prometheus.VolumeClaimTemplates);
        Assert.Equal("20Gi", prometheus.Template.Spec.Volumes.Single(volume => volume.Name == "data").EmptyDir.SizeLimit.ToString());
        var grafana = Assert.Single(rendered.The<V1StatefulSet>("hazumu-grafana").Spec.VolumeClaimTemplates);
        Assert.Equal(("ReadWriteOncePod", "daily"), (Assert.Single(grafana.Spec.AccessModes), grafana.Metadata.Annotations["backup"]));
    }

    [Fact]
    public async Task Objects_of_the_users_own_are_part_of_the_release()
    {
        var rendered = await Rendering.RenderAsync(
            "hazumu",
            "least",
            "--set-json",
            """extraObjects=[{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"own"},"data":{"legend":"{{ $labels.instance }}"}},"apiVersion: v1\nkind: ConfigMap\nmetadata: { name: {{ .Release.Name }}-own }"]""");

        Assert.Equal(["own", "hazumu-own"], rendered.Of<V1ConfigMap>().Select(map => map.Metadata.Name).Where(name => name.EndsWith("own", StringComparison.Ordinal)));
    }

    [GeneratedRegex("^[a-z]([-a-z0-9]{0,61}[a-z0-9])?$")]
    private static partial Regex DnsLabel();

    private static bool IsFree(string path) => s_free.Contains(path.Split('.')[^1]);

    private static IEnumerable<string> SectionsOf(YamlNode node, string path) => IsFree(path) ? [path] : node is YamlMappingNode map
        ? [.. path.Length > 0 ? [path] : Array.Empty<string>(), .. map.Children.SelectMany(child => SectionsOf(child.Value, path.Length > 0 ? $"{path}.{child.Key}" : $"{child.Key}"))]
        : [];
}
