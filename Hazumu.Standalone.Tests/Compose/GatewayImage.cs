using Hazumu.Checks;

namespace Hazumu.Standalone.Tests.Compose;

/// <summary>The gateway's image, which no registry has: <c>./hazumu test</c> builds it.</summary>
internal static class GatewayImage
{
    private static readonly Lazy<string?> s_missing = new(() =>
        Component.Gateway.Missing
        ?? (ContainerEngine.RunAsync("image", "inspect", Component.Gateway.Image).GetAwaiter().GetResult().Succeeded
            ? null
            : $"gateway: the image {Component.Gateway.Image} has not been built here"));

    /// <summary>Why the published application has no gateway here, or <see langword="null"/> where it has.</summary>
    public static string? Missing => s_missing.Value;
}
