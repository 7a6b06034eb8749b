using YamlDotNet.RepresentationModel;

namespace Hazumu.Hosting.Publishing;

/// <summary>What one form of the published Compose application has of a service that others, and the chart, do not.</summary>
/// <param name="IsDevelopment">Whether that is the development form, and not production's.</param>
/// <param name="Change">Writes into the service's part of the form's Compose file.</param>
internal sealed record PublishedFormAnnotation(bool IsDevelopment, Action<YamlMappingNode> Change) : IResourceAnnotation
{
    /// <summary>Names the further files of the development form.</summary>
    public const string Development = "development";

    /// <summary>Writes what a form has of a resource.</summary>
    public static void Apply(IResource resource, bool isDevelopment, YamlMappingNode service)
    {
        foreach (var form in resource.Annotations.OfType<PublishedFormAnnotation>().Where(form => form.IsDevelopment == isDevelopment))
        {
            form.Change(service);
        }
    }
}
