namespace Hazumu.Hosting.Publishing;

/// <summary>
/// The only kind of resource whose ports the production form publishes; the development form, which publishes the
/// others', leaves it out.
/// </summary>
internal sealed record ProductionOnlyAnnotation : IResourceAnnotation
{
    /// <summary>Whether a resource has this annotation.</summary>
    public static bool Of(IResource resource) => resource.Annotations.OfType<ProductionOnlyAnnotation>().Any();
}
