using System.ComponentModel.DataAnnotations;
using Microsoft.Extensions.Configuration;

namespace Hazumu.Hosting.Settings;

/// <summary>
/// Every setting of the host: the section <c>Hazumu</c> of configuration, read and checked once, at start.
/// </summary>
/// <remarks>Source: appsettings files, environment variables (<c>Hazumu__Prometheus__Port</c>), the command line
/// (<c>--Hazumu:Prometheus:Port=9091</c>).</remarks>
public sealed class HazumuOptions
{
    /// <summary>The section's name.</summary>
    public const string SectionName = "Hazumu";

    /// <summary>Which GPU Ollama gets.</summary>
    [Setting("The GPU that Ollama gets; `auto` checks what the container engine and the host offer")]
    public GpuMode Gpu { get; set; } = GpuMode.Auto;

    /// <summary>
    /// Whether this is no development: the edge is part of the graph, keys are required, and no default password is
    /// accepted.
    /// </summary>
    [Setting("Whether the edge is part of the graph, keys are required and default passwords rejected; the published application always does this")]
    public bool Production { get; set; }

    /// <summary>Models to have ready: names, of which one without a tag means <c>:latest</c>, and paths of GGUF files.</summary>
    [Setting("Models to prepare at the start: a list, or names and paths of GGUF files separated by commas", Allowed = "model names such as 'qwen3:0.6b', and paths such as '/srv/models/qwen3.gguf'")]
    [EachMatches(@"[A-Za-z0-9][A-Za-z0-9._\-/:]*|" + ModelFile.Pattern)]
    public IReadOnlyList<string> Models { get; set; } = [];

    /// <summary>The address that host ports bind to.</summary>
    [Setting("The host address that every port binds to", Allowed = "an IPv4 address such as 127.0.0.1 or 0.0.0.0")]
    [IPv4Address]
    public string BindAddress { get; set; } = "127.0.0.1";

    /// <summary>The exact name of the bridge network that every container joins.</summary>
    [Setting("The bridge network that every container joins", Allowed = NameRule + "; not the engine's own 'bridge', 'host' and 'none'")]
    [RegularExpression(@"(?!(bridge|host|none)$)" + NamePattern)]
    public string Network { get; set; } = "hazumu-network";

    /// <summary>A registry, with an optional path, that all images without a registry of their own come from.</summary>
    [Setting("A registry (and path) that replaces docker.io and ghcr.io for all images", Allowed = "a registry such as 'registry.example:5000/mirror'")]
    [RegularExpression(@"[A-Za-z0-9.\-]+(:\d+)?(/[a-z0-9._\-/]+)?")]
    public string? ImageRegistry { get; set; }

    /// <summary>The folder that holds the configuration folders; the package's own unless given.</summary>
    [Setting("The folder that contains the folders `prometheus`, `grafana` and so on, relative to the AppHost's; the package's own unless it is set", Allowed = "a path")]
    public string? ConfigurationFolder { get; set; }

    /// <summary>The inference engine.</summary>
    public OllamaOptions Ollama { get; set; } = new() { Port = 11434, Volume = "ollama_data" };

    /// <summary>The inference engine that serves models from files, also where no container registry can be reached.</summary>
    public LlamaServerOptions LlamaServer { get; set; } = new() { Enabled = false, Port = 8012 };

    /// <summary>The inference engine that serves a model of Hugging Face on NVIDIA's GPUs.</summary>
    public VllmOptions Vllm { get; set; } = new() { Enabled = false, Port = 8000, Volume = "vllm_data" };

    /// <summary>Engines that are not part of the graph, by names of one's own.</summary>
    [Setting("Engines that are not part of the graph, each under a name of your own", Allowed = "sections")]
    public Dictionary<string, EngineSettings> Engines { get; set; } = new(StringComparer.OrdinalIgnoreCase);

    /// <summary>The gateway, which clients connect to.</summary>
    public HazumuGatewayOptions Gateway { get; set; } = new() { Port = 11435, Volume = "gateway_data" };

    /// <summary>The metrics store.</summary>
    public PrometheusOptions Prometheus { get; set; } = new() { Port = 9090, Volume = "prometheus_data" };

    /// <summary>The dashboards.</summary>
    public StoringComponentOptions Grafana { get; set; } = new() { Port = 3000, Volume = "grafana_data" };

    /// <summary>The container metrics.</summary>
    public CAdvisorOptions CAdvisor { get; set; } = new() { Port = 8080 };

    /// <summary>The HTTP prober.</summary>
    public ComponentOptions Blackbox { get; set; } = new() { Port = 9115 };

    /// <summary>The sender of notifications.</summary>
    public AlertmanagerOptions Alertmanager { get; set; } = new() { Port = 9093, Volume = "alertmanager_data" };

    /// <summary>The host's metrics.</summary>
    public ComponentOptions NodeExporter { get; set; } = new() { Port = 9100 };

    /// <summary>The GPUs' metrics.</summary>
    public GpuExporterOptions GpuExporter { get; set; } = new() { Port = 9835 };

    /// <summary>The store of logs, and the switch for all that has to do with them.</summary>
    public LokiOptions Loki { get; set; } = new() { Enabled = false, Port = 3100, Volume = "loki_data" };

    /// <summary>The collector of logs; nothing without <see cref="Loki"/>.</summary>
    public StoringComponentOptions Alloy { get; set; } = new() { Port = 12345, Volume = "alloy_data" };

    /// <summary>The store of several gateways, in the published application alone.</summary>
    public ComponentOptions Valkey { get; set; } = new() { Port = 6379 };

    /// <summary>The one door from outside, in production.</summary>
    public EdgeOptions Edge { get; set; } = new() { Port = 443, Volume = "edge_data" };

    /// <summary>The chat page.</summary>
    public StoringComponentOptions OpenWebUI { get; set; } = new() { Enabled = false, Port = 3080, Volume = "open_webui_data" };

    internal const string NamePattern = @"[A-Za-z0-9][A-Za-z0-9_.\-]*";
    internal const string NameRule = "letters, digits, '_', '.' and '-', starting with a letter or digit";

    /// <summary>Reads the section <c>Hazumu</c>.</summary>
    /// <param name="configuration">The application's configuration.</param>
    /// <exception cref="StartupProblemException">A key is unknown or a value is not allowed; a sentence for each names
    /// the key, the value and what is allowed.</exception>
    public static HazumuOptions Read(IConfiguration configuration)
    {
        ArgumentNullException.ThrowIfNull(configuration);

        var options = new HazumuOptions();
        SettingsReader.Read(configuration.GetSection(SectionName), options);

        foreach (var property in typeof(HazumuOptions).GetProperties())
        {
            if (property.GetValue(options) is ComponentOptions component)
            {
                component.Section = property.Name;
                component.Host = options;
                options._components.Add(component);
            }
        }

        return options;
    }

    /// <summary>Whether the gateway has an engine.</summary>
    internal bool HasEngine => Ollama.Enabled || LlamaServer.Enabled || Vllm.Enabled || Engines.Count > 0;

    /// <summary>A sentence for each kind of model in <see cref="Models"/> that no engine of the graph serves.</summary>
    internal IEnumerable<string> FindModelsWithoutEngine()
    {
        string[] names = Ollama.Enabled ? [] : [.. Models.Where(model => !ModelFile.IsPath(model))];
        if (names.Length > 0)
        {
            yield return $"'{SectionName}:{nameof(Models)}' names {string.Join(", ", names)}, and there is no Ollama in a container of this graph to pull models; pull them where the engine is, or set the path of a GGUF file.";
        }

        string[] files = Ollama.Enabled || LlamaServer.Enabled ? [] : [.. Models.Where(ModelFile.IsPath)];
        if (files.Length > 0)
        {
            yield return $"'{SectionName}:{nameof(Models)}' has the files {string.Join(", ", files)}, and this graph has no engine that takes files; set {SectionName}:{nameof(LlamaServer)}:{nameof(LlamaServer.Enabled)} to true.";
        }
    }

    private readonly List<ComponentOptions> _components = [];

    /// <summary>The settings of every component, also of those that are not enabled.</summary>
    internal IReadOnlyList<ComponentOptions> Components => _components;
}
