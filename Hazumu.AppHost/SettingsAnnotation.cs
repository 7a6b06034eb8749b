namespace Hazumu.AppHost;

/// <summary>Ties a resource to the settings it was made from.</summary>
/// <param name="Settings">The component's settings.</param>
internal sealed record SettingsAnnotation(ComponentOptions Settings) : IResourceAnnotation;
