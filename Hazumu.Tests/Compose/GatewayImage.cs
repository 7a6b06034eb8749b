using Hazumu.Testing;

namespace Hazumu.Tests.Compose;

/// <summary>
/// The gateway's image, which no registry has: <c>./hazumu test</c> builds it of the checkout as it is, and where it cannot, says why in
/// <c>HAZUMU_GATEWAY_PROBLEM</c>; then one of an earlier checkout must not be tested instead.
/// </summary>
internal static class GatewayImage
{
    private static readonly Lazy<string?> s_notBuilt = new(() =>
        ContainerCli.Missing
        ?? (Environment.GetEnvironmentVariable("HAZUMU_GATEWAY_PROBLEM") is { Length: > 0 } problem ? $"gateway: {problem}" : null)
        ?? (ContainerCli.RunAsync("image", "inspect", Component.Gateway.Image).GetAwaiter().GetResult().Succeeded
            ? null
            : $"gateway: the image {Component.Gateway.Image} has not been built here"));

    /// <summary>Why there is no image, or <see langword="null"/> where there is one.</summary>
    public static string? NotBuilt => s_notBuilt.Value;

    /// <summary>Why the published application has no gateway here, or <see langword="null"/> where it has.</summary>
    public static string? Missing => Component.Gateway.Missing ?? NotBuilt;
}
