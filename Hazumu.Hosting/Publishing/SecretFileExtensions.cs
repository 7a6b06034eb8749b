using Hazumu.Hosting.Publishing;

namespace Aspire.Hosting;

/// <summary>
/// Provides extension methods for secrets that containers read from files, so that they are in no variable.
/// </summary>
internal static class SecretFileExtensions
{
    /// <summary>
    /// Gives a container a file of this machine; a published application has a secret whose path is a setting.
    /// </summary>
    /// <typeparam name="T">The container resource.</typeparam>
    /// <param name="builder">The resource builder.</param>
    /// <param name="name">The file's name below <c>/run/secrets</c>.</param>
    /// <param name="settings">The component's settings.</param>
    /// <param name="setting">The setting below the component's section.</param>
    /// <param name="path">The path, relative to the AppHost's folder; nothing is mounted without one. One of Compose's
    /// is relative to the Compose file's.</param>
    public static IResourceBuilder<T> WithSecretFile<T>(this IResourceBuilder<T> builder, string name, ComponentOptions settings, string setting, string? path) where T : ContainerResource
    {
        // The container reports a file that is empty or missing; and Compose recreates it for another path, which a
        // secret alone does not make it do.
        builder.WithEnvironment($"{name.ToUpperInvariant()}_FILE", settings, setting, path ?? "");
        if (builder.ApplicationBuilder.ExecutionContext.IsPublishMode)
        {
            return builder.WithAnnotation(new PublishedSecretAnnotation(name, settings.Variable(setting, PublishedSecretAnnotation.Nothing)));
        }

        return path is null ? builder : builder.WithBindMount(Path.GetFullPath(path, builder.ApplicationBuilder.AppHostDirectory), $"{PublishedSecretAnnotation.Directory}/{name}", isReadOnly: true);
    }

    /// <summary>
    /// A sentence for each file that is not there: the engine would quietly make a folder of its name.
    /// </summary>
    /// <param name="settings">The component's settings.</param>
    /// <param name="folder">The AppHost's folder.</param>
    /// <param name="files">Settings below the component's section, and their paths.</param>
    public static IEnumerable<string> FindMissingFiles(this ComponentOptions settings, string folder, params IEnumerable<(string Setting, string? Path)> files) =>
        FindMissingFiles($"{HazumuOptions.SectionName}:{settings.Section}", folder, files);

    /// <summary>A sentence for each file that is not there.</summary>
    /// <param name="section">The section of the settings.</param>
    /// <param name="folder">The AppHost's folder.</param>
    /// <param name="files">Settings below the section, and their paths.</param>
    public static IEnumerable<string> FindMissingFiles(string section, string folder, params IEnumerable<(string Setting, string? Path)> files) =>
        from file in files
        where file.Path is not null && !File.Exists(Path.GetFullPath(file.Path, folder))
        select $"'{section}:{file.Setting}' is '{file.Path}', but this file does not exist; correct the path.";
}
