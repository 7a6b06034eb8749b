namespace Aspire.Hosting;

internal static class NodeExporterContainerImageTags
{
    /// <remarks>docker.io</remarks>
    public const string Registry = "docker.io";

    /// <remarks>prom/node-exporter</remarks>
    public const string Image = "prom/node-exporter";

    /// <remarks>v1.12.1</remarks>
    public const string Tag = "v1.12.1";
}
