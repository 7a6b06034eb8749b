using System.Text.Json;
using Aspire.Hosting;
using Aspire.Hosting.ApplicationModel;
using Hazumu.Hosting.Preflight;
using Hazumu.Hosting.Prometheus;
using Hazumu.Testing;
using static Hazumu.Tests.Model.GraphModel;

namespace Hazumu.Tests.Model;

public sealed class GraphTests
{
    private const string Logs = "--Hazumu:Loki:Enabled=true";

    [Theory]
    [InlineData("ollama", 11434, 11434, "docker.io/ollama/ollama:0.32.15")]
    [InlineData("prometheus", 9090, 9090, "docker.io/prom/prometheus:v3.14.0")]
    [InlineData("grafana", 3000, 3000, "docker.io/grafana/grafana:13.2.0")]
    [InlineData("cadvisor", 8080, 8080, "ghcr.io/google/cadvisor:v0.60.5")]
    [InlineData("blackbox", 9115, 9115, "docker.io/prom/blackbox-exporter:v0.28.0")]
    [InlineData("alertmanager", 9093, 9093, "docker.io/prom/alertmanager:v0.33.1")]
    [InlineData("nodeexporter", 9100, 9100, "docker.io/prom/node-exporter:v1.12.1")]
    [InlineData("loki", 3100, 3100, "docker.io/grafana/loki:3.7.6")]
    [InlineData("alloy", 12345, 12345, "docker.io/grafana/alloy:v1.19.1")]
    public async Task Each_component_has_its_image_and_its_port_on_loopback(string name, int port, int targetPort, string image)
    {
        await using var model = await CreateAsync(Logs);
        var container = model.Container(name);
        var endpoint = Endpoint(container);

        Assert.Equal(image, Image(container));
        Assert.Equal((port, targetPort, "http", "localhost", false), (endpoint.Port, endpoint.TargetPort, endpoint.UriScheme, endpoint.TargetHost, endpoint.IsProxied));
        Assert.NotEmpty(container.Annotations.OfType<HealthCheckAnnotation>());
    }

    [Theory]
    [InlineData("ollama", "ollama_data", "/root/.ollama")]
    [InlineData("prometheus", "prometheus_data", "/prometheus")]
    [InlineData("grafana", "grafana_data", "/var/lib/grafana")]
    [InlineData("alertmanager", "alertmanager_data", "/alertmanager")]
    [InlineData("loki", "loki_data", "/loki")]
    public async Task Data_lives_in_volumes_with_exact_names(string name, string volume, string target)
    {
        await using var model = await CreateAsync(Logs);
        Assert.Contains($"Volume:{volume}:{target}", Mounts(model.Container(name)));
    }

    [Theory]
    [InlineData("prometheus", "/etc/prometheus", "prometheus")]
    [InlineData("prometheus", "/etc/prometheus-runbooks", "docs", "runbooks")]
    [InlineData("blackbox", "/etc/blackbox_exporter", "blackbox")]
    [InlineData("alertmanager", "/etc/alertmanager", "alertmanager")]
    [InlineData("loki", "/etc/loki", "loki")]
    [InlineData("alloy", "/etc/alloy", "alloy")]
    public async Task Configuration_is_mounted_read_only(string name, string target, params string[] folder)
    {
        await using var model = await CreateAsync(Logs);
        Assert.Contains($"BindMount:{RepositoryRoot.Combine(folder)}:{target}:ro", Mounts(model.Container(name)));
    }

    [Fact]
    public async Task Parameters_of_a_component_that_is_left_out_are_left_out()
    {
        await using var without = await CreateAsync("--Hazumu:Grafana:Enabled=false");
        Assert.Empty(without.Resources.OfType<ParameterResource>());

        await using var with = await CreateAsync("--Hazumu:Grafana:Enabled=true");
        Assert.Equal(["grafana-admin-password", "grafana-admin-user"], with.Resources.OfType<ParameterResource>().Select(parameter => parameter.Name).Order());
    }

    [Fact]
    public async Task Prometheus_keeps_15_days_and_reloads_without_a_restart()
    {
        await using var model = await CreateAsync();
        var arguments = await ArgumentsAsync(model.Container("prometheus"));

        Assert.Contains("--storage.tsdb.retention.time=15d", arguments);
        Assert.Contains("--web.enable-lifecycle", arguments);
        Assert.Equal("/etc/prometheus/start.sh", arguments[0]);
        Assert.Contains("--web.user-assets=/etc/prometheus-runbooks", arguments);
    }

    [Theory]
    [InlineData("http://localhost:9090/user/")]
    [InlineData("http://localhost:9099/user/", "--Hazumu:Prometheus:Port=9099")]
    [InlineData("https://wiki.example/runbooks/", "--Hazumu:Prometheus:RunbookUrl=https://wiki.example/runbooks/")]
    public async Task Alerts_link_to_runbooks_that_Prometheus_serves_or_where_a_setting_says(string url, params string[] settings)
    {
        await using var model = await CreateAsync(settings);
        Assert.Equal(url, (await model.EnvironmentAsync(model.Container("prometheus")))["RUNBOOK_URL"]);
    }

    [Fact]
    public async Task Every_container_carries_the_labels_that_queries_use()
    {
        await using var model = await CreateAsync(Logs);
        foreach (var component in Component.All.Where(component => component != Component.Gateway))
        {
            var arguments = await EngineArgumentsAsync(model.Container(component.Service));
            Assert.Contains($"hazumu.service={component.Service}", arguments);
            Assert.Contains($"hazumu.instance={component.Service}", arguments);
            Assert.Contains("hazumu.network=hazumu-network", arguments);
            Assert.Equal(component == Component.Ollama ? ["hazumu.engine=ollama"] : [], arguments.Where(argument => argument.StartsWith("hazumu.engine=", StringComparison.Ordinal)));
        }
    }

    [Fact]
    public async Task References_show_which_component_reads_which()
    {
        await using var model = await CreateAsync("--Hazumu:Models=tinyllama");

        Assert.Equal(
            ["Probe:llamaserver", "Probe:ollama", "Probe:vllm", "Reference:alertmanager", "Reference:alloy", "Reference:blackbox", "Reference:cadvisor", "Reference:gateway", "Reference:gpuexporter", "Reference:llamaserver", "Reference:loki", "Reference:nodeexporter", "Reference:vllm"],
            References(model.Get<PrometheusResource>("prometheus")).Order());
        Assert.Contains("Reference:prometheus", References(model.Get<GrafanaResource>("grafana")));
        Assert.Contains("Reference:ollama", References(model.Get<BlackboxExporterResource>("blackbox")));
        Assert.Contains("Reference:ollama", References(model.Gateway));
        Assert.Equal("ollama", model.Get<OllamaModelResource>("ollama-tinyllama").Parent.Name);
    }

    [Fact]
    public async Task Grafana_gets_its_administrator_from_parameters()
    {
        await using var model = await CreateAsync();
        var environment = await model.EnvironmentAsync(model.Container("grafana"));

        Assert.Equal("grafana-admin-user", Assert.IsType<ParameterResource>(environment["GF_SECURITY_ADMIN_USER"]).Name);
        var password = Assert.IsType<ParameterResource>(environment["GF_SECURITY_ADMIN_PASSWORD"]);
        Assert.True(password.Secret);
        Assert.Equal("admin", await password.GetValueAsync(default));
        Assert.Equal("prometheus", Assert.IsType<EndpointReference>(environment["PROMETHEUS_URL"]).Resource.Name);
    }

    [Theory]
    [InlineData("prometheus", "reload")]
    [InlineData("prometheus", "check-everything")]
    [InlineData("grafana", "reset-admin-password")]
    [InlineData("ollama", "pull-model")]
    [InlineData("ollama", "unload-model")]
    public async Task The_dashboard_has_the_commands_people_look_for(string name, string command)
    {
        await using var model = await CreateAsync();
        Assert.Contains(model.Container(name).Annotations.OfType<ResourceCommandAnnotation>(), annotation => annotation.Name == command && annotation.IconName is not null);
    }

    [Fact]
    public async Task Scrape_targets_come_from_the_references()
    {
        await using var model = await CreateAsync();
        model.OnHost(GatewayTests.LinuxHost);
        var files = await model.ReadTargetsAsync();

        Assert.Equal(["alertmanagers.json", "blackbox.json", "cadvisor.json", "engine-health.json", "engines.json", "services.json"], files.Keys);
        Assert.Equal([("gateway:11436", "gateway"), ("nodeexporter:9100", "nodeexporter"), ("alertmanager:9093", "alertmanager")], files["services.json"]);
        Assert.Equal(("alertmanager:9093", "alertmanager"), Assert.Single(files["alertmanagers.json"]));
        Assert.Equal(("cadvisor:8080", "cadvisor"), Assert.Single(files["engines.json"]));
        Assert.Equal(("ollama:11434", "ollama"), Assert.Single(files["engine-health.json"]));
        Assert.Equal(("blackbox:9115", "blackbox"), Assert.Single(files["blackbox.json"]));
        Assert.Equal(["alertmanager", "blackbox", "cadvisor", "engine-health", "engines", "gateway", "nodeexporter"], await model.ReadExpectedJobsAsync());
    }

    [Fact]
    public async Task A_second_instance_needs_no_edit_of_yaml()
    {
        var builder = DistributedApplication.CreateBuilder();
        var prometheus = builder.AddPrometheus("prometheus");
        foreach (var name in new[] { "ollama", "ollama-2" })
        {
            prometheus.WithScrapeTarget(builder.AddOllama(name), job: "engine-health");
        }

        var files = await ScrapeTargetAnnotation.WriteFilesAsync(prometheus.Resource.Annotations.OfType<ScrapeTargetAnnotation>(), "net", builder.ExecutionContext, default);
        Assert.Equal([("ollama:11434", "ollama"), ("ollama-2:11434", "ollama-2")], ReadTargets(files["engine-health.json"]));
    }

    [Fact]
    public async Task A_target_without_a_job_of_its_own_names_its_job_and_path()
    {
        var builder = DistributedApplication.CreateBuilder();
        var service = builder.AddContainer("api", "api").WithHttpEndpoint(targetPort: 5000);
        var prometheus = builder.AddPrometheus("prometheus").WithScrapeTarget(service, metricsPath: "/internal/metrics");

        var files = await ScrapeTargetAnnotation.WriteFilesAsync(prometheus.Resource.Annotations.OfType<ScrapeTargetAnnotation>(), null, builder.ExecutionContext, default);
        var labels = JsonDocument.Parse(files["services.json"]).RootElement[0].GetProperty("labels");
        Assert.Equal(("api", "/internal/metrics"), (labels.GetProperty("job").GetString(), labels.GetProperty("__metrics_path__").GetString()));
    }

    [Fact]
    public async Task A_component_that_is_not_enabled_is_absent_everywhere()
    {
        await using var model = await CreateAsync("--Hazumu:Ollama:Enabled=false", "--Hazumu:CAdvisor:Enabled=false", "--Hazumu:Gateway:Enabled=false", "--Hazumu:Alertmanager:Enabled=false", "--Hazumu:NodeExporter:Enabled=false", "--Hazumu:Models=tinyllama");
        model.OnHost(new HostFacts());

        Assert.DoesNotContain(model.Resources, resource => resource.Name.StartsWith("ollama", StringComparison.Ordinal) || resource.Name is "cadvisor" or "gateway" or "alertmanager" or "nodeexporter" or "gpuexporter");
        Assert.Equal(["blackbox.json"], (await model.ReadTargetsAsync()).Keys);
        Assert.Equal(["blackbox"], await model.ReadExpectedJobsAsync());
    }

    [Fact]
    public async Task Without_a_prober_nothing_is_probed()
    {
        await using var model = await CreateAsync("--Hazumu:Blackbox:Enabled=false", "--Hazumu:Gateway:Enabled=false");
        Assert.DoesNotContain("engine-health.json", (await model.ReadTargetsAsync()).Keys);
        Assert.DoesNotContain("engine-health", await model.ReadExpectedJobsAsync());
    }

    [Fact]
    public async Task Grafana_starts_without_Prometheus_too()
    {
        await using var model = await CreateAsync("--Hazumu:Prometheus:Enabled=false");
        Assert.DoesNotContain("PROMETHEUS_URL", (await model.EnvironmentAsync(model.Container("grafana"))).Keys);
    }

    [Fact]
    public async Task Options_reach_the_resources()
    {
        await using var model = await CreateAsync(
            "--Hazumu:BindAddress=0.0.0.0", "--Hazumu:Network=lab", "--Hazumu:Prometheus:Port=19090", "--Hazumu:Prometheus:Retention=90d",
            "--Hazumu:Prometheus:Volume=lab_metrics", "--Hazumu:Ollama:Volume=lab_models", "--Hazumu:Grafana:Volume=lab_dashboards");
        var prometheus = model.Container("prometheus");

        Assert.Equal((19090, "0.0.0.0"), (Endpoint(prometheus).Port, Endpoint(prometheus).TargetHost));
        Assert.Contains("--storage.tsdb.retention.time=90d", await ArgumentsAsync(prometheus));
        Assert.Contains("Volume:lab_metrics:/prometheus", Mounts(prometheus));
        Assert.Contains("Volume:lab_models:/root/.ollama", Mounts(model.Container("ollama")));
        Assert.Contains("Volume:lab_dashboards:/var/lib/grafana", Mounts(model.Container("grafana")));
        Assert.Contains("hazumu.network=lab", await EngineArgumentsAsync(prometheus));
    }

    [Theory]
    [InlineData("--Hazumu:ImageRegistry=mirror.example:5000/hub", "mirror.example:5000/hub/prom/prometheus:v3.14.0")]
    [InlineData("--Hazumu:Prometheus:Image=own.example/monitoring/prometheus:v9", "own.example/monitoring/prometheus:v9")]
    [InlineData("--Hazumu:Prometheus:Image=prom/prometheus:v3.5.3", "docker.io/prom/prometheus:v3.5.3")]
    [InlineData("--Hazumu:Prometheus:Image=prom/prometheus", "docker.io/prom/prometheus:v3.14.0")]
    [InlineData("--Hazumu:Prometheus:Image=prom/prometheus@sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "docker.io/prom/prometheus@sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa")]
    public async Task Images_can_come_from_elsewhere(string option, string image)
    {
        await using var model = await CreateAsync(option);
        Assert.Equal(image, Image(model.Container("prometheus")));
    }

    [Fact]
    public async Task One_registry_prefix_serves_every_image()
    {
        await using var model = await CreateAsync("--Hazumu:ImageRegistry=mirror.example");
        Assert.All(model.Resources.OfType<ContainerResource>(), container => Assert.StartsWith("mirror.example/", Image(container), StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_model_without_a_tag_is_the_latest_and_is_listed_once()
    {
        await using var model = await CreateAsync("--Hazumu:Models=tinyllama, tinyllama:latest,qwen3:0.6b,hf.co/bartowski/Llama-3.2-1B-Instruct-GGUF:Q4_K_M");

        Assert.Equal(
            ["tinyllama:latest", "qwen3:0.6b", "hf.co/bartowski/Llama-3.2-1B-Instruct-GGUF:Q4_K_M"],
            model.Resources.OfType<OllamaModelResource>().Select(resource => resource.ModelName));
        Assert.Equal(
            ["ollama-tinyllama", "ollama-qwen3-0-6b", "ollama-hf-co-bartowski-Llama-3-2-1B-Instruct-GGUF-Q4-K-M"],
            model.Resources.OfType<OllamaModelResource>().Select(resource => resource.Name));
    }

    [Fact]
    public async Task Models_whose_names_give_the_same_resource_name_get_different_ones()
    {
        await using var model = await CreateAsync("--Hazumu:Models=a.b,a-b,hf.co/some-organisation/Some-Very-Long-Model-Name-Instruct-GGUF:Q4_K_M,hf.co/some-organisation/Some-Very-Long-Model-Name-Instruct-GGUF:Q4_K_S");

        var names = model.Resources.OfType<OllamaModelResource>().Select(resource => resource.Name).ToList();
        Assert.Equal(4, names.Distinct(StringComparer.OrdinalIgnoreCase).Count());
        Assert.All(names, name => Assert.Matches("^[A-Za-z][A-Za-z0-9-]{0,63}$", name));
    }

    [Fact]
    public async Task A_list_of_models_works_as_well_as_names_with_commas()
    {
        await using var model = await CreateAsync("--Hazumu:Models:0=tinyllama", "--Hazumu:Models:1=qwen3:0.6b");
        Assert.Equal(2, model.Resources.OfType<OllamaModelResource>().Count());
    }

    [Theory]
    [InlineData("auto", true, "--privileged")]
    [InlineData("true", false, "--privileged")]
    [InlineData("auto", false, "--cap-drop")]
    [InlineData("false", true, "--cap-drop")]
    public async Task CAdvisor_is_privileged_where_that_is_wanted_and_possible(string setting, bool allowed, string expected)
    {
        await using var model = await CreateAsync($"--Hazumu:CAdvisor:Privileged={setting}");
        model.OnHost(new HostFacts { AllowsPrivileged = allowed });

        var arguments = await EngineArgumentsAsync(model.Container("cadvisor"));
        Assert.Contains(expected, arguments);
        Assert.Equal(expected == "--privileged", !arguments.Contains("no-new-privileges"));
    }

    [Fact]
    public async Task CAdvisor_sees_the_host_read_only()
    {
        await using var model = await CreateAsync();
        model.OnHost(new HostFacts());
        Assert.NotEmpty(Mounts(model.Container("cadvisor")));
        Assert.All(Mounts(model.Container("cadvisor")), mount => Assert.EndsWith(":ro", mount, StringComparison.Ordinal));
    }

    [Fact]
    public async Task On_Docker_Desktop_host_paths_are_not_mounted()
    {
        await using var model = await CreateAsync();
        model.OnHost(new HostFacts { SharesThisMachine = false });
        Assert.Equal(["BindMount:/var/run/docker.sock:/var/run/docker.sock:ro"], Mounts(model.Container("cadvisor")));
    }

    [Fact]
    public async Task An_NVIDIA_GPU_is_handed_to_Ollama()
    {
        await using var model = await CreateAsync();
        model.OnHost(new HostFacts { HasNvidiaDevice = true, EngineOffersNvidia = true });
        Assert.Contains("--gpus", await EngineArgumentsAsync(model.Container("ollama")));
    }

    [Fact]
    public async Task An_AMD_GPU_is_handed_to_Ollama_with_its_image()
    {
        await using var model = await CreateAsync();
        model.OnHost(new HostFacts { HasAmdDevice = true });
        Assert.Contains("/dev/kfd", await EngineArgumentsAsync(model.Container("ollama")));
        Assert.Equal("docker.io/ollama/ollama:0.32.15-rocm", Image(model.Container("ollama")));
    }

    [Fact]
    public async Task An_image_that_the_user_named_stays_as_it_is_on_AMD()
    {
        await using var model = await CreateAsync("--Hazumu:Ollama:Image=own.example/ollama:site");
        model.OnHost(new HostFacts { HasAmdDevice = true });
        Assert.Contains("/dev/kfd", await EngineArgumentsAsync(model.Container("ollama")));
        Assert.Equal("own.example/ollama:site", Image(model.Container("ollama")));
    }

    [Fact]
    public async Task Without_a_GPU_there_is_no_GPU_exporter()
    {
        await using var model = await CreateAsync();
        model.OnHost(new HostFacts());
        Assert.DoesNotContain(model.Resources, resource => resource.Name == "gpuexporter");
    }

    [Theory]
    [InlineData("smi", "docker.io/utkuozdemir/nvidia_gpu_exporter:1.14.0", 9835)]
    [InlineData("dcgm", "nvcr.io/nvidia/k8s/dcgm-exporter:4.5.3-4.8.2-distroless", 9400)]
    public async Task NVIDIA_GPUs_are_measured(string exporter, string image, int port)
    {
        await using var model = await CreateAsync($"--Hazumu:GpuExporter:Nvidia={exporter}");
        model.OnHost(GatewayTests.LinuxHost with { HasNvidiaDevice = true, EngineOffersNvidia = true });
        var container = model.Container("gpuexporter");

        Assert.Equal(image, Image(container));
        Assert.Equal((9835, port), (Endpoint(container).Port, Endpoint(container).TargetPort));
        Assert.Contains("--gpus", await EngineArgumentsAsync(container));
        Assert.Contains(($"gpuexporter:{port}", "gpuexporter"), (await model.ReadTargetsAsync())["services.json"]);
    }

    [Fact]
    public async Task AMD_GPUs_are_measured()
    {
        await using var model = await CreateAsync("--Hazumu:ImageRegistry=mirror.example");
        model.OnHost(GatewayTests.LinuxHost with { HasAmdDevice = true });
        var container = model.Container("gpuexporter");

        Assert.Equal("mirror.example/rocm/device-metrics-exporter:v1.5.2", Image(container));
        Assert.Contains("/dev/kfd", await EngineArgumentsAsync(container));
        Assert.Contains(("gpuexporter:5000", "gpuexporter"), (await model.ReadTargetsAsync())["services.json"]);
    }

    [Theory]
    [InlineData("--Hazumu:Loki:Enabled=false")]
    [InlineData("--Hazumu:Alloy:Enabled=true")]
    public async Task Logs_are_stored_only_if_enabled(string option)
    {
        await using var model = await CreateAsync(option);
        model.OnHost(GatewayTests.LinuxHost);

        Assert.DoesNotContain(model.Resources, resource => resource.Name is "loki" or "alloy");
        Assert.DoesNotContain("LOKI_URL", (await model.EnvironmentAsync(model.Container("grafana"))).Keys);
        Assert.DoesNotContain((await model.ReadTargetsAsync())["services.json"], target => target.Instance is "loki" or "alloy");
    }

    [Fact]
    public async Task One_switch_has_logs_collected_kept_and_shown()
    {
        await using var model = await CreateAsync(Logs, "--Hazumu:Network=lab", "--Hazumu:Loki:Retention=30d");
        model.OnHost(GatewayTests.LinuxHost);
        var ofLoki = await model.EnvironmentAsync(model.Container("loki"));
        var ofAlloy = await model.EnvironmentAsync(model.Container("alloy"));
        var ofGrafana = await model.EnvironmentAsync(model.Container("grafana"));

        Assert.Equal("30d", ofLoki["LOKI_RETENTION"]);
        Assert.Contains("-config.expand-env=true", await ArgumentsAsync(model.Container("loki")));
        Assert.Equal("lab", ofAlloy["HAZUMU_NETWORK"]);
        Assert.Equal("loki", Assert.IsType<EndpointReference>(ofAlloy["LOKI_URL"]).Resource.Name);
        Assert.Equal("loki", Assert.IsType<EndpointReference>(ofGrafana["LOKI_URL"]).Resource.Name);
        Assert.Matches(@"^http://[^/]+/traces/detail/\$\{__value\.raw\}$", (string)ofGrafana["TRACE_LINK"]);
        Assert.Equal([("loki:3100", "loki"), ("alloy:12345", "alloy")], (await model.ReadTargetsAsync())["services.json"].Where(target => target.Instance is "loki" or "alloy"));
    }

    [Theory]
    [InlineData("alertmanager prometheus")]
    [InlineData("alertmanager loki prometheus", Logs)]
    [InlineData("prometheus", "--Hazumu:Alertmanager:Enabled=false")]
    [InlineData("alertmanager", "--Hazumu:Prometheus:Enabled=false")]
    public async Task Grafana_provisions_what_is_in_the_graph(string sources, params string[] options)
    {
        await using var model = await CreateAsync(options);
        var files = await model.ReadFilesAsync("grafana", "/etc/grafana/provisioning");
        var dashboards = await model.ReadFilesAsync("grafana", "/etc/grafana/dashboards");

        Assert.Equal(sources.Split(' ').Select(source => $"datasources/{source}.yml").Prepend("dashboards/hazumu.yml"), files.Keys.Order());
        Assert.All(files, file => Assert.Equal(File.ReadAllText(RepositoryRoot.Combine("grafana", "provisioning", file.Key)), file.Value));
        var hasLogs = options.Contains(Logs);
        Assert.Equal(hasLogs, dashboards.ContainsKey("logs.json"));
        Assert.Equal(hasLogs, dashboards.Values.Any(dashboard => dashboard.Contains("hazumu-logs", StringComparison.Ordinal) || dashboard.Contains("loki", StringComparison.Ordinal)));
    }

    [Fact]
    public async Task The_gateways_log_reaches_Alloy_by_a_folder_and_the_containers_by_the_engine()
    {
        await using var model = await CreateAsync(Logs);
        model.OnHost(new HostFacts { SharesThisMachine = false });
        var mounts = Mounts(model.Container("alloy"));

        Assert.Contains("BindMount:/var/run/docker.sock:/var/run/docker.sock:ro", mounts);
        var log = Assert.Single(mounts, mount => mount.Contains(":/var/log/hazumu/", StringComparison.Ordinal)).Split(':');
        Assert.True(Directory.Exists(log[1]), log[1]);
        // A folder for each start: Alloy keeps a position by path, also that of a file that is gone.
        Assert.Equal($"/var/log/hazumu/{Path.GetFileName(log[1])}", log[2]);
        Assert.Contains("Volume:alloy_data:/var/lib/alloy", mounts);
        Assert.Contains("Reference:gateway", References(model.Container("alloy")));
    }

    [Fact]
    public async Task Without_the_gateway_Alloy_has_the_containers_alone()
    {
        await using var model = await CreateAsync(Logs, "--Hazumu:Gateway:Enabled=false");
        model.OnHost(new HostFacts { SharesThisMachine = false });
        Assert.DoesNotContain(Mounts(model.Container("alloy")), mount => mount.Contains("/var/log/", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Loki_can_be_there_alone()
    {
        await using var model = await CreateAsync(Logs, "--Hazumu:Alloy:Enabled=false");
        Assert.Contains(model.Resources, resource => resource.Name == "loki");
        Assert.DoesNotContain(model.Resources, resource => resource.Name == "alloy");
    }

    [Fact]
    public async Task Where_containers_do_not_see_the_host_it_is_not_measured()
    {
        await using var model = await CreateAsync();
        model.OnHost(new HostFacts { SharesThisMachine = false });
        Assert.DoesNotContain(model.Resources, resource => resource.Name == "nodeexporter");
    }

    [Fact]
    public async Task Secrets_of_receivers_are_mounted_and_in_no_variable()
    {
        var file = Path.GetTempFileName();
        await File.WriteAllTextAsync(file, "https://secret.example");
        await using var model = await CreateAsync($"--Hazumu:Alertmanager:WebhookUrlFile={file}", "--Hazumu:Alertmanager:SlackChannel=#ops");
        var alertmanager = model.Container("alertmanager");
        var environment = await model.EnvironmentAsync(alertmanager);

        Assert.Contains($"BindMount:{file}:/run/secrets/alertmanager_webhook_url:ro", Mounts(alertmanager));
        Assert.Equal("#ops", environment["SLACK_CHANNEL"]);
        Assert.DoesNotContain(environment.Values, value => value.ToString()!.Contains("secret.example", StringComparison.Ordinal));
        File.Delete(file);
    }

    [Theory]
    [InlineData("WebhookUrlFile", "/no/such/file", "'Hazumu:Alertmanager:WebhookUrlFile' is '/no/such/file', but this file does not exist; correct the path.")]
    [InlineData("EmailTo", "a@b.example", "'Hazumu:Alertmanager:EmailTo' is set, but not EmailServer and EmailFrom, without which no e-mail can be sent.")]
    [InlineData("EmailUser", "a", "'Hazumu:Alertmanager:EmailUser' is set, but not EmailPasswordFile, a file with that user's password.")]
    public void A_receiver_that_could_not_work_is_reported(string setting, string value, string sentence)
    {
        var alertmanager = DistributedApplication.CreateBuilder().AddAlertmanager("alertmanager");
        var problem = Assert.Throws<StartupProblemException>(() => alertmanager.WithReceivers(OptionsTests.Read(($"Hazumu:Alertmanager:{setting}", value)).Alertmanager));
        Assert.Equal(sentence, Assert.Single(problem.Problems));
    }
}
