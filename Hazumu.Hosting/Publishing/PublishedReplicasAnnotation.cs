namespace Hazumu.Hosting.Publishing;

/// <summary>
/// A published container of which there may be several: <c>docker compose up --scale</c>. The engine's DNS has the
/// address of each under the resource's name.
/// </summary>
internal sealed record PublishedReplicasAnnotation : IResourceAnnotation
{
    /// <summary>Whether there may be several of a resource's container in what is published.</summary>
    public static bool Of(IResource resource) => resource.Annotations.OfType<PublishedReplicasAnnotation>().Any();
}
