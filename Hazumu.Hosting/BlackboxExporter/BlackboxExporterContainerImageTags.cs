namespace Aspire.Hosting;

internal static class BlackboxExporterContainerImageTags
{
    /// <remarks>docker.io</remarks>
    public const string Registry = "docker.io";

    /// <remarks>prom/blackbox-exporter</remarks>
    public const string Image = "prom/blackbox-exporter";

    /// <remarks>v0.28.0</remarks>
    public const string Tag = "v0.28.0";
}
