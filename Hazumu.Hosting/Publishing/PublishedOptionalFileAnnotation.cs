namespace Hazumu.Hosting.Publishing;

/// <summary>
/// A file that a published container has, read-only, only if an option of the application is used.
/// </summary>
/// <param name="Option">The option, as in <see cref="PublishedOptionAnnotation"/>.</param>
/// <param name="Name">The file's name beside the Compose file.</param>
/// <param name="Target">Its path in the container.</param>
/// <param name="ReadAsync">The file's contents; called when all resources are known.</param>
internal sealed record PublishedOptionalFileAnnotation(string Option, string Name, string Target, Func<CancellationToken, Task<string>> ReadAsync) : IResourceAnnotation;
