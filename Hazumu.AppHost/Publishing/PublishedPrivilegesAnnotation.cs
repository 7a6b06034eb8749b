namespace Hazumu.AppHost.Publishing;

/// <summary>The container is published privileged, unless the setting is off; then it has just these capabilities.</summary>
/// <param name="Capabilities">Names without the prefix CAP_.</param>
internal sealed record PublishedPrivilegesAnnotation(IReadOnlyList<string> Capabilities) : IResourceAnnotation;
