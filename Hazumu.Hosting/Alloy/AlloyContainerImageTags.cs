namespace Aspire.Hosting;

internal static class AlloyContainerImageTags
{
    /// <remarks>docker.io</remarks>
    public const string Registry = "docker.io";

    /// <remarks>grafana/alloy</remarks>
    public const string Image = "grafana/alloy";

    /// <remarks>v1.19.1</remarks>
    public const string Tag = "v1.19.1";
}
