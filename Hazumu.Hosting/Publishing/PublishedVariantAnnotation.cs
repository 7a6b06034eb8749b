namespace Hazumu.Hosting.Publishing;

/// <summary>A second image of a published resource, whose tag has a suffix: <c>0.32.15-rocm</c>.</summary>
/// <param name="Suffix">The suffix without its hyphen; in the chart the digest's key begins with it.</param>
internal sealed record PublishedVariantAnnotation(string Suffix) : IResourceAnnotation
{
    /// <summary>The image.</summary>
    /// <param name="resource">The resource.</param>
    public ContainerImageAnnotation ImageOf(IResource resource)
    {
        var image = resource.Annotations.OfType<ContainerImageAnnotation>().Last();
        return new() { Registry = image.Registry, Image = image.Image, Tag = $"{image.Tag}-{Suffix}" };
    }
}
