namespace Hazumu.AppHost.Publishing;

/// <summary>Paths of the host that a published container sees, read-only. Aspire would publish a bind mount's source as a blank variable.</summary>
/// <param name="Mounts">Source on the host and target in the container.</param>
internal sealed record PublishedMountsAnnotation(IReadOnlyList<(string Source, string Target)> Mounts) : IResourceAnnotation;
