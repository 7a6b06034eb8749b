namespace Hazumu.Hosting.Settings;

/// <summary>Ties a resource to the settings it was made from.</summary>
/// <param name="Settings">The component's settings.</param>
internal sealed record SettingsAnnotation(ComponentOptions Settings) : IResourceAnnotation
{
    /// <summary>
    /// The settings a resource was made from; <see langword="null"/> where it is none of the graph's components.
    /// </summary>
    public static ComponentOptions? Of(IResource resource) => resource.Annotations.OfType<SettingsAnnotation>().LastOrDefault()?.Settings;
}
