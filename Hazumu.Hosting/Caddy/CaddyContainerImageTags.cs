namespace Aspire.Hosting;

internal static class CaddyContainerImageTags
{
    /// <remarks>docker.io</remarks>
    public const string Registry = "docker.io";

    /// <remarks>library/caddy</remarks>
    public const string Image = "library/caddy";

    /// <remarks>2.11.4</remarks>
    public const string Tag = "2.11.4";
}
