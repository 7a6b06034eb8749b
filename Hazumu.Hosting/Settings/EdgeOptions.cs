using System.ComponentModel.DataAnnotations;

namespace Hazumu.Hosting.Settings;

/// <summary>Settings of the edge. In the graph only with <see cref="HazumuOptions.Production"/>.</summary>
public sealed class EdgeOptions : StoringComponentOptions
{
    private const string AllowedRanges = "addresses and ranges such as '10.0.0.0/8,192.0.2.7', separated by commas";

    /// <summary>The address that its two ports bind to.</summary>
    [Setting("The host address that the ports of {0} bind to", Allowed = "an IPv4 address such as 127.0.0.1 or 0.0.0.0")]
    [IPv4Address]
    public string BindAddress { get; set; } = "0.0.0.0";

    /// <summary>
    /// The port that redirects to <see cref="ComponentOptions.Port"/>, and that answers ACME's challenges.
    /// </summary>
    [Setting("The HTTP port of {0}, which redirects to HTTPS", Allowed = "a port from 1 to 65535")]
    [Range(1, 65535)]
    public int HttpPort { get; set; } = 80;

    /// <summary>The host's name, or its address.</summary>
    [Setting("The name under which people reach {0}", Allowed = "one host name or IPv4 address, such as 'llm.example', without scheme, port and path")]
    [HostName]
    public string Name { get; set; } = "localhost";

    /// <summary>A name of Grafana's own; it is under the path <c>/grafana/</c> unless given.</summary>
    [Setting("A separate name for Grafana; without it, Grafana is under the path /grafana/", Allowed = "one host name or IPv4 address, such as 'llm.example', without scheme, port and path")]
    [HostName]
    public string? GrafanaName { get; set; }

    /// <summary>The source of the certificate.</summary>
    [Setting("The source of the certificate of {0}: Caddy's own authority, Let's Encrypt, or files")]
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

    /// <summary>The addresses that may connect to the gateway.</summary>
    [Setting("The addresses that may reach the gateway through {0}", Allowed = AllowedRanges)]
    [AddressRanges]
    public string AllowGateway { get; set; } = "0.0.0.0/0,::/0";

    /// <summary>The addresses that may connect to Grafana.</summary>
    [Setting("The addresses that may reach Grafana through {0}", Allowed = AllowedRanges)]
    [AddressRanges]
    public string AllowGrafana { get; set; } = "0.0.0.0/0,::/0";

    /// <summary>The largest body of a request.</summary>
    [Setting("The largest request body that {0} accepts", Allowed = "a size such as '512KB', '100MB' or '4GB'")]
    [RegularExpression(@"[1-9]\d*(KB|MB|GB)")]
    public string MaxBody { get; set; } = "100MB";

    /// <inheritdoc/>
    internal override (string Variable, string Value) Address => (Variable(nameof(BindAddress), BindAddress), BindAddress);

    /// <summary>The address of Grafana behind the edge, without a slash at its end.</summary>
    internal string GrafanaUrl
    {
        get
        {
            var port = Port == 443 ? "" : $":{Port}";
            return GrafanaName is { } name ? $"https://{name}{port}" : $"https://{Name}{port}/grafana";
        }
    }

    /// <summary>
    /// The same address as Compose forms it. Compose cannot leave out a port by its value: for another port, set
    /// GRAFANA_URL.
    /// </summary>
    internal string PublishedGrafanaUrl =>
        $"${{GRAFANA_URL:-https://{Variable(nameof(GrafanaName), Variable(nameof(Name), Name) + "/grafana")}}}";
}

/// <summary>The source of the edge's certificate.</summary>
public enum EdgeTls
{
    /// <summary>Caddy's own authority, whose root certificate clients must trust.</summary>
    Internal,

    /// <summary>An authority that speaks ACME: Let's Encrypt.</summary>
    Acme,

    /// <summary>Files.</summary>
    Files,
}
