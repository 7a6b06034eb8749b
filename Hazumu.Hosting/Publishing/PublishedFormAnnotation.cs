using YamlDotNet.RepresentationModel;

namespace Hazumu.Hosting.Publishing;

/// <summary>
/// A part of a service that only one form or option of the published Compose application has, and not the chart.
/// </summary>
/// <param name="Form"><see cref="Production"/>, <see cref="Development"/>, an option of
/// <see cref="PublishedOptionAnnotation"/>, or <c>development.OPTION</c>.</param>
/// <param name="Change">Writes into the service; the second argument holds all services of the same Compose
/// file.</param>
internal sealed record PublishedFormAnnotation(string Form, Action<YamlMappingNode, YamlMappingNode> Change) : IResourceAnnotation
{
    /// <summary>The form without further files.</summary>
    public const string Production = "production";

    /// <summary>The form for development; also a part of its files' names.</summary>
    public const string Development = "development";

    /// <summary>Writes a resource's part of a form.</summary>
    /// <param name="resource">The resource.</param>
    /// <param name="form">The form.</param>
    /// <param name="services">The services of the form's Compose file.</param>
    public static void Apply(IResource resource, string form, YamlMappingNode services)
    {
        foreach (var annotation in resource.Annotations.OfType<PublishedFormAnnotation>().Where(annotation => annotation.Form == form))
        {
            annotation.Change(services.MappingAt(resource.Name), services);
        }
    }
}
