namespace Aspire.Hosting;

internal static class CAdvisorContainerImageTags
{
    /// <remarks>ghcr.io</remarks>
    public const string Registry = "ghcr.io";

    /// <remarks>google/cadvisor</remarks>
    public const string Image = "google/cadvisor";

    /// <remarks>v0.60.5</remarks>
    public const string Tag = "v0.60.5";
}
