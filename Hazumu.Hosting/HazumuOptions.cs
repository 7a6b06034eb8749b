using System.ComponentModel.DataAnnotations;
using Hazumu.Hosting.Configuration;
using Microsoft.Extensions.Configuration;

namespace Hazumu.Hosting;

/// <summary>Every setting of the host: the section <c>Hazumu</c> of configuration, read and checked once, at start.</summary>
/// <remarks>Source: appsettings files, environment variables (<c>Hazumu__Prometheus__Port</c>), the command line (<c>--Hazumu:Prometheus:Port=9091</c>).</remarks>
public sealed class HazumuOptions
{
    /// <summary>The section's name.</summary>
    public const string SectionName = "Hazumu";

    /// <summary>Which GPU Ollama gets.</summary>
    [Setting("Which GPU Ollama gets; `auto` looks at what the container engine and the host offer")]
    public GpuMode Gpu { get; set; } = GpuMode.Auto;

    /// <summary>Whether this is no development: the edge is part of the graph, keys are required, and no default password is accepted.</summary>
    [Setting("Whether the edge is part of the graph, keys are required and default passwords refused; the published application does so by itself")]
    public bool Production { get; set; }

    /// <summary>Models to have ready. A name without a tag means <c>:latest</c>.</summary>
    [Setting("Models to have ready: a list, or names separated by commas", Allowed = "model names such as 'qwen3:0.6b'")]
    [EachMatches(@"[A-Za-z0-9][A-Za-z0-9._\-/:]*")]
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

    /// <summary>The inference engine.</summary>
    public OllamaOptions Ollama { get; set; } = new() { Port = 11434, Volume = "ollama_data" };

    /// <summary>What clients talk to.</summary>
    public GatewayOptions Gateway { get; set; } = new() { Port = 11435, Volume = "gateway_data" };

    /// <summary>The metrics store.</summary>
    public PrometheusOptions Prometheus { get; set; } = new() { Port = 9090, Volume = "prometheus_data" };

    /// <summary>The dashboards.</summary>
    public StoringComponentOptions Grafana { get; set; } = new() { Port = 3000, Volume = "grafana_data" };

    /// <summary>The container metrics.</summary>
    public CAdvisorOptions CAdvisor { get; set; } = new() { Port = 8080 };

    /// <summary>The HTTP prober.</summary>
    public ComponentOptions Blackbox { get; set; } = new() { Port = 9115 };

    /// <summary>What tells people of alerts.</summary>
    public AlertmanagerOptions Alertmanager { get; set; } = new() { Port = 9093, Volume = "alertmanager_data" };

    /// <summary>The host's metrics.</summary>
    public ComponentOptions NodeExporter { get; set; } = new() { Port = 9100 };

    /// <summary>The GPUs' metrics.</summary>
    public GpuExporterOptions GpuExporter { get; set; } = new() { Port = 9835 };

    /// <summary>The store of logs, and the switch for all that has to do with them.</summary>
    public LokiOptions Loki { get; set; } = new() { Enabled = false, Port = 3100, Volume = "loki_data" };

    /// <summary>What collects logs; nothing without <see cref="Loki"/>.</summary>
    public StoringComponentOptions Alloy { get; set; } = new() { Port = 12345, Volume = "alloy_data" };

    /// <summary>The one door from outside, in production.</summary>
    public EdgeOptions Edge { get; set; } = new() { Port = 443, Volume = "edge_data" };

    /// <summary>The chat page.</summary>
    public StoringComponentOptions OpenWebUI { get; set; } = new() { Enabled = false, Port = 3080, Volume = "open_webui_data" };

    internal const string NamePattern = @"[A-Za-z0-9][A-Za-z0-9_.\-]*";
    internal const string NameRule = "letters, digits, '_', '.' and '-', starting with a letter or digit";

    /// <summary>Reads the section <c>Hazumu</c>.</summary>
    /// <param name="configuration">The application's configuration.</param>
    /// <exception cref="StartupProblemException">A key is unknown or a value is not allowed; a sentence for each names the key, the value and what is allowed.</exception>
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

    private readonly List<ComponentOptions> _components = [];

    /// <summary>The settings of every component, also of those that are not enabled.</summary>
    internal IReadOnlyList<ComponentOptions> Components => _components;
}

/// <summary>Which GPU Ollama gets.</summary>
public enum GpuMode
{
    /// <summary>Whatever the container engine and the host offer; none where they offer none.</summary>
    Auto,

    /// <summary>NVIDIA, by way of the NVIDIA Container Toolkit.</summary>
    Nvidia,

    /// <summary>AMD, by way of ROCm.</summary>
    Amd,

    /// <summary>The CPU only.</summary>
    None,
}

/// <summary>A setting that may be left to what the host allows.</summary>
public enum AutoSwitch
{
    /// <summary>On where the host allows it.</summary>
    Auto,

    /// <summary>On.</summary>
    True,

    /// <summary>Off.</summary>
    False,
}

/// <summary>Settings that every component has.</summary>
public class ComponentOptions
{
    /// <summary>Whether the component is part of the graph.</summary>
    [Setting("Whether {0} is part of the graph")]
    public bool Enabled { get; set; } = true;

    /// <summary>The host port, from 1 to 65535.</summary>
    [Setting("The host port of {0}", Allowed = "a port from 1 to 65535")]
    [Range(1, 65535)]
    public int Port { get; set; }

    /// <summary>The image to run instead of the default; parts not given keep their default.</summary>
    [Setting("The image of {0}, instead of the default one", Allowed = "an image reference such as 'registry.example/repository:tag'")]
    [ImageReference]
    public string? Image { get; set; }

    /// <summary>The key below <c>Hazumu</c>: <c>Prometheus</c>.</summary>
    internal string Section { get; set; } = "";

    /// <summary>The value of the container label <c>hazumu.service</c>: <c>prometheus</c>.</summary>
    internal string Service => Section.ToLowerInvariant();

    /// <summary>The options this component is part of.</summary>
    internal HazumuOptions Host { get; set; } = null!;
}

/// <summary>Settings of a component that keeps data.</summary>
public class StoringComponentOptions : ComponentOptions
{
    /// <summary>The exact name of the volume that holds the data.</summary>
    [Setting("The volume that holds the data of {0}", Allowed = HazumuOptions.NameRule)]
    [RegularExpression(HazumuOptions.NamePattern)]
    public string Volume { get; set; } = "";
}

/// <summary>Settings of Ollama.</summary>
public sealed class OllamaOptions : StoringComponentOptions
{
    /// <summary>How many instances there are. Each has a volume and a port of its own.</summary>
    [Setting("How many instances of {0} there are; further ones take volumes of their own and the next free ports", Allowed = "a number from 1 to 16")]
    [Range(1, 16)]
    public int Instances { get; set; } = 1;

    /// <summary>How many requests an instance answers at the same time with one model: <c>OLLAMA_NUM_PARALLEL</c>.</summary>
    [Setting("How many requests an instance of {0} answers at the same time with one model", Allowed = "a number from 1 to 64")]
    [Range(1, 64)]
    public int Parallel { get; set; } = 1;
}

/// <summary>Settings of the gateway.</summary>
public sealed class GatewayOptions : StoringComponentOptions
{
    /// <summary>Whether a request needs a key.</summary>
    [Setting("Whether a request to {0} needs a key")]
    public bool RequireKeys { get; set; }

    /// <summary>The file on this machine that holds the keys; the command's own default unless given. Compose has the volume instead.</summary>
    [Setting("The file with the keys of {0}; in Compose the volume has it", Allowed = "a path")]
    public string? KeysFile { get; set; }

    /// <summary>Registries beside Ollama's own that models may be pulled from and pushed to.</summary>
    [Setting("Registries beside registry.ollama.ai that models may be pulled from and pushed to by way of {0}; those with http:// also without TLS", Allowed = "hosts such as 'hf.co' or 'http://registry.lan:5000', separated by commas")]
    [RegularExpression(@"(http://)?[A-Za-z0-9.\-]+(:\d+)?(, ?(http://)?[A-Za-z0-9.\-]+(:\d+)?)*")]
    public string? Registries { get; set; }

    /// <summary>How many requests one client address may send in a minute, in production.</summary>
    [Setting("Requests that one client address may send to {0} in a minute, in production; 0 for any number", Allowed = "a number from 0 to 10000000")]
    [Range(0, 10_000_000)]
    public int AddressRequestsPerMinute { get; set; } = 6000;

    /// <summary>The port of its health, metrics and peers; in Compose it is inside the network only.</summary>
    [Setting("The host port of {0}'s health and metrics; in Compose they are inside the network only", Allowed = "a port from 1 to 65535")]
    [Range(1, 65535)]
    public int ManagementPort { get; set; } = 11436;

    /// <summary>Names by which clients call it, beside its own, the edge's, and those that the gateway allows by itself.</summary>
    [Setting("Further names by which clients may call {0}", Allowed = "host names such as 'gpu.example.org' and '*.example.org', separated by commas; '*' for any")]
    [RegularExpression(@"((\*\.)?[A-Za-z0-9_.\-]+|\*)(, ?((\*\.)?[A-Za-z0-9_.\-]+|\*))*")]
    public string? AllowedHosts { get; set; }

    /// <summary>Origins whose pages may use it from a browser, in place of Ollama's own list.</summary>
    [Setting("Origins whose pages may use {0} from a browser, in place of Ollama's list", Allowed = "origins such as 'https://chat.example.org' and 'https://*.example.org', separated by commas; '*' for any")]
    [RegularExpression(@"(\*|[A-Za-z][A-Za-z0-9+.\-]*://[^/?# ,""]+)(, ?(\*|[A-Za-z][A-Za-z0-9+.\-]*://[^/?# ,""]+))*")]
    public string? AllowedOrigins { get; set; }
}

/// <summary>Settings of Prometheus.</summary>
public sealed class PrometheusOptions : StoringComponentOptions
{
    /// <summary>How long samples are kept, in Prometheus' duration syntax.</summary>
    [Setting("How long {0} keeps its samples", Allowed = "a duration such as '15d', '12h' or '1y'")]
    [RegularExpression(@"([1-9]\d*(ms|[smhdwy]))+")]
    public string Retention { get; set; } = "15d";

    /// <summary>The address below which the alerts' runbooks are; unless given, Prometheus itself serves them.</summary>
    [Setting("The address below which alerts link to their runbooks; {0} serves them itself, and alerts link there unless this is set", Allowed = "an address such as 'https://wiki.example/runbooks/'")]
    [RegularExpression("https?://[A-Za-z0-9.,:/@_~%+=?&#-]+")]
    public string? RunbookUrl { get; set; }
}

/// <summary>Settings of cAdvisor.</summary>
public sealed class CAdvisorOptions : ComponentOptions
{
    /// <summary>Whether the container runs privileged.</summary>
    [Setting("Whether {0} runs privileged; `auto`: where the kernel allows it")]
    public AutoSwitch Privileged { get; set; } = AutoSwitch.Auto;
}

/// <summary>Settings of Alertmanager: who is told. Secrets are named by the files that hold them.</summary>
public sealed class AlertmanagerOptions : StoringComponentOptions
{
    private const string FilePath = "a path";

    /// <summary>The file with the address that every notification is posted to as JSON.</summary>
    [Setting("A file with the address that {0} posts every notification to, as JSON", Allowed = FilePath)]
    public string? WebhookUrlFile { get; set; }

    /// <summary>The file with the address of Slack's incoming webhook.</summary>
    [Setting("A file with the address of a Slack webhook", Allowed = FilePath)]
    public string? SlackUrlFile { get; set; }

    /// <summary>The Slack channel, where it is not the webhook's own.</summary>
    [Setting("The Slack channel, where it is not the webhook's own", Allowed = "a channel such as '#ops'")]
    [RegularExpression(@"[#@]?[\p{L}\p{N}._\-]+")]
    public string? SlackChannel { get; set; }

    /// <summary>Who gets e-mail.</summary>
    [Setting("Who gets e-mail", Allowed = "e-mail addresses, separated by commas")]
    [RegularExpression(@"[^\s,]+@[^\s,]+(, ?[^\s,]+@[^\s,]+)*")]
    public string? EmailTo { get; set; }

    /// <summary>The sender of e-mail.</summary>
    [Setting("The sender of e-mail", Allowed = "an e-mail address")]
    [RegularExpression(@"[^\s,]+@[^\s,]+")]
    public string? EmailFrom { get; set; }

    /// <summary>The mail server.</summary>
    [Setting("The mail server", Allowed = "a host with a port such as 'mail.example:587'")]
    [RegularExpression(@"[A-Za-z0-9.\-]+:\d+")]
    public string? EmailServer { get; set; }

    /// <summary>Whether the mail server must offer TLS.</summary>
    [Setting("Whether the mail server must offer TLS")]
    public bool EmailTls { get; set; } = true;

    /// <summary>The user at the mail server; without it nobody logs in there.</summary>
    [Setting("The user at the mail server, where it wants one", Allowed = "a name")]
    [RegularExpression(@"\P{Cc}+")]
    public string? EmailUser { get; set; }

    /// <summary>The file with that user's password.</summary>
    [Setting("A file with that user's password", Allowed = FilePath)]
    public string? EmailPasswordFile { get; set; }

    /// <summary>The file with the address that is called every minute as long as the alerts' whole way works: a dead man's switch.</summary>
    [Setting("A file with the address of a dead man's switch, which is called every minute while alerts work", Allowed = FilePath)]
    public string? HeartbeatUrlFile { get; set; }
}

/// <summary>Which exporter measures NVIDIA GPUs.</summary>
public enum NvidiaExporter
{
    /// <summary>nvidia_gpu_exporter, which asks nvidia-smi: every card, GeForce too.</summary>
    Smi,

    /// <summary>NVIDIA's dcgm-exporter: cards of data centres, with XID errors and MIG.</summary>
    Dcgm,
}

/// <summary>Settings of the GPU exporter.</summary>
public sealed class GpuExporterOptions : ComponentOptions
{
    /// <summary>Which exporter measures NVIDIA GPUs.</summary>
    [Setting("Which exporter measures NVIDIA GPUs: `smi` every card, `dcgm` those of data centres in more depth")]
    public NvidiaExporter Nvidia { get; set; } = NvidiaExporter.Smi;
}

/// <summary>Settings of Loki.</summary>
public sealed class LokiOptions : StoringComponentOptions
{
    /// <summary>How long lines are kept: days at least, for Loki's index has a table for each.</summary>
    [Setting("How long {0} keeps its lines", Allowed = "a duration of days, weeks or years such as '7d'")]
    [RegularExpression(@"[1-9]\d*[dwy]")]
    public string Retention { get; set; } = "7d";
}

/// <summary>Where the edge's certificate comes from.</summary>
public enum EdgeTls
{
    /// <summary>Caddy's own authority, whose root certificate clients are told to trust.</summary>
    Internal,

    /// <summary>An authority that speaks ACME: Let's Encrypt.</summary>
    Acme,

    /// <summary>Files.</summary>
    Files,
}

/// <summary>Settings of the edge. In the graph only with <see cref="HazumuOptions.Production"/>.</summary>
public sealed class EdgeOptions : StoringComponentOptions
{
    private const string AllowedRanges = "addresses and ranges such as '10.0.0.0/8,192.0.2.7', separated by commas";

    /// <summary>The address that its two ports bind to.</summary>
    [Setting("The host address that the ports of {0} bind to", Allowed = "an IPv4 address such as 127.0.0.1 or 0.0.0.0")]
    [IPv4Address]
    public string BindAddress { get; set; } = "0.0.0.0";

    /// <summary>The port that redirects to <see cref="ComponentOptions.Port"/>, and that ACME asks at.</summary>
    [Setting("The port of {0} that redirects to the other", Allowed = "a port from 1 to 65535")]
    [Range(1, 65535)]
    public int HttpPort { get; set; } = 80;

    /// <summary>The host's name, or its address.</summary>
    [Setting("The name under which people reach {0}", Allowed = "one host name or IPv4 address, such as 'llm.example', without scheme, port and path")]
    [HostName]
    public string Name { get; set; } = "localhost";

    /// <summary>A name of Grafana's own; it is under the path <c>/grafana/</c> unless given.</summary>
    [Setting("A name for Grafana alone; without it Grafana is under the path /grafana/", Allowed = "one host name or IPv4 address, such as 'llm.example', without scheme, port and path")]
    [HostName]
    public string? GrafanaName { get; set; }

    /// <summary>Where the certificate comes from.</summary>
    [Setting("Where the certificate of {0} comes from: Caddy's own authority, Let's Encrypt, or files")]
    public EdgeTls Tls { get; set; } = EdgeTls.Internal;

    /// <summary>Whom the authority writes to.</summary>
    [Setting("The e-mail address that ACME's authority gets", Allowed = "an e-mail address")]
    [RegularExpression(@"[^\s,""\\|&$`{}]+@[^\s,""\\|&$`{}]+")]
    public string? AcmeEmail { get; set; }

    /// <summary>The file with the certificate and its chain, PEM.</summary>
    [Setting("The file with the certificate and its chain, as PEM", Allowed = "a path")]
    public string? CertificateFile { get; set; }

    /// <summary>The file with the certificate's key, PEM.</summary>
    [Setting("The file with the certificate's key, as PEM", Allowed = "a path")]
    public string? KeyFile { get; set; }

    /// <summary>Who may talk to the gateway.</summary>
    [Setting("The addresses that may reach the gateway by way of {0}", Allowed = AllowedRanges)]
    [AddressRanges]
    public string AllowGateway { get; set; } = "0.0.0.0/0,::/0";

    /// <summary>Who may talk to Grafana.</summary>
    [Setting("The addresses that may reach Grafana by way of {0}", Allowed = AllowedRanges)]
    [AddressRanges]
    public string AllowGrafana { get; set; } = "0.0.0.0/0,::/0";

    /// <summary>The largest body of a request.</summary>
    [Setting("The largest body of a request that {0} lets through", Allowed = "a size such as '512KB', '100MB' or '4GB'")]
    [RegularExpression(@"[1-9]\d*(KB|MB|GB)")]
    public string MaxBody { get; set; } = "100MB";
}
