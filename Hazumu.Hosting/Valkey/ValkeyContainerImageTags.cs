namespace Aspire.Hosting;

internal static class ValkeyContainerImageTags
{
    /// <remarks>docker.io</remarks>
    public const string Registry = "docker.io";

    /// <remarks>valkey/valkey</remarks>
    public const string Image = "valkey/valkey";

    /// <remarks>9.1.2</remarks>
    public const string Tag = "9.1.2";
}
