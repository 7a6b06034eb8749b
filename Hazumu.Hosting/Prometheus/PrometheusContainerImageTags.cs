namespace Aspire.Hosting;

internal static class PrometheusContainerImageTags
{
    /// <remarks>docker.io</remarks>
    public const string Registry = "docker.io";

    /// <remarks>prom/prometheus</remarks>
    public const string Image = "prom/prometheus";

    /// <remarks>v3.14.0</remarks>
    public const string Tag = "v3.14.0";
}
