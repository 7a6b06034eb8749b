using System.Net;
using Hazumu.Hosting.Containers;
using Hazumu.Hosting.Preflight;
using Microsoft.Extensions.Configuration;

namespace Hazumu.Hosting.Networking;

/// <summary>How the graph's containers reach a project, which runs on this machine and not in a container.</summary>
/// <remarks>
/// Aspire's way is a tunnel: one more container, whose image DCP builds at first use from a base on mcr.microsoft.com
/// (microsoft/aspire#16615). It holds up the start, fails without internet, and gives another port at each start. With
/// Docker a container
/// needs none to reach its own host: by the host's end of the default bridge or, with Docker Desktop, by a way to the
/// host's loopback.
/// The tunnel is left to the rest: Podman, engines without root or on another machine.
/// </remarks>
/// <param name="HostName">The address of the project's name in a container, for the engine's <c>--add-host</c>;
/// <see langword="null"/> where the tunnel is used.</param>
/// <param name="Address">The address that the project has to listen on beside its own; <see langword="null"/> where its
/// own will do.</param>
/// <param name="Problem">Why containers do not reach it at all; <see langword="null"/> where they do.</param>
internal sealed record ContainerAccess(string? HostName = null, IPAddress? Address = null, string? Problem = null)
{
    /// <summary>Aspire's variable: <c>true</c> has the tunnel used where none is needed.</summary>
    public const string TunnelSetting = "ASPIRE_ENABLE_CONTAINER_TUNNEL";

    /// <summary>Aspire's own way.</summary>
    public static readonly ContainerAccess Tunnel = new();

    // The base image and the name of the image that DCP 0.25 builds for the tunnel.
    private const string BaseImage = "mcr.microsoft.com/azurelinux/base/core:3.0";
    private const string TunnelImage = "dcptun_developer_ms";

    /// <summary>Chooses; does not look yet whether the tunnel can be had.</summary>
    /// <param name="facts">The host.</param>
    /// <param name="configuration">The application's configuration.</param>
    public static ContainerAccess Choose(HostFacts facts, IConfiguration configuration) => facts switch
    {
        _ when bool.TryParse(configuration[TunnelSetting], out var isWanted) && isWanted => Tunnel,
        { IsDockerDesktop: true } => new("host-gateway"),
        { BridgeAddress: { } bridge } => new(bridge.ToString(), bridge),
        _ => Tunnel,
    };

    /// <summary>
    /// Chooses, and looks whether what was chosen can be had: without it, Aspire would try for minutes.
    /// </summary>
    public static async Task<ContainerAccess> ChooseAsync(HostFacts facts, IConfiguration configuration, ContainerEngine engine, CancellationToken cancellationToken)
    {
        var access = Choose(facts, configuration);
        return access == Tunnel ? access with { Problem = await FindTunnelProblemAsync(engine, cancellationToken) } : access;
    }

    /// <summary>Sets on each project how containers reach it.</summary>
    public static void Apply(ContainerAccess access, IEnumerable<IResource> resources)
    {
        foreach (var annotation in resources.SelectMany(resource => resource.Annotations.OfType<ContainerAccessAnnotation>()))
        {
            annotation.Access = access;
        }
    }

    private static async Task<string?> FindTunnelProblemAsync(ContainerEngine engine, CancellationToken cancellationToken)
    {
        var built = await engine.RunAsync(["images", "--quiet", TunnelImage], cancellationToken);
        if (built.StandardOutput.Trim().Length > 0 || (await engine.RunAsync(["image", "inspect", BaseImage], cancellationToken)).IsSuccess)
        {
            return null;
        }

        try
        {
            var pull = await engine.RunAsync(["pull", "--quiet", BaseImage], cancellationToken);
            return pull.IsSuccess ? null : $"the image {BaseImage}, which Aspire's tunnel is built on, cannot be pulled ({pull.StandardError.Trim()})";
        }
        catch (StartupProblemException)
        {
            // The registry is slow but not absent, which the engine would have reported: DCP waits minutes for it.
            return null;
        }
    }
}
