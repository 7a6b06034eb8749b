namespace Hazumu.AppHost.Publishing;

/// <summary>The container is published privileged, unless its setting is off; then it has no capability at all.</summary>
internal sealed record PublishedPrivilegesAnnotation : IResourceAnnotation;
