using System.ComponentModel.DataAnnotations;

namespace Hazumu.Hosting.Settings;

/// <summary>Settings of the gateway.</summary>
public sealed class HazumuGatewayOptions : StoringComponentOptions
{
    /// <summary>Whether a request needs a key.</summary>
    [Setting("Whether a request to {0} needs a key")]
    public bool RequireKeys { get; set; }

    /// <summary>
    /// The file on this machine that holds the keys; the command's own default unless given. Compose has the volume
    /// instead.
    /// </summary>
    [Setting("The file with the keys of {0}; in Compose it is in the volume", Allowed = "a path")]
    public string? KeysFile { get; set; }

    /// <summary>Whether its console is served; unless given, in development and on loopback only.</summary>
    [Setting("Whether {0} serves its console at /console; unless it is set, in development on a loopback address only")]
    public bool? Console { get; set; }

    /// <summary>Registries beside Ollama's own that models may be pulled from and pushed to.</summary>
    [Setting("Registries besides registry.ollama.ai to and from which models may be pushed and pulled through {0}; those with http:// also without TLS", Allowed = "hosts such as 'hf.co' or 'http://registry.lan:5000', separated by commas")]
    [RegularExpression(@"(http://)?[A-Za-z0-9.\-]+(:\d+)?(, ?(http://)?[A-Za-z0-9.\-]+(:\d+)?)*")]
    public string? Registries { get; set; }

    /// <summary>How many requests one client address may send in a minute, in production.</summary>
    [Setting("Requests that one client address may send to {0} in a minute, in production; 0 for any number", Allowed = "a number from 0 to 10000000")]
    [Range(0, 10_000_000)]
    public int AddressRequestsPerMinute { get; set; } = 6000;

    /// <summary>The port of its health and metrics; in Compose it is inside the network only.</summary>
    [Setting("The host port of {0}'s health and metrics; in Compose they are only inside the network", Allowed = "a port from 1 to 65535")]
    [Range(1, 65535)]
    public int ManagementPort { get; set; } = 11436;

    /// <summary>
    /// Names by which clients call it, beside its own, the edge's, and those that the gateway allows by itself.
    /// </summary>
    [Setting("Further names by which clients may call {0}", Allowed = "host names such as 'gpu.example.org' and '*.example.org', separated by commas; '*' for any")]
    [RegularExpression(@"((\*\.)?[A-Za-z0-9_.\-]+|\*)(, ?((\*\.)?[A-Za-z0-9_.\-]+|\*))*")]
    public string? AllowedHosts { get; set; }

    /// <summary>Origins whose pages may use it from a browser, in place of Ollama's own list.</summary>
    [Setting("Origins whose pages may use {0} from a browser, in place of Ollama's list", Allowed = "origins such as 'https://chat.example.org' and 'https://*.example.org', separated by commas; '*' for any")]
    [RegularExpression(@"(\*|[A-Za-z][A-Za-z0-9+.\-]*://[^/?# ,""]+)(, ?(\*|[A-Za-z][A-Za-z0-9+.\-]*://[^/?# ,""]+))*")]
    public string? AllowedOrigins { get; set; }
}
