using System.ComponentModel.DataAnnotations;

namespace Hazumu.Gateway.Configuration;

/// <summary>Settings of metrics and access log; a change takes effect without a restart.</summary>
internal sealed class TelemetryOptions
{
    /// <summary>The name of the meter that every instrument of the gateway belongs to.</summary>
    public const string MeterName = "Hazumu.Gateway";

    /// <summary>Most distinct values that a label for models takes; all beyond become <c>other</c>.</summary>
    [Setting("The maximum number of models that become label values; further ones are `other`", Allowed = "a number from 1 to 10000")]
    [Range(1, 10_000)]
    public int MaxModels { get; set; } = 100;

    /// <summary>The same for names of keys.</summary>
    [Setting("The maximum number of keys that become label values; further ones are `other`", Allowed = "a number from 1 to 10000")]
    [Range(1, 10_000)]
    public int MaxKeys { get; set; } = 100;

    /// <summary>The same for instances.</summary>
    [Setting("The maximum number of instances that become label values; further ones are `other`", Allowed = "a number from 1 to 10000")]
    [Range(1, 10_000)]
    public int MaxInstances { get; set; } = 100;

    /// <summary>Settings of the access log.</summary>
    public AccessLogOptions AccessLog { get; set; } = new();
}

/// <summary>Settings of the access log.</summary>
internal sealed class AccessLogOptions
{
    /// <summary>Whether there is one.</summary>
    [Setting("Whether each request is a line of JSON on standard output")]
    public bool Enabled { get; set; } = true;

    /// <summary>Whether it also has what probes ask for: <c>/</c>.</summary>
    [Setting("Whether requests of probes are logged too: /")]
    public bool Probes { get; set; } = true;
}
