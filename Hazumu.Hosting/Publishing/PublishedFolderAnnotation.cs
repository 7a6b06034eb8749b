namespace Hazumu.Hosting.Publishing;

/// <summary>A folder that a published application has beside its Compose file.</summary>
/// <param name="Name">The folder's path relative to the Compose file.</param>
/// <param name="Target">Its path in the container, read-only.</param>
/// <param name="ReadAsync">The files' contents by relative path.</param>
/// <param name="IsGenerated">Whether the files are generated from the graph; the chart renders their content
/// itself.</param>
internal sealed record PublishedFolderAnnotation(string Name, string Target, Func<CancellationToken, Task<IReadOnlyDictionary<string, string>>> ReadAsync, bool IsGenerated = false) : IResourceAnnotation
{
    /// <summary>The files in it that the Compose application alone has, and not the chart.</summary>
    public IReadOnlyList<string> ForComposeAlone { get; init; } = [];

    /// <summary>
    /// The option, as in <see cref="PublishedOptionAnnotation"/>, with which this folder takes the place of the one
    /// with the same target.
    /// </summary>
    public string? Option { get; init; }
}
