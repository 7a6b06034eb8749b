using System.Text.Json;
using System.Text.RegularExpressions;
using Hazumu.Testing;
using k8s;
using k8s.Models;

namespace Hazumu.Tests.Chart;

/// <summary>What Helm makes of the chart.</summary>
public sealed partial class ChartTests
{
    // The named exceptions from the Pod Security Standard "restricted".
    private static readonly string[] s_exceptions = ["nodeexporter", "gpuexporter"];

    private const string Oidc = "grafana.oidc.enabled=true,grafana.oidc.existingSecret=s,grafana.oidc.clientId=c,grafana.oidc.authUrl=https://a,grafana.oidc.tokenUrl=https://t,grafana.oidc.apiUrl=https://u";

    public static TheoryData<string> Values => ChartFolder.Values;

    public ChartTests() => Skip.If(Helm.Missing);

    [Fact]
    public async Task Helm_finds_nothing_wrong()
    {
        var lint = await Helm.RunAsync("lint", "--strict", ChartFolder.Folder, "--values", ChartFolder.ValuesFile("nvidia"));

        Assert.True(lint.Succeeded, lint.Output);
    }

    [Theory]
    [InlineData("grafana.existingSecret=", "grafana.existingSecret is not set: name a Secret")]
    [InlineData("images.gateway.repository=", "images.gateway.repository is not set: no registry has that image")]
    [InlineData("images.ollama.tag=", "images.ollama has neither tag nor digest")]
    [InlineData("images.ollama.tag=,ollama.gpu.vendor=amd", "images.ollama has neither tag nor rocmDigest")]
    [InlineData("ingress.enabled=true", "ingress.gateway.host is not set")]
    [InlineData("httpRoute.enabled=true", "httpRoute is enabled and httpRoute.parentRefs is empty: name the Gateway")]
    [InlineData("httpRoute.enabled=true,httpRoute.parentRefs[0].name=gw", "httpRoute is enabled and has no hostnames: set")]
    [InlineData("networkPolicy.apiServerPorts[0]=65536", "/networkPolicy/apiServerPorts/0")]
    [InlineData("ollama.gpu.resource=mig-1g.10gb", "/ollama/gpu/resource")]
    [InlineData("gateway.replicas=2", "gateway.cluster.existingSecret is not set: several gateways")]
    [InlineData("gateway.usage.existingSecret=a", "gateway.usage.existingSecret is set and gateway.usage.database is not")]
    [InlineData("gateway.autoscaling.enabled=true", "gateway.cluster.existingSecret is not set: several gateways")]
    [InlineData("grafana.oidc.enabled=true", "grafana.oidc.existingSecret is not set: sign-in by OIDC needs")]
    [InlineData($"{Oidc},grafana.oidc.tokenUrl=", "grafana.oidc.tokenUrl is not set: sign-in by OIDC needs")]
    [InlineData(Oidc, "grafana.oidc is enabled, but Grafana does not know under which address")]
    [InlineData($"{Oidc},grafana.externalUrl=https://g.example", "grafana.oidc is enabled, but Grafana may not reach the provider")]
    [InlineData("llamaserver.enabled=true", "llamaserver.model.name is not set: llamaserver needs the name")]
    [InlineData("llamaserver.enabled=true,llamaserver.model.name=m,llamaserver.model.file=m.gguf", "llamaserver.model.existingClaim is not set")]
    [InlineData("vllm.enabled=true", "vllm.model is not set: vllm needs a repository")]
    [InlineData("vllm.enabled=true,vllm.model=a/b,engines.vllm-0.url=http://gpu", "engines.vllm-0 has the name of a replica of the release")]
    [InlineData("vllm.gpu.resource=mig-1g.10gb", "/vllm/gpu/resource")]
    [InlineData("ollama.replica=2", "additional properties 'replica' not allowed")]
    public async Task A_missing_or_wrong_value_is_reported_in_a_sentence(string value, string sentence)
    {
        var result = await Helm.RunAsync("template", "hazumu", ChartFolder.Folder, "--values", ChartFolder.ValuesFile("least"), "--set", value);

        Assert.False(result.Succeeded);
        Assert.Contains(sentence, result.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Chart_without_its_generated_files_says_how_to_generate_them()
    {
        var folder = Directory.CreateTempSubdirectory("hazumu-chart-");
        Published.CopyChartSources(folder.FullName);

        var result = await Helm.RunAsync("template", "hazumu", folder.FullName, "--values", ChartFolder.ValuesFile("least"));
        folder.Delete(recursive: true);

        Assert.False(result.Succeeded);
        Assert.Contains("The chart has no folder 'files', which is generated: run ./hazumu publish", result.Output, StringComparison.Ordinal);
    }

    [Theory]
    [MemberData(nameof(Values))]
    public async Task Every_object_is_of_the_Kubernetes_API(string values)
    {
        var rendering = await Rendering.OfAsync(values);

        Assert.NotEmpty(rendering.Objects);
        Assert.All(rendering.Objects, found =>
        {
            Assert.Matches("^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$", found.Metadata.Name);
            Assert.Equal("hazumu", found.Metadata.Labels["app.kubernetes.io/name"]);
        });
        // No two objects are one.
        Assert.Equal(rendering.Objects.Count, rendering.Objects.DistinctBy(found => (found.Kind, found.Metadata.NamespaceProperty, found.Metadata.Name)).Count());
    }

    [Theory]
    [InlineData("off")]
    [InlineData("123")]
    public async Task A_namespace_may_be_called_what_YAML_takes_for_no_text(string name)
    {
        // One with logs and accounts, one with autoscaling.
        foreach (var values in new[] { "logs", "amd" })
        {
            // Helm reads an object without its type: there such a name is text only in quotation marks.
            Assert.All((await Rendering.OfAsync(values, name)).Documents, document => Assert.DoesNotMatch($"(?m)(namespace|metadata\\.name): {name}$", document));
        }
    }

    [Fact]
    public async Task Every_component_has_its_workload_and_a_Service_if_it_is_called()
    {
        var rendering = await Rendering.OfAsync("nvidia");
        var known = ChartFolder.Known;

        Assert.Equal(known.Components.Keys.Order(StringComparer.Ordinal), rendering.Workloads.Values.Where(workload => !workload.IsTask).Select(workload => workload.Service).Order(StringComparer.Ordinal));
        Assert.Equal(known.Components.Values.SelectMany(component => component.Tasks.Keys), rendering.Workloads.Values.Where(workload => workload.IsTask).Select(workload => workload.Service));
        Assert.All(rendering.Workloads.Values, workload =>
        {
            var labels = workload.Template.Metadata.Labels;
            Assert.Equal((workload.Service, known.Network), (labels["hazumu.instance"], labels["hazumu.network"]));
            // A Job's ends in its checksum.
            Assert.Matches($"^hazumu-{workload.Service}{(workload.IsTask ? "-[0-9a-f]{8}" : "")}$", workload.Metadata.Name);
        });

        // The exporters of nodes are asked by discovery only.
        var services = rendering.Of<V1Service>().ToDictionary(service => service.Metadata.Name);
        foreach (var (name, component) in known.Components.Where(entry => !s_exceptions.Contains(entry.Key)))
        {
            var service = services[$"hazumu-{name}"];
            Assert.Equal(component.Port, Assert.Single(service.Spec.Ports).Port);
            Assert.All(service.Spec.Selector, label => Assert.Equal(label.Value, rendering.Workloads[name].Template.Metadata.Labels[label.Key]));
        }
    }

    [Theory]
    [MemberData(nameof(Values))]
    public async Task Pods_are_restricted_but_the_named_exceptions(string values)
    {
        var rendering = await Rendering.OfAsync(values);

        foreach (var workload in rendering.Workloads.Values)
        {
            var problems = Unrestricted(workload).ToList();
            Assert.True(problems.Count == 0 || s_exceptions.Contains(workload.Service), $"{workload.Service}: {string.Join(", ", problems)}");
            Assert.Equal(s_exceptions.Contains(workload.Service) && values == "nvidia" ? "hazumu-host" : Rendering.Namespace, workload.Metadata.NamespaceProperty);

            // Beyond the standard.
            Assert.All(workload.Containers, container => Assert.True(container.SecurityContext?.ReadOnlyRootFilesystem, $"{container.Name} may write to its root."));
            Assert.Equal(workload.Service is "prometheus" or "alloy", workload.Pod.AutomountServiceAccountToken);
        }
    }

    [Theory]
    [InlineData("least", "nodeexporter: hostPath")]
    [InlineData("nvidia", "nodeexporter: hostPath")]
    [InlineData("dcgm", "gpuexporter: root|nodeexporter: hostPath")]
    [InlineData("amd", "gpuexporter: hostPath, root, privileged, capabilities|nodeexporter: hostPath")]
    public async Task The_security_exceptions_are_no_wider_than_documented(string values, string exceptions) =>
        Assert.Equal(
            exceptions.Split('|'),
            (await Rendering.OfAsync(values)).Workloads.Values
                .Select(workload => (workload.Service, Problems: Unrestricted(workload).ToList()))
                .Where(workload => workload.Problems.Count > 0)
                .Select(workload => $"{workload.Service}: {string.Join(", ", workload.Problems)}")
                .Order(StringComparer.Ordinal));

    [Theory]
    [MemberData(nameof(Values))]
    public async Task Every_container_has_a_limit_of_memory_and_says_how_it_is(string values)
    {
        var rendering = await Rendering.OfAsync(values);

        Assert.All(rendering.Workloads.Values.Where(workload => workload.IsTask).SelectMany(workload => workload.Containers), container => Assert.True(container.Resources.Limits.ContainsKey("memory"), $"{container.Name} has no limit of memory."));
        foreach (var workload in rendering.Workloads.Values.Where(workload => !workload.IsTask))
        {
            Assert.All(workload.Pod.Containers, container =>
            {
                Assert.NotNull(container.ReadinessProbe);
                Assert.NotNull(container.LivenessProbe);
                Assert.Contains("memory", container.Resources.Requests.Keys);
                // What a model takes only its owner knows.
                Assert.True(ChartFolder.Known.Components.GetValueOrDefault(workload.Service)?.Engine is not null || container.Resources.Limits.ContainsKey("memory"), $"{container.Name} has no limit of memory.");
                string[] ports = workload.Service switch
                {
                    "gateway" => rendering.Workloads.ContainsKey("valkey") ? ["http", "management", "cluster"] : ["http", "management"],
                    "valkey" => ["valkey"],
                    "grafana" when container.Name == "sources" => ["sources"],
                    _ => ["http"],
                };
                Assert.Equal(ports, container.Ports.Select(port => port.Name));
            });
        }
    }

    [Theory]
    [MemberData(nameof(Values))]
    public async Task No_secret_is_in_clear(string values)
    {
        var rendering = await Rendering.OfAsync(values);

        Assert.Empty(rendering.Of<V1Secret>());
        Assert.All(rendering.Workloads.Values.SelectMany(workload => workload.Containers).SelectMany(container => container.Env ?? []), variable =>
            Assert.False(SecretName().IsMatch(variable.Name) && !InFile().IsMatch(variable.Value) && !bool.TryParse(variable.Value, out _), $"{variable.Name} is in clear."));
    }

    [Theory]
    [InlineData("least")]
    [InlineData("nvidia")]
    [InlineData("amd")]
    public async Task The_network_lets_through_what_the_graph_connects_and_nothing_else(string values)
    {
        var rendering = await Rendering.OfAsync(values);
        var policies = rendering.Of<V1NetworkPolicy>().ToList();
        var services = rendering.Workloads.Keys.ToList();

        // A denial for all of the release's pods, in each of its namespaces.
        var denials = policies.Where(policy => policy.Metadata.Name == "hazumu").ToList();
        Assert.Equal(rendering.Workloads.Values.Select(workload => workload.Metadata.NamespaceProperty).Distinct().Order(), denials.Select(policy => policy.Metadata.NamespaceProperty).Order());
        Assert.All(denials, policy =>
        {
            Assert.Null(policy.Spec.Ingress);
            Assert.Null(policy.Spec.Egress);
            Assert.Equal(["Ingress", "Egress"], policy.Spec.PolicyTypes);
            Assert.Equal(["app.kubernetes.io/instance", "app.kubernetes.io/name"], policy.Spec.PodSelector.MatchLabels.Keys.Order(StringComparer.Ordinal));
        });

        var expected = ChartFolder.Known.Components
            .SelectMany(component => component.Value.Reaches.Select(reached => (From: component.Key, To: reached)))
            .Where(edge => services.Contains(edge.From) && services.Contains(edge.To))
            // Those that share what they admit.
            .Concat(services.Contains("valkey") ? [(From: "gateway", To: "gateway")] : [])
            .Concat(ChartFolder.Known.Components.SelectMany(component => component.Value.Tasks.Keys.Where(services.Contains).Select(task => (From: task, To: component.Key))))
            .Order()
            .ToList();
        var own = policies.Except(denials).ToDictionary(policy => policy.Spec.PodSelector.MatchLabels["app.kubernetes.io/component"]);
        Assert.Equal(services.Order(StringComparer.Ordinal), own.Keys.Order(StringComparer.Ordinal));
        Assert.Equal(expected, own.SelectMany(policy => (policy.Value.Spec.Egress ?? []).SelectMany(rule => rule.To ?? []).Select(Component).OfType<string>().Select(to => (policy.Key, to))).Order());
        Assert.Equal(expected, own.SelectMany(policy => (policy.Value.Spec.Ingress ?? []).SelectMany(rule => rule.FromProperty ?? []).Select(Component).OfType<string>().Select(from => (from, policy.Key))).Order());
        Assert.All(own.Values, policy => Assert.Equal(["Ingress", "Egress"], policy.Spec.PolicyTypes));

        static string? Component(V1NetworkPolicyPeer peer) => peer.PodSelector?.MatchLabels["app.kubernetes.io/component"];
    }

    [Theory]
    [InlineData("least", 1)]
    [InlineData("nvidia", 3)]
    public async Task The_gateway_knows_each_replica_of_Ollama_by_name(string values, int replicas)
    {
        var rendering = await Rendering.OfAsync(values);
        var set = rendering.The<V1StatefulSet>("hazumu-ollama");
        var gateway = Settings(rendering);

        Assert.Equal(replicas, set.Spec.Replicas);
        Assert.Equal("None", rendering.The<V1Service>(set.Spec.ServiceName).Spec.ClusterIP);
        Assert.Equal(
            Enumerable.Range(0, replicas).Select(index => ($"ollama-{index}", $"http://hazumu-ollama-{index}.hazumu-ollama:11434")),
            gateway.GetProperty("Engines").EnumerateObject().Select(engine => (engine.Name, engine.Value.GetProperty("Url").GetString()!)).Where(engine => engine.Name.StartsWith("ollama-", StringComparison.Ordinal)));
        Assert.Equal(Variable(rendering, "ollama", "OLLAMA_NUM_PARALLEL"), gateway.GetProperty("Slots").GetRawText());
    }

    [Fact]
    public async Task Llama_server_serves_the_file_of_a_claim_that_exists()
    {
        var rendering = await Rendering.OfAsync("nvidia");
        var pod = rendering.Workloads["llamaserver"].Pod;
        var container = pod.Containers[0];

        Assert.Equal(
            ("/models/qwen3/qwen3-0.6b.gguf", "qwen3-0.6b", "1", "8192"),
            (Variable(rendering, "llamaserver", "LLAMA_ARG_MODEL"), Variable(rendering, "llamaserver", "LLAMA_ARG_ALIAS"), Variable(rendering, "llamaserver", "LLAMA_ARG_N_PARALLEL"), Variable(rendering, "llamaserver", "LLAMA_ARG_CTX_SIZE")));
        Assert.Equal(("models", true), (pod.Volumes.Single(volume => volume.Name == "models").PersistentVolumeClaim.ClaimName, container.VolumeMounts.Single(mount => mount.MountPath == "/models").ReadOnlyProperty));
        Assert.Equal("1", container.Resources.Limits["nvidia.com/mig-1g.10gb"].ToString());
        Assert.Equal("2Gi", container.Resources.Requests["memory"].ToString());
        Assert.All([container.StartupProbe, container.ReadinessProbe, container.LivenessProbe], probe => Assert.Equal("/health", probe.HttpGet.Path));
        Assert.Equal(600, container.StartupProbe.PeriodSeconds * container.StartupProbe.FailureThreshold);
        Assert.Equal("llama-server", rendering.Workloads["llamaserver"].Template.Metadata.Labels["hazumu.engine"]);
    }

    [Fact]
    public async Task Vllm_gets_its_model_its_GPUs_and_its_token_as_a_file()
    {
        var rendering = await Rendering.OfAsync("nvidia");
        var pod = rendering.Workloads["vllm"].Pod;
        var container = pod.Containers[0];

        Assert.Equal(["--model=Qwen/Qwen3-8B", "--tensor-parallel-size=2", "--max-num-seqs=256", "--max-model-len=8192"], container.Args);
        Assert.Equal("2", container.Resources.Limits["nvidia.com/gpu"].ToString());
        Assert.Equal("nvidia", pod.RuntimeClassName);
        Assert.Equal(("hazumu-huggingface", 288), (pod.Volumes.Single(volume => volume.Name == "token").Secret.SecretName, pod.Volumes.Single(volume => volume.Name == "token").Secret.DefaultMode));
        Assert.StartsWith(container.VolumeMounts.Single(mount => mount.Name == "token").MountPath + "/", Variable(rendering, "vllm", "HF_TOKEN_PATH"), StringComparison.Ordinal);
        Assert.StartsWith(container.VolumeMounts.Single(mount => mount.Name == "data").MountPath, Variable(rendering, "vllm", "HF_HOME"), StringComparison.Ordinal);
        Assert.Equal("8Gi", pod.Volumes.Single(volume => volume.Name == "shm").EmptyDir.SizeLimit.ToString());
        Assert.Equal(1800, container.StartupProbe.PeriodSeconds * container.StartupProbe.FailureThreshold);
        Assert.Equal(("vllm", "WARNING"), (rendering.Workloads["vllm"].Template.Metadata.Labels["hazumu.engine"], Variable(rendering, "vllm", "VLLM_LOGGING_LEVEL")));
        Assert.Contains(rendering.The<V1NetworkPolicy>("hazumu-vllm").Spec.Egress, rule => rule.Ports.Any(port => port.Port.Value == "443"));
    }

    [Fact]
    public async Task The_gateway_knows_the_replicas_of_every_engine_and_their_kinds()
    {
        var engines = Settings(await Rendering.OfAsync("nvidia")).GetProperty("Engines");

        Assert.Equal(
            ["llamaserver-0", "llamaserver-1", "ollama-0", "ollama-1", "ollama-2", "vllm-0"],
            engines.EnumerateObject().Select(engine => engine.Name).Order(StringComparer.Ordinal));
        Assert.Equal("""{"Kind":"llama-server","Url":"http://hazumu-llamaserver-1.hazumu-llamaserver:8080"}""", JsonSerializer.Serialize(engines.GetProperty("llamaserver-1")));
        Assert.Equal("""{"Kind":"vllm","Url":"http://hazumu-vllm-0.hazumu-vllm:8000"}""", JsonSerializer.Serialize(engines.GetProperty("vllm-0")));
    }

    [Theory]
    [InlineData("vllm.enabled=true,vllm.model=a/b", "smi")]
    [InlineData("llamaserver.enabled=true,llamaserver.model.name=m,llamaserver.model.existingClaim=c,llamaserver.model.file=m.gguf,llamaserver.gpu.resource=amd.com/gpu", "amd")]
    [InlineData("llamaserver.enabled=true,llamaserver.model.name=m,llamaserver.model.existingClaim=c,llamaserver.model.file=m.gguf", null)]
    public async Task GPUs_of_any_engine_are_measured(string values, string? exporter)
    {
        var workloads = (await Rendering.RenderAsync("hazumu", "least", "--set", values)).Workloads;

        Assert.Equal(exporter is not null, workloads.TryGetValue("gpuexporter", out var found));
        Assert.Equal(exporter == "amd", found?.Pod.Volumes.Any(volume => volume.Name == "kfd") == true);
    }

    [Fact]
    public async Task Issuers_of_the_settings_may_be_reached_by_the_gateway()
    {
        var rendering = await Rendering.RenderAsync(
            "hazumu", "least", "--set-json", """gateway.settings={"Issuers": {"team": {"Authority": "https://login.example:8443/realms/team", "Audience": "hazumu"}, "google": {"Authority": "https://accounts.google.com", "Audience": "x"}}}""");

        Assert.Equal("hazumu", Settings(rendering).GetProperty("Issuers").GetProperty("team").GetProperty("Audience").GetString());
        Assert.Equal(
            ["443", "8443"],
            rendering.The<V1NetworkPolicy>("hazumu-gateway").Spec.Egress.Where(rule => rule.To is null).SelectMany(rule => rule.Ports).Select(port => port.Port.Value).Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task Engines_of_the_values_are_engines_of_the_gateway_which_may_reach_their_ports()
    {
        var rendering = await Rendering.RenderAsync(
            "hazumu", "least", "--set-json", """engines={"gpu-1": {"url": "http://gpu-1:8000", "kind": "vllm", "slots": 64, "models": ["qwen*"]}, "far": {"url": "https://far.example", "existingSecret": "far", "ca": true}}""");
        var engines = Settings(rendering).GetProperty("Engines");
        var pod = rendering.Workloads["gateway"].Pod;
        var ports = rendering.The<V1NetworkPolicy>("hazumu-gateway").Spec.Egress.Where(rule => rule.To is null).SelectMany(rule => rule.Ports).Select(port => port.Port.Value);

        Assert.Equal(["far", "gpu-1", "ollama-0"], engines.EnumerateObject().Select(engine => engine.Name).Order(StringComparer.Ordinal));
        Assert.Equal("""{"Kind":"vllm","Models":["qwen*"],"Slots":64,"Url":"http://gpu-1:8000"}""", JsonSerializer.Serialize(engines.GetProperty("gpu-1")));
        Assert.Equal("""{"CaFile":"/run/hazumu/engines/far/ca.pem","KeyFile":"/run/hazumu/engines/far/key","Url":"https://far.example"}""", JsonSerializer.Serialize(engines.GetProperty("far")));
        Assert.Equal("far", Assert.Single(pod.Volumes, volume => volume.Name == "engine-far").Secret.SecretName);
        Assert.Equal("/run/hazumu/engines/far", Assert.Single(pod.Containers[0].VolumeMounts, mount => mount.Name == "engine-far").MountPath);
        Assert.Equal(["443", "8000"], ports.Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task Engine_may_have_authorities_of_its_own_and_no_key()
    {
        var rendering = await Rendering.RenderAsync("hazumu", "least", "--set-json", """engines={"far": {"url": "https://far.example", "existingSecret": "far", "key": false, "ca": true}}""");

        Assert.Equal("""{"CaFile":"/run/hazumu/engines/far/ca.pem","Url":"https://far.example"}""", JsonSerializer.Serialize(Settings(rendering).GetProperty("Engines").GetProperty("far")));
    }

    [Theory]
    [InlineData("""{"far": {"url": "https://far.example", "ca": true}}""", "engines.far has ca or key and no existingSecret")]
    [InlineData("""{"ollama-0": {"url": "http://gpu-1:8000"}}""", "engines.ollama-0 has the name of a replica of the release")]
    [InlineData("""{"ollama": {"url": "http://gpu-1:8000"}}""", "engines.ollama has the name of a replica of the release")]
    public async Task Engine_of_the_values_that_would_be_ignored_is_refused(string engines, string sentence)
    {
        var refusal = await Assert.ThrowsAsync<InvalidOperationException>(() => Rendering.RenderAsync("hazumu", "least", "--set-json", $"engines={engines}"));
        Assert.Contains(sentence, refusal.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Autoscaled_replicas_reach_the_gateway_by_their_common_name()
    {
        var rendering = await Rendering.OfAsync("amd");

        Assert.Null(rendering.The<V1StatefulSet>("hazumu-ollama").Spec.Replicas);
        Assert.Equal((300L, 330L), (rendering.Workloads["ollama"].Pod.Containers[0].Lifecycle.PreStop.Sleep.Seconds, rendering.Workloads["ollama"].Pod.TerminationGracePeriodSeconds));
        Assert.Equal("http://hazumu-ollama:11434", Settings(rendering).GetProperty("Engines").GetProperty("ollama").GetProperty("Url").GetString());
        var metric = Assert.Single(rendering.The<V2HorizontalPodAutoscaler>("hazumu-ollama").Spec.Metrics);
        Assert.Equal(("External", "hazumu_gateway_queued"), (metric.Type, metric.External.Metric.Name));
    }

    [Fact]
    public async Task The_gateway_requires_the_keys_of_a_Secret()
    {
        var rendering = await Rendering.OfAsync("least");
        var keys = Assert.Single(rendering.Workloads["gateway"].Pod.Volumes, volume => volume.Name == "keys");

        Assert.Equal("hazumu-gateway-keys", keys.Secret.SecretName);
        Assert.Equal("true", Variable(rendering, "gateway", "Gateway__Keys__Required"));
        Assert.Equal("/run/hazumu/keys/keys.json", Variable(rendering, "gateway", "Gateway__Keys__File"));
    }

    [Fact]
    public async Task The_gateway_records_usage_in_a_database_of_a_Secret()
    {
        var rendering = await Rendering.RenderAsync("hazumu", "least", "--set", "gateway.usage.database=Host=postgres;Database=usage,gateway.usage.existingSecret=hazumu-usage");
        var pod = rendering.Workloads["gateway"].Pod;

        Assert.Equal("Host=postgres;Database=usage", Variable(rendering, "gateway", "Gateway__Usage__Database"));
        Assert.Equal("/run/hazumu/usage/password", Variable(rendering, "gateway", "Gateway__Usage__PasswordFile"));
        Assert.Equal("hazumu-usage", Assert.Single(pod.Volumes, volume => volume.Name == "usage").Secret.SecretName);
        Assert.Equal("/run/hazumu/usage", Assert.Single(pod.Containers[0].VolumeMounts, mount => mount.Name == "usage").MountPath);
    }

    [Fact]
    public async Task The_gateway_is_probed_and_scraped_at_a_port_that_clients_cannot_reach()
    {
        var rendering = await Rendering.OfAsync("nvidia");
        var gateway = rendering.Workloads["gateway"].Pod.Containers[0];
        var policy = rendering.The<V1NetworkPolicy>("hazumu-gateway");

        Assert.Equal("8081", Variable(rendering, "gateway", "Gateway__Management__Port"));
        Assert.All([gateway.StartupProbe, gateway.ReadinessProbe, gateway.LivenessProbe], probe => Assert.Equal("management", probe.HttpGet.Port.Value));
        Assert.Equal("http", Assert.Single(rendering.The<V1Service>("hazumu-gateway").Spec.Ports).Name);
        Assert.Equal(
            [("8080", "clients"), ("8081", "prometheus"), ("8082", "gateway")],
            policy.Spec.Ingress.SelectMany(rule => rule.Ports.Select(port => (port.Port.Value, From(rule)))).Order());

        static string From(V1NetworkPolicyIngressRule rule) => rule.FromProperty[0].PodSelector?.MatchLabels["app.kubernetes.io/component"] ?? "clients";
    }

    [Fact]
    public async Task A_controller_may_have_all_connections_of_the_gateway() =>
        Assert.Equal(1_000_000, Settings(await Rendering.OfAsync("least")).GetProperty("Connections").GetProperty("PerAddress").GetInt32());

    [Fact]
    public async Task The_gateway_may_be_called_by_its_Service_and_its_hosts()
    {
        var hosts = Settings(await Rendering.OfAsync("nvidia")).GetProperty("AllowedHosts").EnumerateArray().Select(host => host.GetString()).ToList();

        Assert.Equal(["hazumu-gateway", $"hazumu-gateway.{Rendering.Namespace}", $"hazumu-gateway.{Rendering.Namespace}.svc"], hosts.Take(3));
        Assert.Equal((await Rendering.OfAsync("nvidia")).Of<V1Ingress>().Where(ingress => ingress.Metadata.Name == "hazumu-gateway").SelectMany(ingress => ingress.Spec.Rules).Select(rule => rule.Host), hosts.Skip(3));
    }

    [Fact]
    public async Task Several_gateways_share_a_Valkey_that_only_they_reach_and_a_single_one_has_none()
    {
        var rendering = await Rendering.OfAsync("nvidia");
        var store = Variable(rendering, "gateway", "Gateway__Cluster__Store").Split(':');
        var service = rendering.The<V1Service>(store[0]);
        var valkey = rendering.Workloads["valkey"].Pod;

        Assert.Equal((store[1], "valkey"), ($"{service.Spec.Ports[0].Port}", service.Spec.Selector["app.kubernetes.io/component"]));
        Assert.Equal("/run/hazumu/cluster/password", Variable(rendering, "gateway", "Gateway__Cluster__PasswordFile"));
        Assert.Equal("hazumu-valkey", Assert.Single(rendering.Workloads["gateway"].Pod.Volumes, volume => volume.Name == "cluster").Secret.SecretName);
        Assert.Equal("hazumu-valkey", Assert.Single(valkey.Volumes, volume => volume.Name == "password").Secret.SecretName);
        Assert.DoesNotContain(valkey.Containers[0].Args, argument => argument.Contains("--requirepass", StringComparison.Ordinal));

        var policy = rendering.The<V1NetworkPolicy>("hazumu-valkey").Spec;
        Assert.Equal("gateway", Assert.Single(Assert.Single(policy.Ingress).FromProperty).PodSelector.MatchLabels["app.kubernetes.io/component"]);
        Assert.Null(policy.Egress);
        var gateways = Assert.Single(rendering.The<V1NetworkPolicy>("hazumu-gateway").Spec.Ingress, rule => rule.Ports.Any(port => port.Port.Value == "8082"));
        Assert.Equal("gateway", Assert.Single(gateways.FromProperty).PodSelector.MatchLabels["app.kubernetes.io/component"]);

        var single = await Rendering.OfAsync("least");
        Assert.False(single.Workloads.ContainsKey("valkey"));
        Assert.DoesNotContain(single.Workloads["gateway"].Pod.Containers[0].Env, variable => variable.Name.Contains("Cluster", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("nvidia", "nvidia.com/gpu", 2, false)]
    [InlineData("amd", "amd.com/gpu", 1, true)]
    public async Task Ollama_gets_its_GPUs_from_the_device_plugin(string values, string resource, int count, bool isRocm)
    {
        var ollama = Assert.Single((await Rendering.OfAsync(values)).Workloads["ollama"].Pod.Containers);

        Assert.Equal(count, ollama.Resources.Limits[resource].ToInt32());
        Assert.Equal(isRocm, ollama.Image.EndsWith("-rocm", StringComparison.Ordinal));
        Assert.Equal("1", ollama.Env.Single(variable => variable.Name == "OLLAMA_NO_CLOUD").Value);
    }

    [Theory]
    [InlineData("none", "digest,rocmDigest", "@sha256:1")]
    [InlineData("nvidia", "digest,rocmDigest", "@sha256:1")]
    [InlineData("amd", "digest,rocmDigest", "@sha256:2")]
    [InlineData("nvidia", "rocmDigest", ":7")]
    [InlineData("amd", "digest", ":7-rocm")]
    public async Task Each_vendors_image_of_Ollama_has_its_own_digest(string vendor, string digests, string expected)
    {
        var values = digests.Split(',').Select(name => $"images.ollama.{name}=sha256:{new string(name == "digest" ? '1' : '2', 64)}");
        var rendered = await Helm.RunAsync(
            "template", "hazumu", ChartFolder.Folder, "--values", ChartFolder.ValuesFile("least"), "--show-only", "templates/ollama.yaml",
            "--set", $"ollama.gpu.vendor={vendor},{string.Join(',', values)}", "--set-string", "images.ollama.tag=7");
        Assert.True(rendered.Succeeded, rendered.Output);

        var image = rendered.Output.Split('\n').Single(line => line.TrimStart(' ', '-').StartsWith("image: ", StringComparison.Ordinal));
        Assert.Contains($"/ollama/ollama{expected}", image, StringComparison.Ordinal);
        Assert.Equal(expected.Contains('@', StringComparison.Ordinal), image.Contains(new string(expected[^1], 64), StringComparison.Ordinal));
    }

    [Fact]
    public async Task Models_are_pulled_before_a_replica_serves()
    {
        var rendering = await Rendering.OfAsync("nvidia");
        var preload = Assert.Single(rendering.Workloads["ollama"].Pod.InitContainers);

        Assert.Equal(["qwen3:0.6b", "hf.co/bartowski/Llama-3.2-1B-Instruct-GGUF:Q4_K_M"], preload.Args);
        Assert.Equal("127.0.0.1:11434", preload.Env.Single(variable => variable.Name == "OLLAMA_HOST").Value);
        // It computes nothing.
        Assert.Null(preload.Resources.Limits);
        Assert.Null((await Rendering.OfAsync("least")).Workloads["ollama"].Pod.InitContainers);
    }

    [Fact]
    public async Task Variables_are_written_as_they_were_meant()
    {
        var variables = (await Rendering.OfAsync("nvidia")).Workloads["ollama"].Pod.Containers[0].Env.ToDictionary(variable => variable.Name, variable => variable.Value);

        Assert.Equal(
            ("-1", "true", "1048576", "http://proxy.example:3128"),
            (variables["OLLAMA_KEEP_ALIVE"], variables["OLLAMA_FLASH_ATTENTION"], variables["OLLAMA_CONTEXT_LENGTH"], variables["HTTPS_PROXY"]));
    }

    [Fact]
    public async Task Programs_get_the_arguments_that_the_AppHost_gives_them()
    {
        var workloads = (await Rendering.OfAsync("nvidia")).Workloads;

        Assert.All(ChartFolder.Known.Components.Where(component => component.Value.Args.Count > 0), component =>
            Assert.Equal(component.Value.Args, workloads[component.Key].Pod.Containers[0].Args.Take(component.Value.Args.Count)));
    }

    [Fact]
    public async Task A_registry_of_ones_own_replaces_all()
    {
        var images = (await Rendering.OfAsync("nvidia")).Workloads.Values.SelectMany(workload => workload.Containers).Select(container => container.Image);

        Assert.All(images, image => Assert.Matches("^registry\\.example/mirror/[^:@]+(:[^:@]+|@sha256:[0-9a-f]{64})$", image));
    }

    [Fact]
    public async Task The_ways_in_lead_to_the_API_and_to_Grafana_alone()
    {
        var rendering = await Rendering.OfAsync("nvidia");

        Assert.Equal(
            ["grafana.example Prefix / hazumu-grafana", "llm.example Exact / hazumu-gateway", "llm.example Prefix /api hazumu-gateway", "llm.example Prefix /hazumu/usage hazumu-gateway", "llm.example Prefix /v1 hazumu-gateway"],
            rendering.Of<V1Ingress>()
                .SelectMany(ingress => ingress.Spec.Rules)
                .SelectMany(rule => rule.Http.Paths.Select(path => $"{rule.Host} {path.PathType} {path.Path} {path.Backend.Service.Name}"))
                .Order(StringComparer.Ordinal));
        Assert.All(rendering.Of<V1Ingress>(), ingress => Assert.Equal("letsencrypt", ingress.Metadata.Annotations["cert-manager.io/cluster-issuer"]));
        Assert.Equal(2, rendering.Documents.Count(document => document.Contains("\nkind: HTTPRoute\n", StringComparison.Ordinal)));
        Assert.Equal("https://grafana.example/", Variable(rendering, "grafana", "GF_SERVER_ROOT_URL"));
        Assert.Equal("true", Variable(rendering, "grafana", "GF_SECURITY_COOKIE_SECURE"));
    }

    [Fact]
    public async Task A_token_reads_and_nothing_more()
    {
        var rendering = await Rendering.OfAsync("nvidia");
        var known = rendering.Of<V1Role>().Select(role => (role.Metadata, role.Rules)).Concat(rendering.Of<V1ClusterRole>().Select(role => (role.Metadata, role.Rules))).ToList();

        Assert.Equal(["nodes", "nodes/metrics", "pods"], Resources("prometheus"));
        Assert.Equal(["pods", "pods/log"], Resources("alloy"));
        Assert.Equal(["alloy", "prometheus"], known.Select(role => Component(role.Metadata)).Distinct().Order(StringComparer.Ordinal));
        Assert.Empty(known.SelectMany(role => role.Rules).SelectMany(rule => rule.Verbs).Except(["get", "list", "watch"]));
        // Logs of the release's own namespaces alone.
        Assert.Equal("prometheus", Component(Assert.Single(rendering.Of<V1ClusterRole>()).Metadata));
        Assert.Equal(
            [("alloy", "hazumu-host"), ("alloy", Rendering.Namespace), ("prometheus", "hazumu-host"), ("prometheus", Rendering.Namespace)],
            rendering.Of<V1RoleBinding>().Select(binding => (Component(binding.Metadata), binding.Metadata.NamespaceProperty)).Order());
        Assert.All(rendering.Of<V1RoleBinding>(), binding =>
        {
            var subject = Assert.Single(binding.Subjects);
            Assert.Equal(($"hazumu-{Component(binding.Metadata)}", Rendering.Namespace, binding.RoleRef.Name), (subject.Name, subject.NamespaceProperty, subject.Name));
            Assert.Equal(subject.Name, rendering.Workloads[Component(binding.Metadata)].Pod.ServiceAccountName);
        });
        Assert.Empty((await Rendering.OfAsync("bare")).Of<V1ClusterRole>());

        IEnumerable<string> Resources(string component) => known.Where(role => Component(role.Metadata) == component).SelectMany(role => role.Rules).SelectMany(rule => rule.Resources).Distinct().Order(StringComparer.Ordinal);
        static string Component(V1ObjectMeta metadata) => metadata.Labels["app.kubernetes.io/component"];
    }

    [Fact]
    public async Task Only_what_has_a_token_reaches_the_API_server()
    {
        var rules = (await Rendering.OfAsync("nvidia")).Of<V1NetworkPolicy>()
            .SelectMany(policy => (policy.Spec.Egress ?? []).Select(rule => (policy.Metadata.Name, Rule: rule)))
            .Where(egress => (egress.Rule.To ?? []).Any(peer => peer.IpBlock?.Cidr == "192.0.2.1/32"));

        Assert.Equal(
            ["hazumu-alloy 443,6443,8443,16443", "hazumu-prometheus 443,6443,8443,16443,10250"],
            rules.Select(egress => $"{egress.Name} {string.Join(',', egress.Rule.Ports.Select(port => port.Port.Value))}").Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task No_object_is_too_large_for_kubectl_apply()
    {
        // The limit of all annotations, in one of which kubectl keeps the object.
        const int Limit = 256 * 1024;

        Assert.All((await Rendering.OfAsync("nvidia")).Objects, found => Assert.InRange(KubernetesJson.Serialize(found).Length, 1, Limit - 8192));
    }

    [Fact]
    public async Task Stateful_workloads_have_claims_and_the_serving_ones_disruption_budgets()
    {
        var rendering = await Rendering.OfAsync("nvidia");

        Assert.Equal(["alertmanager", "alloy", "grafana", "llamaserver", "loki", "ollama", "prometheus", "vllm"], rendering.Of<V1StatefulSet>().Select(set => set.Spec.Template.Metadata.Labels["hazumu.service"]).Order(StringComparer.Ordinal));
        // llama-server's model is on a claim that exists.
        Assert.All(rendering.Of<V1StatefulSet>().Where(set => set.Metadata.Name != "hazumu-llamaserver"), set => Assert.Single(set.Spec.VolumeClaimTemplates));
        Assert.Equal("fast", rendering.The<V1StatefulSet>("hazumu-ollama").Spec.VolumeClaimTemplates[0].Spec.StorageClassName);
        Assert.Equal(["hazumu-gateway", "hazumu-llamaserver", "hazumu-ollama", "hazumu-vllm"], rendering.Of<V1PodDisruptionBudget>().Select(budget => budget.Metadata.Name).Order(StringComparer.Ordinal));
        Assert.Equal("DoNotSchedule", Assert.Single(rendering.Workloads["ollama"].Pod.TopologySpreadConstraints).WhenUnsatisfiable);
    }

    // https://kubernetes.io/docs/concepts/security/pod-security-standards/#restricted
    private static IEnumerable<string> Unrestricted(Workload workload)
    {
        var pod = workload.Pod;
        if (pod.HostNetwork == true || pod.HostPID == true || pod.HostIPC == true)
        {
            yield return "host namespaces";
        }

        if ((pod.Volumes ?? []).Any(volume => volume.HostPath is not null))
        {
            yield return "hostPath";
        }

        if (pod.SecurityContext?.RunAsNonRoot != true || pod.SecurityContext.RunAsUser is null or 0)
        {
            yield return "root";
        }

        if (pod.SecurityContext?.SeccompProfile?.Type != "RuntimeDefault")
        {
            yield return "seccomp";
        }

        if (workload.Containers.Any(container => container.SecurityContext?.Privileged == true))
        {
            yield return "privileged";
        }
        else if (workload.Containers.Any(container => container.SecurityContext?.AllowPrivilegeEscalation != false))
        {
            yield return "privilege escalation";
        }

        if (workload.Containers.Any(container => container.SecurityContext?.Capabilities is not { Drop: ["ALL"], Add: null or ["NET_BIND_SERVICE"] }))
        {
            yield return "capabilities";
        }
    }

    private static JsonElement Settings(Rendering rendering) =>
        JsonSerializer.Deserialize<JsonElement>(rendering.The<V1ConfigMap>("hazumu-gateway").Data["gateway.json"]).GetProperty("Gateway");

    private static string Variable(Rendering rendering, string service, string name) => rendering.Workloads[service].Pod.Containers[0].Env.Single(variable => variable.Name == name).Value;

    [GeneratedRegex("password|secret|token(?!_url)|[^_]_key(_|$)", RegexOptions.IgnoreCase)]
    private static partial Regex SecretName();

    // A path, or what has Grafana read one.
    [GeneratedRegex(@"^(/run/[^{}]+|\$__file\{/run/[^{}]+\})$")]
    private static partial Regex InFile();
}
