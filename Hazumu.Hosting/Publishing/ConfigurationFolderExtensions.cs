using Hazumu.Hosting.Publishing;

namespace Aspire.Hosting;

/// <summary>Provides extension methods for configuration that containers read from a folder.</summary>
internal static class ConfigurationFolderExtensions
{
    // Beside the program: the package brings the folders along.
    private const string PackageFolder = "hazumu";

    /// <summary>
    /// Mounts a folder read-only; a published application gets a copy of it. Edits are seen by the running container,
    /// which a copy made at start would not allow.
    /// </summary>
    /// <typeparam name="T">The container resource.</typeparam>
    /// <param name="builder">The resource builder.</param>
    /// <param name="name">The folder's name among the configuration folders, and in a published application.</param>
    /// <param name="source">The folder, relative to the AppHost's; the configuration folder of that name unless
    /// given.</param>
    /// <param name="target">The absolute path in the container.</param>
    /// <param name="unpublished">A folder in it that the container has no use for, and a published application does not
    /// get.</param>
    /// <returns>The <see cref="IResourceBuilder{T}"/>.</returns>
    /// <exception cref="DistributedApplicationException">There is no such folder: the engine would create an empty
    /// one.</exception>
    public static IResourceBuilder<T> WithConfigurationFolder<T>(this IResourceBuilder<T> builder, string name, string? source, string target, string? unpublished = null) where T : ContainerResource
    {
        ArgumentNullException.ThrowIfNull(builder);

        var folder = builder.ApplicationBuilder.FindConfigurationFolder(name, source);
        return builder.ApplicationBuilder.ExecutionContext.IsRunMode
            ? builder.WithBindMount(folder, target, isReadOnly: true)
            : builder.WithAnnotation(new PublishedFolderAnnotation(name, target, _ => Task.FromResult<IReadOnlyDictionary<string, string>>(ReadFolder(folder, unpublished))));
    }

    /// <summary>
    /// Gives a published application a copy of a folder, for which a container that the AppHost runs has no use.
    /// </summary>
    /// <typeparam name="T">The container resource.</typeparam>
    /// <param name="builder">The resource builder.</param>
    /// <param name="name">The folder's name in a published application.</param>
    /// <param name="folder">The folder.</param>
    /// <param name="target">The absolute path in the container.</param>
    /// <param name="composeAlone">The files in it that the Compose application alone has, and not the chart.</param>
    public static IResourceBuilder<T> WithPublishedFolder<T>(this IResourceBuilder<T> builder, string name, string folder, string target, params IReadOnlyList<string> composeAlone) where T : ContainerResource =>
        builder.ApplicationBuilder.ExecutionContext.IsRunMode
            ? builder
            : builder.WithAnnotation(new PublishedFolderAnnotation(name, target, _ => Task.FromResult<IReadOnlyDictionary<string, string>>(ReadFolder(folder))) { ForComposeAlone = composeAlone });

    /// <summary>
    /// Finds a configuration folder: the source if given, else below <see cref="HazumuOptions.ConfigurationFolder"/> if
    /// that is set, else the package's.
    /// </summary>
    /// <param name="builder">The application's builder.</param>
    /// <param name="name">The folder's name.</param>
    /// <param name="source">The folder, relative to the AppHost's.</param>
    /// <returns>The absolute path.</returns>
    /// <exception cref="DistributedApplicationException">There is no such folder.</exception>
    public static string FindConfigurationFolder(this IDistributedApplicationBuilder builder, string name, string? source = null)
    {
        var root = builder.Configuration[$"{HazumuOptions.SectionName}:{nameof(HazumuOptions.ConfigurationFolder)}"] is { Length: > 0 } own
            ? Path.GetFullPath(own, builder.AppHostDirectory)
            : Path.Combine(AppContext.BaseDirectory, PackageFolder);
        var folder = source is null ? Path.Combine(root, name) : Path.GetFullPath(source, builder.AppHostDirectory);
        return Directory.Exists(folder)
            ? folder
            : throw new DistributedApplicationException($"The configuration folder '{folder}' does not exist; correct the path, or remove the setting to use the configuration of the package.");
    }

    /// <summary>Puts generated files into the container, and into a published application's folder.</summary>
    /// <typeparam name="T">The container resource.</typeparam>
    /// <param name="builder">The resource builder.</param>
    /// <param name="name">The folder's name in a published application.</param>
    /// <param name="target">The absolute path in the container.</param>
    /// <param name="generate">Makes the files, by name; called when all resources are known.</param>
    /// <param name="isInChart">Whether the chart gets them too, instead of finding out by itself what they say.</param>
    /// <param name="option">The option with which a published application has this folder in place of the one with the
    /// same target.</param>
    /// <returns>The <see cref="IResourceBuilder{T}"/>.</returns>
    public static IResourceBuilder<T> WithGeneratedFolder<T>(this IResourceBuilder<T> builder, string name, string target, Func<CancellationToken, Task<IReadOnlyDictionary<string, string>>> generate, bool isInChart = false, string? option = null) where T : ContainerResource =>
        builder.ApplicationBuilder.ExecutionContext.IsRunMode
            ? builder.WithContainerFiles(target, async (_, cancellationToken) => ToEntries(await generate(cancellationToken)))
            : builder.WithAnnotation(new PublishedFolderAnnotation(name, target, generate, IsGenerated: !isInChart) { Option = option });

    /// <summary>Reads the files of a folder and of those in it.</summary>
    /// <param name="folder">The folder.</param>
    /// <param name="except">A folder in it that is left out.</param>
    /// <returns>The files' contents by relative path.</returns>
    public static Dictionary<string, string> ReadFolder(string folder, string? except = null) =>
        Directory.EnumerateFiles(folder, "*", SearchOption.AllDirectories)
            .Select(file => Path.GetRelativePath(folder, file))
            .Where(file => except is null || !file.StartsWith(except + Path.DirectorySeparatorChar, StringComparison.Ordinal))
            .ToDictionary(file => file.Replace('\\', '/'), file => File.ReadAllText(Path.Combine(folder, file)));

    private static IEnumerable<ContainerFileSystemItem> ToEntries(IEnumerable<KeyValuePair<string, string>> files) => files
        .Select(file => (Path: file.Key.Split('/', 2), Contents: file.Value))
        .GroupBy(file => (Name: file.Path[0], IsFolder: file.Path.Length > 1))
        .Select(ContainerFileSystemItem (entry) => entry.Key.IsFolder
            ? new ContainerDirectory { Name = entry.Key.Name, Entries = ToEntries(entry.Select(file => KeyValuePair.Create(file.Path[1], file.Contents))) }
            : new ContainerFile { Name = entry.Key.Name, Contents = entry.Single().Contents });
}
