namespace Hazumu.Hosting.Publishing;

/// <summary>
/// A secret of a published container: a file of the host, which the container sees at <c>/run/secrets/{Name}</c>.
/// </summary>
/// <param name="Name">The secret's name.</param>
/// <param name="File">The file's path, relative to the Compose file's; or a variable for it.</param>
internal sealed record PublishedSecretAnnotation(string Name, string File) : IResourceAnnotation
{
    /// <summary>The folder with the secrets in containers.</summary>
    public const string Directory = "/run/secrets";

    /// <summary>
    /// An empty file, for a secret that there need not be: Compose cannot mount something only sometimes.
    /// </summary>
    public const string Nothing = "/dev/null";

    /// <summary>The secret's path in the container.</summary>
    public string Path => $"{Directory}/{Name}";

    /// <summary>Whether there has to be a file.</summary>
    public bool IsRequired { get; init; }
}
