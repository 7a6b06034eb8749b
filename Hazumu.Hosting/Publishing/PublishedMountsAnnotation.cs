namespace Hazumu.Hosting.Publishing;

/// <summary>Paths of the host that a published container sees, read-only.</summary>
/// <param name="Mounts">Source on the host and target in the container.</param>
internal sealed record PublishedMountsAnnotation(IReadOnlyList<(string Source, string Target)> Mounts) : IResourceAnnotation;
