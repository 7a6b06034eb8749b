using System.ComponentModel.DataAnnotations;
using Hazumu.Gateway.Keys;
using Hazumu.Gateway.Pipeline.Bodies;

namespace Hazumu.Gateway.Configuration;

/// <summary>Every setting of the gateway: the section <c>Gateway</c> of configuration. Read and checked at start, and again when a file changes.</summary>
/// <remarks>
/// Source: appsettings files, the file that <c>Gateway__SettingsFile</c> names, environment variables (<c>Gateway__Queue__Limit</c>),
/// the command line (<c>--Gateway:Queue:Limit=500</c>); the later wins.
/// </remarks>
internal sealed class GatewayOptions
{
    /// <summary>The section's name.</summary>
    public const string SectionName = "Gateway";

    /// <summary>The engines, by name. Those of Aspire's references are among them.</summary>
    /// <remarks>Connection strings of the form <c>Endpoint=http://host:port</c>, which Aspire's references make, are engines too.</remarks>
    [Setting("The engines by name, in addition to those of Aspire's references", Formerly = ["Instances", "InstanceAccess"])]
    public Dictionary<string, EngineOptions> Engines { get; set; } = new(StringComparer.OrdinalIgnoreCase);

    /// <summary>How many requests an instance runs at once with one model: its <c>OLLAMA_NUM_PARALLEL</c>.</summary>
    [Setting("Requests that an instance runs at the same time with one model, unless it reports the number itself: OLLAMA_NUM_PARALLEL of the Ollama servers. Models that Ollama runs with one slot get one", Allowed = "a number from 1 to 100000")]
    [Range(1, 100_000)]
    public int Slots { get; set; } = 1;

    /// <summary>
    /// Names that clients may use, each with the models that serve it. A list, since a model's name in a key would end
    /// at its colon.
    /// </summary>
    [Setting("Names that clients may use, each with the models that serve it")]
    public Dictionary<string, ModelNameOptions> ModelNames { get; set; } = new(StringComparer.OrdinalIgnoreCase);

    /// <summary>Models that are kept in memory, those that matter most first.</summary>
    [Setting("Models that are kept in memory, those that matter most first")]
    public Dictionary<string, PinnedModelOptions> PinnedModels { get; set; } = new(StringComparer.OrdinalIgnoreCase);

    /// <summary>The time zone of the times at which models are loaded.</summary>
    [Setting("The time zone of `LoadAt`", Allowed = "a name of the IANA database such as 'Europe/Berlin'")]
    [TimeZone]
    public string TimeZone { get; set; } = "UTC";

    /// <summary>Whether models that run in Ollama's cloud are allowed.</summary>
    [Setting("Whether models that run in Ollama's cloud are allowed")]
    public bool AllowCloudModels { get; set; }

    /// <summary>Registries beside Ollama's own that models may be pulled from and pushed to.</summary>
    [Setting("Registries beside registry.ollama.ai that models may be pulled from and pushed to; those with `http://` also without TLS", Allowed = "hosts such as 'hf.co' or 'http://registry.lan:5000', separated by commas")]
    [Registries]
    public IReadOnlyList<string> Registries { get; set; } = [];

    /// <summary>How many requests one address may send in a minute; 0 for any number.</summary>
    [Setting("Requests that one address (of IPv6 one network of 64 bits) may send in a minute, with or without a key; further ones are refused with 429. 0 for any number", Allowed = "a number from 0 to 10000000")]
    [Range(0, 10_000_000)]
    public int AddressRequestsPerMinute { get; set; }

    /// <summary>The proxies whose X-Forwarded-For and -Proto are believed, where ASPNETCORE_FORWARDEDHEADERS_ENABLED is set; any unless one is named.</summary>
    [Setting("Proxies whose X-Forwarded-For is trusted if ASPNETCORE_FORWARDEDHEADERS_ENABLED is `true`; any if none is named. Names are resolved again when another address sends the header", Allowed = "host names and IP addresses (no networks such as '10.0.0.0/8'), separated by commas")]
    [Proxies]
    public IReadOnlyList<string> Proxies { get; set; } = [];

    /// <summary>Names by which clients call the gateway, beside those that <see cref="HostNames"/> allows by itself.</summary>
    [Setting("Host names that clients may use for the gateway, in addition to addresses, localhost, the machine's own name, `*.localhost`, `*.local` and `*.internal`", Allowed = "host names without a port, '*.' and a name, or '*' for any, separated by commas")]
    [HostNames]
    public IReadOnlyList<string> AllowedHosts { get; set; } = [];

    /// <summary>Origins whose pages may use the gateway; Ollama's own list where there are none.</summary>
    [Setting("Origins whose pages may use the gateway from a browser; `:*` is any port or none. Default: pages of this machine and of desktop applications, like Ollama's default", Allowed = "origins such as 'https://chat.example.org', each with one '*' at most, or '*' for any, separated by commas")]
    [Origins]
    public IReadOnlyList<string> AllowedOrigins { get; set; } = [];

    /// <summary>A file with settings of this section, in JSON; it is watched, and its values win over those of appsettings files.</summary>
    [Setting("A further JSON file with settings, watched for changes", Allowed = "a path")]
    public string? SettingsFile { get; set; }

    /// <summary>
    /// How often a client that waits for a stream is sent something that means nothing; never unless it is set.
    /// </summary>
    [Setting("How often a client that waits for its stream to begin gets an empty chunk, for proxies that close silent connections; never unless it is set: see [Long silences](#long-silences)", Allowed = Duration.Rule)]
    [PositiveDuration]
    public TimeSpan? KeepAlive { get; set; }

    /// <summary>The queue in front of the slots.</summary>
    public QueueOptions Queue { get; set; } = new();

    /// <summary>The shares of priorities in the queue.</summary>
    public PriorityOptions Priorities { get; set; } = new();

    /// <summary>When the gateway gives up on an engine.</summary>
    public TimeoutOptions Timeouts { get; set; } = new();

    /// <summary>Further attempts.</summary>
    public RetryOptions Retries { get; set; } = new();

    /// <summary>How often the instances are checked.</summary>
    public FleetOptions Fleet { get; set; } = new();

    /// <summary>Other gateways in front of the same instances.</summary>
    public ClusterOptions Cluster { get; set; } = new();

    /// <summary>Connections of clients.</summary>
    public ConnectionOptions Connections { get; set; } = new();

    /// <summary>The port for those who run the gateway.</summary>
    public ManagementOptions Management { get; set; } = new();

    /// <summary>The web page for operators.</summary>
    public ConsoleOptions Console { get; set; } = new();

    /// <summary>Request bodies.</summary>
    public BodyOptions Body { get; set; } = new();

    /// <summary>Keys and their rights.</summary>
    public KeyOptions Keys { get; set; } = new();

    /// <summary>Issuers of tokens that are accepted beside keys, by name.</summary>
    [Setting("Issuers of tokens that are accepted beside keys")]
    public Dictionary<string, IssuerOptions> Issuers { get; set; } = new(StringComparer.OrdinalIgnoreCase);

    /// <summary>The people behind keys.</summary>
    public EndUserOptions EndUsers { get; set; } = new();

    /// <summary>What may be used in a day and in a month.</summary>
    public BudgetsOptions Budgets { get; set; } = new();

    /// <summary>Where usage is kept.</summary>
    public UsageOptions Usage { get; set; } = new();

    /// <summary>Metrics and the access log.</summary>
    public TelemetryOptions Telemetry { get; set; } = new();
}

/// <summary>A name that clients may use, and the models that serve it.</summary>
internal sealed class ModelNameOptions
{
    /// <summary>The name.</summary>
    [Setting("The name that clients use", Allowed = "the name of a model, or any other name")]
    public string? Name { get; set; }

    /// <summary>The models, in their order: the first that can serve a request now does.</summary>
    [Setting("The models that serve it: a request goes to the first one that can serve it now", Allowed = "names of models, in their order")]
    public IReadOnlyList<string> Models { get; set; } = [];

    /// <summary>The shares of the models in the requests, in proportion; unless they are set, all requests go to the first one.</summary>
    [Setting(
        "The shares of these models in the requests, in proportion: `95,5`. Unless it is set, all requests go to the first model",
        Allowed = "as many numbers from 0 to 1000000 as there are models, separated by commas")]
    [Shares]
    public IReadOnlyList<string> Shares { get; set; } = [];

    /// <summary>Requests that may wait for a model before the next one is used; any number unless it is set.</summary>
    [Setting("Requests that may wait for a model before the next one is used; any number unless it is set", Allowed = "a number from 0 to 1000000")]
    [Range(0, 1_000_000)]
    public int? QueueLongerThan { get; set; }

    /// <summary>Whether the name is listed among the models.</summary>
    [Setting("Whether the name is listed among the models")]
    public bool List { get; set; }
}

/// <summary>The queue in front of the slots.</summary>
internal sealed class QueueOptions
{
    /// <summary>How many requests may wait, over all models, an embedding counting as a sixteenth; one more is refused with 503.</summary>
    [Setting("Requests that may wait, for all models together; an embedding counts as a sixteenth. Further ones are refused with 503", Allowed = "a number from 0 to 1000000")]
    [Range(0, 1_000_000)]
    public int Limit { get; set; } = 512;

    /// <summary>How long a request may wait for a slot before it is refused with 503; an embedding, since the last turn of its key.</summary>
    [Setting("How long a request may wait for a slot; for an embedding, since the last turn of its key", Allowed = Duration.Rule)]
    [PositiveDuration]
    public TimeSpan Timeout { get; set; } = TimeSpan.FromMinutes(2);

    /// <summary>How long requests wait during an outage of all instances, such as a restart; afterwards requests are refused immediately.</summary>
    [Setting("How long requests wait during an outage of all instances, such as a restart; afterwards requests are refused immediately", Allowed = Duration.Rule)]
    [PositiveDuration]
    public TimeSpan OutageTimeout { get; set; } = TimeSpan.FromSeconds(10);
}

/// <summary>When the gateway gives up on an engine.</summary>
internal sealed class TimeoutOptions
{
    /// <summary>For a connection.</summary>
    [Setting("How long a connection to an instance may take", Allowed = Duration.Rule)]
    [PositiveDuration]
    public TimeSpan Connect { get; set; } = TimeSpan.FromSeconds(5);

    /// <summary>For the client to send a body in which the gateway looks for a model.</summary>
    [Setting("How long a client may take to send a request's body; a slower one is refused with 408. Blobs are not limited", Allowed = Duration.Rule)]
    [PositiveDuration]
    public TimeSpan Body { get; set; } = TimeSpan.FromMinutes(5);

    /// <summary>From the request to the answer's first byte: loading, reading the prompt and, where nothing is streamed, generating.</summary>
    [Setting("How long an instance may be silent before the first byte: loading, reading the prompt, and all of an answer that is not streamed", Allowed = Duration.Rule)]
    [PositiveDuration]
    public TimeSpan FirstByte { get; set; } = TimeSpan.FromMinutes(15);

    /// <summary>Between two pieces of an answer that has begun.</summary>
    [Setting("How long an answer that has begun may pause", Allowed = Duration.Rule)]
    [PositiveDuration]
    public TimeSpan Stall { get; set; } = TimeSpan.FromMinutes(2);

    /// <summary>For operations that change what is stored: Ollama verifies a model in silence, for minutes.</summary>
    [Setting("How long an instance may be silent while it pulls, pushes, creates, copies or deletes a model, or takes a blob", Allowed = Duration.Rule)]
    [PositiveDuration]
    public TimeSpan Management { get; set; } = TimeSpan.FromHours(6);

    /// <summary>How long running requests may continue when the gateway is stopped.</summary>
    [Setting("How long running requests may continue when the gateway is stopped", Allowed = Duration.Rule)]
    [PositiveDuration]
    public TimeSpan Drain { get; set; } = TimeSpan.FromMinutes(5);

    /// <summary>The longest time for which the slot of a cancelled request is held while the instance has not closed the connection.</summary>
    [Setting(
        "The longest time for which the slot of a cancelled request is held while the instance has not closed the connection",
        Allowed = Duration.Rule)]
    [PositiveDuration]
    public TimeSpan UpstreamReleased { get; set; } = TimeSpan.FromSeconds(30);
}

/// <summary>Further attempts, before the first byte only.</summary>
internal sealed class RetryOptions
{
    /// <summary>Attempts after the first that one request may make.</summary>
    [Setting("Further attempts that one request may make, on other instances and before the first byte", Allowed = "a number from 0 to 10")]
    [Range(0, 10)]
    public int Limit { get; set; } = 2;

    /// <summary>How long an attempt at an answer that is not streamed may take and still be followed by another when its connection breaks.</summary>
    [Setting("For an answer that is not streamed: the longest duration of an attempt after which a broken connection is retried. After a longer one, most of the answer may have been generated already", Allowed = Duration.Rule)]
    [PositiveDuration]
    public TimeSpan UnstreamedWithin { get; set; } = TimeSpan.FromSeconds(10);

    /// <summary>Further attempts for each hundred requests; a start-up allowance of ten comes on top.</summary>
    [Setting("Further attempts for each hundred requests, so that a failing fleet is not flooded", Allowed = "a number from 0 to 100")]
    [Range(0, 100)]
    public int BudgetPercent { get; set; } = 20;
}

/// <summary>How the instances are checked.</summary>
internal sealed class FleetOptions
{
    /// <summary>
    /// How often the loaded models of each instance are read (<c>/api/ps</c>), which is also its health probe, and
    /// names are resolved.
    /// </summary>
    [Setting("How often an instance is probed and its loaded models are read (/api/ps)", Allowed = Duration.Rule)]
    [PositiveDuration]
    public TimeSpan ProbeInterval { get; set; } = TimeSpan.FromSeconds(5);

    /// <summary>
    /// How often each instance's models on disk are read (<c>/api/tags</c>); changes through the gateway are known
    /// immediately.
    /// </summary>
    [Setting("How often an instance's models on disk are read (/api/tags)", Allowed = Duration.Rule)]
    [PositiveDuration]
    public TimeSpan ModelsInterval { get; set; } = TimeSpan.FromSeconds(30);

    /// <summary>Whether a model that no instance has is pulled to every instance instead of the one with the least on disk.</summary>
    [Setting("Pulls a model that no instance has to every instance, instead of the one with the least on its disk")]
    public bool PullEverywhere { get; set; }

    /// <summary>Failures in a row that open an instance's circuit.</summary>
    [Setting("Failures in a row that open an instance's circuit", Allowed = "a number from 1 to 100")]
    [Range(1, 100)]
    public int FailureThreshold { get; set; } = 3;

    /// <summary>How long a circuit stays open at first; each time that the trial fails it doubles, up to twelve times this.</summary>
    [Setting("How long a circuit stays open before a trial; doubles while trials fail", Allowed = Duration.Rule)]
    [PositiveDuration]
    public TimeSpan OpenFor { get; set; } = TimeSpan.FromSeconds(5);
}

/// <summary>Several gateways in front of the same instances. Read at the start.</summary>
internal sealed class ClusterOptions
{
    /// <summary>The Valkey or Redis in which the gateways choose the one that admits for all; a single gateway has none.</summary>
    [Setting("The Valkey or Redis through which several gateways in front of the same instances elect the one that admits for all; a single gateway needs none. Read at the start", Allowed = "a host and a port such as 'valkey:6379', or with TLS 'valkey:6379,ssl=true'")]
    public string? Store { get; set; }

    /// <summary>The store's password. This or <see cref="PasswordFile"/>.</summary>
    [Setting("The store's password", Allowed = "20 characters or more without white space, quotes and backslashes; this or 'PasswordFile', with 'Store'")]
    public string? Password { get; set; }

    /// <summary>A file that holds the store's password.</summary>
    [Setting("A file that contains that password; white space around it is removed", Allowed = "a path")]
    public string? PasswordFile { get; set; }

    /// <summary>How many gateways this installation runs; fewer raise the alert GatewayMissing. Unknown unless it is set.</summary>
    [Setting("How many gateways this installation runs, so that the alert GatewayMissing fires when there are fewer. Read at the start", Allowed = "a number from 1 to 1000")]
    [Range(1, 1000)]
    public int? Size { get; set; }

    /// <summary>The port on which the leading gateway accepts the others; 0 for any that is free.</summary>
    [Setting("The port on which gateways accept each other; 0 for any free port", Allowed = "a port from 0 to 65535")]
    [Range(0, 65535)]
    public int Port { get; set; } = 8082;

    /// <summary>
    /// The URL at which the other gateways reach that port; unless it is set, the address of the interface that leads
    /// to the store.
    /// </summary>
    [Setting("The URL at which the other gateways reach this one's port; unless it is set, the address of the interface that leads to the store. With https, the certificate is that of 'Kestrel:Certificates:Default'", Allowed = "an http or https URL without a path, such as 'https://gateway-1:8082'")]
    [InstanceUrl]
    public string? Address { get; set; }

    /// <summary>The certificates of the authorities that the gateways' and the store's are trusted by, in PEM; the system's unless it is set.</summary>
    [Setting("A file with the authorities that may have signed the gateways' and the store's certificates", Allowed = "a path")]
    public string? CaFile { get; set; }
}

/// <summary>Connections of clients. Read at the start.</summary>
internal sealed class ConnectionOptions
{
    /// <summary>The most at the same time; by memory and open files unless it is set.</summary>
    [Setting("Connections that clients may have at the same time; unless it is set, derived from memory and open files. Read at the start", Allowed = "a number from 1 to 1000000")]
    [Range(1, 1_000_000)]
    public int? Limit { get; set; }

    /// <summary>The most of one address; a quarter of all unless it is set, and all behind a proxy that is believed.</summary>
    [Setting("Connections that one address (of IPv6 one network of 64 bits) may have; a quarter of them unless it is set, at least 256, and all of them if ASPNETCORE_FORWARDEDHEADERS_ENABLED declares a proxy in front. Read at the start", Allowed = "a number from 1 to 1000000")]
    [Range(1, 1_000_000)]
    public int? PerAddress { get; set; }
}

/// <summary>The port for those who run the gateway. Read at the start.</summary>
internal sealed class ManagementOptions
{
    /// <summary>The port; without it, metrics are on the clients' port.</summary>
    [Setting("A further port, for /health, /alive, /metrics and /models; the clients' port has /metrics only without this setting. Read at the start", Allowed = "a port from 1 to 65535")]
    [Range(1, 65535)]
    public int? Port { get; set; }
}

/// <summary>The web page for operators.</summary>
internal sealed class ConsoleOptions
{
    /// <summary>Whether it is served.</summary>
    [Setting("Whether the [console](console.md), a web page for operators, is served at /console. Read at the start")]
    public bool Enabled { get; set; }

    /// <summary>How long a session lasts after its last page was opened.</summary>
    [Setting("How long a session of the console lasts after its last page was opened", Allowed = Duration.Rule)]
    [PositiveDuration]
    public TimeSpan Session { get; set; } = TimeSpan.FromHours(1);
}

/// <summary>Request bodies.</summary>
internal sealed class BodyOptions
{
    /// <summary>Bytes that a body may have in which the gateway looks for a model; a larger one is refused with 413. Blobs are not limited.</summary>
    [Setting("Bytes that a request's body may have; a larger one is refused with 413. Blobs are not limited", Allowed = "a number from 1024 to 2000000000")]
    [Range(1024, 2_000_000_000)]
    public int Limit { get; set; } = 1024 * 1024 * 1024;

    /// <summary>Bytes of memory that all bodies may take together.</summary>
    [Setting("Bytes of memory that the bodies of all requests may take; a quarter of the process's memory unless set. If they are full, a request is refused with 503", Allowed = "a number from 1048576 to 1099511627776")]
    [Range(1_048_576L, 1_099_511_627_776L)]
    public long? MemoryLimit { get; set; }

    /// <summary>Bytes of disk space that all bodies may take together.</summary>
    [Setting("Bytes of disk space that bodies over 1 MiB may take", Allowed = "a number from 0 to 1099511627776")]
    [Range(0L, 1_099_511_627_776L)]
    public long DiskLimit { get; set; } = 4L * 1024 * 1024 * 1024;

    /// <summary>The folder for bodies over 1 MiB until they are sent, in files without a name.</summary>
    [Setting("A folder on a disk for bodies over 1 MiB; by default the system's folder for temporary files or /var/tmp, if it is on a disk. Without such a folder, they stay in memory", Allowed = "a path")]
    public string? Folder { get; set; }
}
