using System.ComponentModel.DataAnnotations;

namespace Hazumu.Hosting.Settings;

/// <summary>Settings of Prometheus.</summary>
public sealed class PrometheusOptions : StoringComponentOptions
{
    /// <summary>How long samples are kept, in Prometheus' duration syntax.</summary>
    [Setting("How long {0} stores samples", Allowed = "a duration such as '15d', '12h' or '1y'")]
    [RegularExpression(@"([1-9]\d*(ms|[smhdwy]))+")]
    public string Retention { get; set; } = "15d";

    /// <summary>
    /// The address below which the alerts' runbooks are; unless given, Prometheus itself serves them.
    /// </summary>
    [Setting("The address below which alerts link to their runbooks; unless it is set, {0} serves the runbooks itself, and alerts link there", Allowed = "an address such as 'https://wiki.example/runbooks/'")]
    [RegularExpression("https?://[A-Za-z0-9.,:/@_~%+=?&#-]+")]
    public string? RunbookUrl { get; set; }
}
