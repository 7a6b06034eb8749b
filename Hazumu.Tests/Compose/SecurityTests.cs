using System.Globalization;
using System.Text.RegularExpressions;
using Hazumu.Testing;
using Hazumu.Tests.Chart;
using YamlDotNet.RepresentationModel;

namespace Hazumu.Tests.Compose;

/// <summary>What has to hold of production's form, as its files say it. <c>ComposeProductionTests</c> looks whether it holds when it runs.</summary>
public sealed partial class SecurityTests
{
    // Who runs as root, and why it cannot do otherwise.
    private static readonly Dictionary<string, string> s_root = new()
    {
        ["cadvisor of docker-compose.yaml"] = "reads the engine's socket and control groups",
        ["ollama-volume of docker-compose.yaml"] = "gives the volume to Ollama's user, and ends",
        ["edge-volume of docker-compose.yaml"] = "gives the volume to the edge's user, and ends",
        ["gateway-volume of docker-compose.yaml"] = "gives the volume to the gateway's user, and ends",
        ["alloy of docker-compose.logs.yaml"] = "reads the engine's socket",
        ["gpuexporter of docker-compose.amd.yaml"] = "AMD's devices belong to groups whose numbers differ between hosts",
        ["ollama of docker-compose.amd.yaml"] = "AMD's devices belong to groups whose numbers differ between hosts",
        ["vllm of docker-compose.huggingface.yaml"] = "the image is made for root",
    };

    private static readonly Dictionary<string, string[]> s_capabilities = new()
    {
        ["edge of docker-compose.yaml"] = ["NET_BIND_SERVICE"],
        ["ollama-volume of docker-compose.yaml"] = ["CHOWN", "DAC_READ_SEARCH"],
        ["edge-volume of docker-compose.yaml"] = ["CHOWN", "DAC_READ_SEARCH"],
        ["gateway-volume of docker-compose.yaml"] = ["CHOWN", "DAC_READ_SEARCH"],
        ["ollama of docker-compose.amd.yaml"] = ["DAC_OVERRIDE"],
    };

    private static readonly string[] s_hostPaths =
    [
        "alloy /var/run/docker.sock /var/run/docker.sock",
        "cadvisor / /rootfs",
        "cadvisor /sys /sys",
        "cadvisor /var/run /var/run",
        "nodeexporter / /host",
    ];

    private static readonly string[] s_writableVolumes =
    [
        "alertmanager alertmanager_data /alertmanager",
        "alloy alloy_data /var/lib/alloy",
        "edge edge_data /data",
        "edge-volume edge_data /volume",
        "gateway gateway_data /data",
        "gateway-volume gateway_data /volume",
        "grafana grafana_data /var/lib/grafana",
        "loki loki_data /loki",
        "ollama ollama_data /var/lib/ollama/.ollama",
        "ollama-volume ollama_data /volume",
        "prometheus prometheus_data /prometheus",
        "vllm vllm_data /var/lib/vllm",
    ];

    private static readonly string[] s_sharing = ["privileged", "pid", "ipc", "userns_mode", "uts", "cgroup_parent", "device_cgroup_rules", "sysctls"];

    // User, group and mode of the folder in the image that a new volume takes them from. Where the image has none, the volume is root's.
    private static readonly Dictionary<string, (int User, int Group, UnixFileMode Mode)> s_folders = new()
    {
        ["alertmanager"] = (65534, 65534, Folder),
        ["alloy"] = (473, 473, Folder & ~(UnixFileMode.OtherRead | UnixFileMode.OtherExecute) | UnixFileMode.GroupWrite),
        ["grafana"] = (472, 0, Folder | UnixFileMode.GroupWrite | UnixFileMode.OtherWrite),
        ["loki"] = (10001, 10001, Folder),
        ["prometheus"] = (65534, 65534, Folder),
        ["vllm"] = (0, 0, Folder),
    };

    private const UnixFileMode Folder = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute | UnixFileMode.GroupRead | UnixFileMode.GroupExecute | UnixFileMode.OtherRead | UnixFileMode.OtherExecute;

    // Names that sound like a secret, and hold none.
    private static readonly string[] s_notSecret =
    [
        "Gateway__Keys__Required", "Gateway__Keys__File", "Gateway__Cluster__PasswordFile", "GF_AUTH_GENERIC_OAUTH_TOKEN_URL", "GF_AUTH_GENERIC_OAUTH_USE_PKCE", "GF_AUTH_GENERIC_OAUTH_USE_REFRESH_TOKEN",
        "ALERTMANAGER_EMAIL_PASSWORD_FILE", "EDGE_KEY_FILE", "GRAFANA_OIDC_SECRET_FILE", "HF_TOKEN_PATH", "HUGGINGFACE_TOKEN_FILE",
    ];

    private static readonly Dictionary<string, string> s_closedInGrafana = new()
    {
        ["GF_SNAPSHOTS_ENABLED"] = "false",
        ["GF_PUBLIC_DASHBOARDS_ENABLED"] = "false",
        ["GF_AUTH_OAUTH_ALLOW_INSECURE_EMAIL_LOOKUP"] = "false",
        ["GF_SECURITY_DISABLE_IP_ADDRESS_LOGIN_PROTECTION"] = "false",
        ["GF_SECURITY_DISABLE_USERNAME_LOGIN_PROTECTION"] = "true",
        ["GF_PLUGINS_PREINSTALL_DISABLED"] = "true",
    };

    [Fact]
    public void Only_the_edge_publishes_ports_and_only_two()
    {
        Assert.All(PublishedCompose.Services.Where(service => service.Name != "edge"), service => Assert.False(service.Has("ports"), service.ToString()));
        Assert.Equal(
            ["${Hazumu__Edge__BindAddress:-0.0.0.0}:${Hazumu__Edge__Port:-443}:8443", "${Hazumu__Edge__BindAddress:-0.0.0.0}:${Hazumu__Edge__HttpPort:-80}:8080"],
            Assert.Single(PublishedCompose.Services, service => service.Name == "edge").List("ports"));
    }

    [Fact]
    public void No_container_is_privileged_or_shares_a_namespace_of_the_host() => Assert.All(PublishedCompose.Services, service =>
    {
        Assert.All(s_sharing, key => Assert.False(service.Has(key), $"{service}: {key}"));
        Assert.True(service.Text("network_mode") is null or "none", service.ToString());
        Assert.True(!service.Has("devices") || service.File == "docker-compose.amd.yaml", service.ToString());
    });

    [Fact]
    public void Every_container_has_a_user_and_it_is_root_only_for_a_reason()
    {
        Assert.All(PublishedCompose.Services.Where(service => service.IsWhole || service.Has("user")), service => Assert.Matches("^[0-9]+:[0-9]+$", service.Text("user")));
        Assert.Equal(
            s_root.Keys.Order(StringComparer.Ordinal),
            PublishedCompose.Services.Where(service => service.Text("user")?.StartsWith("0:", StringComparison.Ordinal) == true).Select(service => service.ToString()).Order(StringComparer.Ordinal));
    }

    [Fact]
    public void Every_container_loses_all_capabilities_but_those_it_needs()
    {
        Assert.All(PublishedCompose.Services.Where(service => service.IsWhole), service =>
        {
            Assert.Equal(["ALL"], service.List("cap_drop"));
            Assert.Equal(["no-new-privileges:true"], service.List("security_opt"));
        });
        Assert.Equal(
            s_capabilities.OrderBy(entry => entry.Key, StringComparer.Ordinal).Select(entry => $"{entry.Key}: {string.Join(' ', entry.Value)}"),
            PublishedCompose.Services.Where(service => service.Has("cap_add")).Select(service => $"{service}: {string.Join(' ', service.List("cap_add"))}").Order(StringComparer.Ordinal));
    }

    [Fact]
    public void Every_root_file_system_is_read_only()
    {
        Assert.All(PublishedCompose.Services.Where(service => service.IsWhole), service => Assert.Equal("true", service.Text("read_only")));
        Assert.All(PublishedCompose.Services.Where(service => service.Has("tmpfs")), service => Assert.Equal(["/tmp"], service.List("tmpfs")));
    }

    [Fact]
    public void Every_lasting_container_has_limits_logs_that_end_a_health_check_and_comes_back() => Assert.All(PublishedCompose.Services.Where(service => service.IsWhole && service.IsLasting), service =>
    {
        var name = service.Name.ToUpperInvariant();
        Assert.Matches($@"^\$\{{{name}_MEMORY_LIMIT:-(0|[0-9]+[mg])\}}$", service.Text("deploy", "resources", "limits", "memory"));
        Assert.Matches($@"^\$\{{{name}_CPU_LIMIT:-(0|0\.5|1)\}}$", service.Text("deploy", "resources", "limits", "cpus"));
        Assert.Matches($@"^\$\{{{name}_PID_LIMIT:-[1-9][0-9]+\}}$", service.Text("deploy", "resources", "limits", "pids"));
        Assert.Equal("json-file", service.Text("logging", "driver"));
        Assert.NotNull(service.Text("logging", "options", "max-size"));
        Assert.NotNull(service.Text("logging", "options", "max-file"));
        Assert.Equal("always", service.Text("restart"));
        Assert.Equal(service.Name == "gateway" ? "${GATEWAY_STOP_LIMIT:-60s}" : null, service.Text("stop_grace_period"));
        // The images of GPU exporters have no program that could ask.
        Assert.True(service.Has("healthcheck") || service.Name == "gpuexporter", service.ToString());
    });

    [Fact]
    public void Several_gateways_share_a_store_that_nobody_else_reaches()
    {
        var services = PublishedCompose.ServicesOf(Path.Combine(PublishedCompose.Folder, "docker-compose.cluster.yaml")).ToList();
        var gateway = services.Single(service => service.Name == "gateway");
        var valkey = services.Single(service => service.Name == "valkey");

        Assert.Equal(("valkey:6379", "/run/secrets/valkey_password", "${GATEWAY_REPLICAS:-2}"),
            (gateway.Text("environment", "Gateway__Cluster__Store"), gateway.Text("environment", "Gateway__Cluster__PasswordFile"), gateway.Text("deploy", "replicas")));
        Assert.All((PublishedService[])[gateway, valkey], service => Assert.Equal("valkey_password", Assert.Single(service.List("secrets"))));
        Assert.All((PublishedService[])[gateway, valkey], service => Assert.Equal("cluster", Assert.Single(service.List("networks"))));
        Assert.DoesNotContain(PublishedCompose.Services.Where(service => service.File != "docker-compose.cluster.yaml" && service.Has("networks")), service => service.List("networks").Contains("cluster"));
        Assert.False(valkey.Has("ports") || valkey.Has("volumes"));
        Assert.DoesNotContain(PublishedCompose.Main["services"]["gateway"].ToString(), "Cluster", StringComparison.Ordinal);
    }

    [Fact]
    public void Prometheus_finds_every_gateway_by_name()
    {
        var gateway = Assert.Single(PublishedCompose.Services, service => service is { Name: "gateway", IsWhole: true });

        Assert.Equal("8081", gateway.Text("environment", "Gateway__Management__Port"));
        Assert.Contains("http://127.0.0.1:8081/health", gateway.Entries("healthcheck")["test"].ToString(), StringComparison.Ordinal);
        // Of what has a name or a port of its own there can be but one.
        Assert.False(gateway.Has("container_name") || gateway.Has("hostname") || gateway.Has("ports"));

        var job = ((YamlSequenceNode)PublishedCompose.Read(Path.Combine(PublishedCompose.Folder, "prometheus-targets", "scrape-gateway.yaml"))["scrape_configs"])[0];
        Assert.Equal(("gateway", "gateway", "A", "8081"), (job["job_name"].ToString(), job["dns_sd_configs"][0]["names"][0].ToString(), job["dns_sd_configs"][0]["type"].ToString(), job["dns_sd_configs"][0]["port"].ToString()));
        Assert.DoesNotContain("gateway", File.ReadAllText(Path.Combine(PublishedCompose.Folder, "prometheus-targets", "services.json")), StringComparison.Ordinal);
    }

    [Fact]
    public void Services_wait_for_healthy_dependencies() => Assert.All(
        PublishedCompose.Services.SelectMany(service => service.Entries("depends_on").Values),
        dependency => Assert.True(dependency["condition"].ToString() is "service_healthy" or "service_completed_successfully"));

    [Fact]
    public void The_edge_and_those_that_see_the_host_share_a_network_only_with_whom_they_must()
    {
        var networks = PublishedCompose.Services.Where(service => service.Has("networks")).ToLookup(service => string.Join(' ', service.List("networks")), service => service.Name);

        Assert.Equal(["cluster", "default edge", "default exporters logs", "default logs sources", "default sources", "edge sources", "exporters", "logs"], networks.Select(network => network.Key).Order(StringComparer.Ordinal));
        Assert.Equal(["gateway", "valkey"], networks["cluster"].Order(StringComparer.Ordinal));
        Assert.Equal(["edge"], networks["edge sources"]);
        Assert.Equal(["gateway", "grafana"], networks["default edge"].Order(StringComparer.Ordinal));
        Assert.Equal(["cadvisor", "gpuexporter", "nodeexporter"], networks["exporters"].Distinct().Order(StringComparer.Ordinal));
        Assert.Equal(["prometheus"], networks["default exporters logs"]);
        Assert.Equal(["loki"], networks["default logs sources"]);
        Assert.Equal(["alertmanager"], networks["default sources"]);
        Assert.Equal(["alloy"], networks["logs"]);
        Assert.Equal(
            ["default: hazumu-network", "edge: hazumu-edge", "exporters: hazumu-exporters", "logs: hazumu-logs", "cluster: hazumu-cluster", "sources: hazumu-sources"],
            ((YamlMappingNode)PublishedCompose.Main["networks"]).Select(network => $"{network.Key}: {network.Value["name"]}"));
    }

    /// <summary>Whoever is signed in reaches both through Grafana's proxy, and they answer everybody.</summary>
    [Fact]
    public void Grafanas_data_sources_of_logs_and_alerts_go_through_the_edge()
    {
        var urls = PublishedCompose.Services.Where(service => service.Name == "grafana")
            .SelectMany(service => service.Entries("environment")).Where(variable => variable.Key is "LOKI_URL" or "ALERTMANAGER_URL").Select(variable => variable.Value.ToString());

        Assert.Equal(["http://edge:3100", "http://edge:9093"], urls.Order(StringComparer.Ordinal));
    }

    [Fact]
    public void Every_image_has_a_version_and_a_digest_or_is_listed_as_without()
    {
        var images = PublishedCompose.Services.Where(service => service.Has("image")).Select(service => service.Text("image")!).Distinct().ToList();
        var documented = File.ReadAllText(RepositoryRoot.Combine("docs", "production.md")).Split("## Images")[1].Split("\n## ")[0];

        Assert.All(images, image =>
        {
            var match = ImageDefault().Match(image);
            Assert.True(match.Success, image);
            Assert.NotEqual("latest", match.Groups["tag"].Value);
            if (!match.Groups["digest"].Success)
            {
                Assert.Contains($"`{match.Groups["name"].Value}`", documented, StringComparison.Ordinal);
            }
        });
        Assert.All(ChartFolder.Images, image =>
        {
            Assert.DoesNotMatch("^(latest)?$", image.Tag);
            if (image.Digest.Length == 0)
            {
                Assert.Contains($"`{image.Name.Split('/', 2)[1]}`", documented, StringComparison.Ordinal);
            }
        });
    }

    [Fact]
    public void A_volumes_owner_task_uses_the_image_of_the_service_in_every_file() => Assert.All(
        PublishedCompose.Services.Where(service => service.Has("image")).GroupBy(service => service.File),
        file => Assert.All(
            file.Where(service => PublishedCompose.Services.Any(other => other.Name == $"{service.Name}-volume")),
            service => Assert.Equal(service.Text("image"), file.SingleOrDefault(other => other.Name == $"{service.Name}-volume")?.Text("image"))));

    [Fact]
    public void Every_mount_is_accounted_for()
    {
        var mounts = PublishedCompose.Services.SelectMany(service => service.Mounts.Select(mount => (Service: service, Mount: mount))).ToList();

        Assert.Equal(s_writableVolumes, mounts.Where(one => one.Mount.IsWritable).Select(one => $"{one.Service.Name} {one.Mount.Source} {one.Mount.Target}").Order(StringComparer.Ordinal));
        Assert.All(mounts.Where(one => one.Mount.IsWritable), one => Assert.Equal("volume", one.Mount.Type));

        var binds = mounts.Where(one => one.Mount.Type == "bind").ToList();
        Assert.Equal(s_hostPaths, binds.Where(one => one.Mount.Source[0] == '/').Select(one => $"{one.Service.Name} {one.Mount.Source} {one.Mount.Target}").Order(StringComparer.Ordinal));
        Assert.All(binds.Where(one => one.Mount.Source[0] != '/'), one => Assert.True(Path.Exists(Path.Combine(PublishedCompose.Folder, FileVariable().Replace(one.Mount.Source, "${default}"))), one.ToString()));
        Assert.Equal(mounts.Count, binds.Count + mounts.Count(one => one.Mount.Type == "volume"));
    }

    /// <summary>Without capabilities root is a user like any other: the folder must be its own, its group's, or everybody's.</summary>
    [Fact]
    public void Every_container_may_write_to_its_volume() => Assert.All(
        PublishedCompose.Services.Where(service => service.IsWhole && service.IsLasting && service.Mounts.Any(mount => mount.IsWritable)),
        service =>
        {
            var identity = service.Text("user")!.Split(':').Select(number => int.Parse(number, CultureInfo.InvariantCulture)).ToList();
            var helper = PublishedCompose.Services.SingleOrDefault(other => other.Name == $"{service.Name}-volume" && other.IsWhole);
            var folder = helper is null
                ? s_folders[service.Name]
                : (helper.List("entrypoint")[2].Split(':').Select(number => int.Parse(number, CultureInfo.InvariantCulture)).ToList() is var owner ? (User: owner[0], Group: owner[1], Mode: Folder) : default);

            // The kernel looks at the first that applies, and at no other.
            var needed = folder.User == identity[0] ? UnixFileMode.UserWrite | UnixFileMode.UserExecute
                : folder.Group == identity[1] ? UnixFileMode.GroupWrite | UnixFileMode.GroupExecute
                : UnixFileMode.OtherWrite | UnixFileMode.OtherExecute;
            Assert.True((folder.Mode & needed) == needed, $"{service} runs as {service.Text("user")} and may not write to its volume.");
        });

    [Fact]
    public void A_programs_data_lies_in_its_volume() => Assert.All(
        PublishedCompose.Services.SelectMany(service => service.List("command").Select(argument => (Service: service, Path: StoragePath().Match(argument)))).Where(one => one.Path.Success),
        one => Assert.Contains(one.Service.Mounts, mount => mount.IsWritable && $"{one.Path.Groups["path"].Value}/".StartsWith($"{mount.Target}/", StringComparison.Ordinal)));

    [Fact]
    public void Every_container_has_the_labels_by_which_its_log_is_found() => Assert.All(PublishedCompose.Services.Where(service => service.IsWhole), service => Assert.Equal(
        [.. EngineOf(service.Name), ("hazumu.instance", service.Name), ("hazumu.network", "hazumu-network"), ("hazumu.service", service.Name)],
        service.Entries("labels").Select(label => (label.Key, label.Value.ToString())).Order()));

    private static (string, string)[] EngineOf(string service) => service switch
    {
        "ollama" or "vllm" => [("hazumu.engine", service)],
        "llamaserver" => [("hazumu.engine", "llama-server")],
        _ => [],
    };

    [Fact]
    public void Volumes_have_exact_names() => Assert.All((YamlMappingNode)PublishedCompose.Main["volumes"], volume => Assert.Equal(volume.Key.ToString(), volume.Value["name"].ToString()));

    [Fact]
    public void Secrets_are_files_and_in_no_variable()
    {
        Assert.All((YamlMappingNode)PublishedCompose.Main["secrets"], secret =>
        {
            Assert.Equal("file", Assert.Single((YamlMappingNode)secret.Value).Key.ToString());
            Assert.Matches(@"^(\./secrets/[a-z_]+|\$\{[A-Za-z_]+FILE:-/dev/null\}|\$\{Hazumu__[A-Za-z_]+File:-/dev/null\})$", secret.Value["file"].ToString());
        });

        var sensitive = PublishedCompose.Services.SelectMany(service => service.Entries("environment")).Where(variable => SensitiveName().IsMatch(variable.Key) && !s_notSecret.Contains(variable.Key)).ToList();
        Assert.Equal(["GF_AUTH_GENERIC_OAUTH_CLIENT_SECRET", "GF_SECURITY_ADMIN_PASSWORD", "GF_SECURITY_SECRET_KEY"], sensitive.Select(variable => variable.Key).Order(StringComparer.Ordinal));
        Assert.All(sensitive, variable => Assert.Matches(@"^\$\$__file\{/run/secrets/[a-z_]+\}$", variable.Value.ToString()));
    }

    [Fact]
    public void Nothing_has_a_password_by_default()
    {
        Assert.All(PublishedCompose.ProductionFiles, file => Assert.DoesNotMatch("(?i)PASSWORD:-[^}]", File.ReadAllText(file)));
        Assert.Equal("true", Assert.Single(PublishedCompose.Services, service => service is { Name: "gateway", IsWhole: true }).Text("environment", "Gateway__Keys__Required"));
        Assert.Contains("deploy/compose/*", File.ReadAllLines(RepositoryRoot.Combine(".gitignore")));
    }

    [Fact]
    public void Ollama_sends_no_prompts_to_its_cloud() =>
        Assert.Equal("1", Assert.Single(PublishedCompose.Services, service => service is { Name: "ollama", IsWhole: true }).Text("environment", "OLLAMA_NO_CLOUD"));

    [Fact]
    public void A_changed_path_of_a_secret_changes_the_service_that_has_it()
    {
        // Compose compares services, not the files of secrets: without this it keeps the container with the former file.
        var variables = ((YamlMappingNode)PublishedCompose.Main["secrets"])
            .Where(secret => secret.Value["file"].ToString().StartsWith("${", StringComparison.Ordinal))
            .ToDictionary(secret => secret.Key.ToString(), secret => secret.Value["file"].ToString()[2..].Split(":-")[0]);

        Assert.Equal(8, variables.Count);
        Assert.All(variables, secret => Assert.All(
            PublishedCompose.Services.Where(service => service.List("secrets").Contains(secret.Key)),
            service => Assert.Contains(service.Entries("environment").Values, value => value.ToString().StartsWith($"${{{secret.Value}:-", StringComparison.Ordinal))));
    }

    [Fact]
    public void No_health_check_goes_through_a_proxy() => Assert.All(
        PublishedCompose.Services.Where(service => service.Has("healthcheck") && service.Node["healthcheck"]["test"].ToString().Contains("wget", StringComparison.Ordinal)),
        service => Assert.Contains("wget -Y off ", string.Join(' ', ((YamlSequenceNode)service.Node["healthcheck"]["test"]).Select(word => word.ToString())), StringComparison.Ordinal));

    [Fact]
    public void Grafana_shows_nothing_without_an_account_and_fetches_nothing()
    {
        var grafana = Assert.Single(PublishedCompose.Services, service => service is { Name: "grafana", IsWhole: true });

        Assert.All(s_closedInGrafana, setting => Assert.Equal(setting.Value, grafana.Text("environment", setting.Key)));
        Assert.StartsWith("localhost,127.0.0.1,prometheus,alertmanager,loki", grafana.Text("environment", "NO_PROXY"), StringComparison.Ordinal);
    }

    [Fact]
    public void Prometheus_cannot_be_stopped_over_its_network() =>
        Assert.DoesNotContain("--web.enable-lifecycle", Assert.Single(PublishedCompose.Services, service => service is { Name: "prometheus", IsWhole: true }).List("command"));

    // ${MODEL_FILE:-./tiny.gguf}
    [GeneratedRegex(@"^\$\{[A-Z_]+:-(?<default>[^}]+)\}$")]
    private static partial Regex FileVariable();

    [GeneratedRegex(@"^\$\{Hazumu__[A-Za-z]+__Image:-(\$\{Hazumu__ImageRegistry:-[a-z.]+\}/)?(?<name>[a-z0-9./_-]+):(?<tag>[A-Za-z0-9._-]+)(@(?<digest>sha256:[0-9a-f]{64}))?\}$")]
    private static partial Regex ImageDefault();

    [GeneratedRegex(@"^--storage\.(tsdb\.)?path=(?<path>/.+)$")]
    private static partial Regex StoragePath();

    [GeneratedRegex("(?i)password|secret|token|key")]
    private static partial Regex SensitiveName();
}
