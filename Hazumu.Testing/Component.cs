using System.Text.RegularExpressions;

namespace Hazumu.Testing;

/// <summary>A component of the graph, as tests name it.</summary>
public sealed partial record Component
{
    /// <summary>The inference engine.</summary>
    public static readonly Component Ollama = new("Ollama");

    /// <summary>
    /// The gateway, to which clients connect: a project in the AppHost's graph, a container in the published
    /// application.
    /// </summary>
    public static readonly Component Gateway = new("Gateway", hasPulledImage: false, needs: () => Engine);

    /// <summary>The metrics store.</summary>
    public static readonly Component Prometheus = new("Prometheus");

    /// <summary>The dashboards.</summary>
    public static readonly Component Grafana = new("Grafana");

    /// <summary>The container metrics.</summary>
    public static readonly Component CAdvisor = new("CAdvisor");

    /// <summary>The HTTP prober.</summary>
    public static readonly Component Blackbox = new("Blackbox");

    /// <summary>The sender of notifications.</summary>
    public static readonly Component Alertmanager = new("Alertmanager");

    /// <summary>The host's metrics, where containers see the host.</summary>
    public static readonly Component NodeExporter = new("NodeExporter", needsThisMachine: true);

    /// <summary>The store of logs: off by default, and tested all the same.</summary>
    public static readonly Component Loki = new("Loki");

    /// <summary>The collector of logs.</summary>
    public static readonly Component Alloy = new("Alloy", needs: () => Loki);

    /// <summary>The one door from outside, in production's form only.</summary>
    public static readonly Component Edge = new("Edge");

    /// <summary>The store by which several gateways choose a leader, in production's form only.</summary>
    public static readonly Component Valkey = new("Valkey");

    /// <summary>The engine that serves models from files: off by default, and what every machine can run.</summary>
    public static readonly Component LlamaServer = new("LlamaServer");

    /// <summary>Every component of development's form, in the order of the README's table.</summary>
    public static readonly IReadOnlyList<Component> All = [Ollama, Gateway, Prometheus, Grafana, CAdvisor, Blackbox, Alertmanager, NodeExporter, Loki, Alloy];

    /// <summary>The engine of tests that are about none in particular: Ollama, or llama-server where Ollama's image cannot be had.</summary>
    public static Component Engine => Ollama.Missing is null ? Ollama : LlamaServer;

    private readonly bool _hasPulledImage;
    private readonly bool _needsThisMachine;
    private readonly Func<Component>? _needs;
    private readonly Lazy<string?> _missing;

    private Component(string section, bool hasPulledImage = true, Func<Component>? needs = null, bool needsThisMachine = false)
    {
        Section = section;
        _hasPulledImage = hasPulledImage;
        _needsThisMachine = needsThisMachine;
        _needs = needs;
        _missing = new(FindOutWhyMissing);
    }

    /// <summary>The section below <c>Hazumu</c> in configuration: <c>CAdvisor</c>.</summary>
    public string Section { get; }

    /// <summary>The resource and Compose service: <c>cadvisor</c>.</summary>
    public string Service => Section.ToLowerInvariant();

    /// <summary>The image reference: <c>Hazumu__{Section}__Image</c> where that is set, else the published application's default.</summary>
    /// <exception cref="InvalidOperationException">The published application has no such service.</exception>
    public string Image => Environment.GetEnvironmentVariable($"Hazumu__{Section}__Image") is { Length: > 0 } configured
        ? configured
        : DefaultImage();

    /// <summary>
    /// Why the component cannot run on this machine, or <see langword="null"/> where it can. Missing means: left out by
    /// <c>Hazumu__{Section}__Enabled=false</c>, no container engine, or an image that is not here and whose registry cannot be
    /// reached; or that another component is missing without which it is never healthy. An image that a reachable registry refuses is not missing: its tests run and fail. One that is built and not pulled is
    /// the business of those tests that run it.
    /// </summary>
    public string? Missing => _missing.Value;

    /// <summary>Why a test cannot run on this machine, or <see langword="null"/> where it can.</summary>
    /// <param name="components">The components that it needs.</param>
    public static string? WhyMissing(params IReadOnlyList<Component> components)
    {
        ArgumentNullException.ThrowIfNull(components);

        var reasons = components.Select(component => component.Missing).OfType<string>().ToList();
        return reasons.Count == 0 ? null : string.Join("; ", reasons);
    }

    /// <inheritdoc/>
    public override string ToString() => Service;

    private string? FindOutWhyMissing()
    {
        if (bool.TryParse(Environment.GetEnvironmentVariable($"Hazumu__{Section}__Enabled"), out var enabled) && !enabled)
        {
            return $"{Service}: left out by Hazumu__{Section}__Enabled=false";
        }

        if (ContainerCli.Missing is { } reason)
        {
            return $"{Service}: {reason}";
        }

        if (_needsThisMachine && !ContainerCli.SharesThisMachine)
        {
            return $"{Service}: containers of this engine do not see this machine";
        }

        if (_needs?.Invoke().Missing is { } needed)
        {
            return $"{Service}: nothing without {needed}";
        }

        if (!_hasPulledImage || ContainerCli.RunAsync("image", "inspect", Image).GetAwaiter().GetResult().Succeeded)
        {
            return null;
        }

        var pull = ProcessRunner.RunAsync(ContainerCli.Program, ["pull", "--quiet", Image], TimeSpan.FromMinutes(15)).GetAwaiter().GetResult();
        return !pull.Succeeded && Unreachable().IsMatch(pull.Output)
            ? $"{Service}: the image {Image} is not on this machine and its registry cannot be reached"
            : null;
    }

    private string DefaultImage()
    {
        // image: ${Hazumu__Prometheus__Image:-${Hazumu__ImageRegistry:-docker.io}/prom/prometheus:v3.14.0}
        // image: ${Hazumu__Gateway__Image:-localhost/hazumu/gateway:dev}
        var file = string.Concat(Directory.EnumerateFiles(Published.Compose, "docker-compose*.yaml").Select(File.ReadAllText));
        var line = Regex.Match(file, $$"""image: "?\$\{Hazumu__{{Section}}__Image:-(\$\{Hazumu__ImageRegistry:-(?<registry>[^}]+)\})?(?<rest>[^}]+)\}""");
        if (!line.Success)
        {
            throw new InvalidOperationException($"No published Compose file has an image for Hazumu__{Section}__Image.");
        }

        var registry = line.Groups["registry"].Success && Environment.GetEnvironmentVariable("Hazumu__ImageRegistry") is { Length: > 0 } configured
            ? configured.TrimEnd('/')
            : line.Groups["registry"].Value;
        return registry + line.Groups["rest"].Value;
    }

    [GeneratedRegex("no such host|connection refused|i/o timeout|network is unreachable|proxyconnect|Client.Timeout|TLS handshake timeout|server misbehaving|context deadline exceeded|Temporary failure in name resolution|no route to host|connection reset", RegexOptions.IgnoreCase)]
    private static partial Regex Unreachable();
}
