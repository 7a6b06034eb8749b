namespace Hazumu.Hosting.Networking;

/// <summary>On a project: the graph's containers reach it. How is decided before anything starts.</summary>
internal sealed class ContainerAccessAnnotation : IResourceAnnotation
{
    /// <summary>How; Aspire's way until it is decided.</summary>
    public ContainerAccess Access { get; set; } = ContainerAccess.Tunnel;

    /// <summary>
    /// How containers reach a resource; <see langword="null"/> where that is Aspire's business alone.
    /// </summary>
    public static ContainerAccess? Of(IResource resource) => resource.Annotations.OfType<ContainerAccessAnnotation>().LastOrDefault()?.Access;
}

/// <summary>On a container: it connects to an endpoint of a project.</summary>
/// <param name="Endpoint">The endpoint.</param>
internal sealed record ConnectsToProjectAnnotation(EndpointReference Endpoint) : IResourceAnnotation;
