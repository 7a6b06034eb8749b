namespace Hazumu.Hosting.Publishing;

/// <summary>An endpoint that a published application has inside its network only.</summary>
/// <param name="EndpointName">The endpoint's name; the chart's key of its port too.</param>
internal sealed record InternalEndpointAnnotation(string EndpointName) : IResourceAnnotation
{
    /// <summary>Whether an endpoint of a resource is internal.</summary>
    public static bool Includes(IResource resource, EndpointAnnotation endpoint) =>
        resource.Annotations.OfType<InternalEndpointAnnotation>().Any(annotation => annotation.EndpointName == endpoint.Name);
}
