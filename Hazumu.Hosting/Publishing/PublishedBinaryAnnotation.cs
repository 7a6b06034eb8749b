namespace Hazumu.Hosting.Publishing;

/// <summary>A file that is no text and lies beside the published Compose file.</summary>
/// <param name="Name">The file's name.</param>
/// <param name="Contents">Its bytes.</param>
internal sealed record PublishedBinaryAnnotation(string Name, byte[] Contents) : IResourceAnnotation;
