namespace Aspire.Hosting;

internal static class GrafanaContainerImageTags
{
    /// <remarks>docker.io</remarks>
    public const string Registry = "docker.io";

    /// <remarks>grafana/grafana</remarks>
    public const string Image = "grafana/grafana";

    /// <remarks>13.2.0</remarks>
    public const string Tag = "13.2.0";
}
