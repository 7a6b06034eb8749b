namespace Hazumu.AppHost.Publishing;

/// <summary>Paths of the host that a published container sees, read-only. Aspire 13.5.2 would publish a bind mount's source as a blank variable; to be removed when it can publish the path.</summary>
/// <param name="Mounts">Source on the host and target in the container.</param>
internal sealed record PublishedMountsAnnotation(IReadOnlyList<(string Source, string Target)> Mounts) : IResourceAnnotation;
