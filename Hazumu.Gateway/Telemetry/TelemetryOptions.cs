using System.ComponentModel.DataAnnotations;

namespace Hazumu.Gateway.Telemetry;

/// <summary>Settings of metrics and access log; a change takes effect without a restart.</summary>
internal sealed class TelemetryOptions
{
    /// <summary>The configuration section that holds them.</summary>
    public const string Section = "Telemetry";

    /// <summary>Most distinct values that a label for models takes; all beyond become <see cref="BoundedLabels.Other"/>.</summary>
    [Range(1, 10_000)]
    public int MaxModels { get; set; } = 100;

    /// <summary>The same for names of keys.</summary>
    [Range(1, 10_000)]
    public int MaxKeys { get; set; } = 100;

    /// <summary>The same for instances.</summary>
    [Range(1, 10_000)]
    public int MaxInstances { get; set; } = 100;

    /// <summary>Settings of the access log.</summary>
    public AccessLogOptions AccessLog { get; set; } = new();
}

/// <summary>Settings of the access log.</summary>
internal sealed class AccessLogOptions
{
    /// <summary>Whether there is one.</summary>
    public bool Enabled { get; set; } = true;

    /// <summary>Whether it also has what probes ask for: <c>/</c>, <c>/health</c>, <c>/alive</c>, <c>/metrics</c>.</summary>
    public bool Probes { get; set; } = true;
}
