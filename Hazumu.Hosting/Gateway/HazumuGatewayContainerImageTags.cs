namespace Aspire.Hosting;

/// <summary>
/// No registry has the image: <c>dotnet publish Hazumu.Gateway --os linux-musl -t:PublishContainer</c> builds it. A
/// registry named localhost keeps an engine from pulling a foreign image of that name.
/// </summary>
internal static class HazumuGatewayContainerImageTags
{
    /// <remarks>localhost</remarks>
    public const string Registry = "localhost";

    /// <remarks>hazumu/gateway</remarks>
    public const string Image = "hazumu/gateway";

    /// <remarks>dev</remarks>
    public const string Tag = "dev";
}
