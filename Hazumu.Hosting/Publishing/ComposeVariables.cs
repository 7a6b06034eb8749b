using System.Globalization;

namespace Hazumu.Hosting.Publishing;

/// <summary>
/// Writes a component's image and ports with Compose variables of the AppHost's own names and defaults, so that
/// <c>Hazumu__Prometheus__Port</c> means the same to both.
/// </summary>
internal static class ComposeVariables
{
    /// <summary>
    /// The image: an override, else the default below the common registry, or the image that Compose builds.
    /// </summary>
    public static string Image(ComponentOptions settings, IResource resource) =>
        resource.Annotations.OfType<PublishedBuildAnnotation>().LastOrDefault() is { } build
            ? settings.Variable(nameof(settings.Image), build.Image)
            : Image(settings, resource.Annotations.OfType<ContainerImageAnnotation>().Last());

    /// <summary>The same for an image that a registry has.</summary>
    public static string Image(ComponentOptions settings, ContainerImageAnnotation image)
    {
        // Both: people read the tag, the engine takes the digest.
        var version = image.SHA256 is { } digest ? $"@sha256:{digest}"
            : ImageDigests.Of($"{image.Registry}/{image.Image}:{image.Tag}") is { } known ? $":{image.Tag}@{known}"
            : $":{image.Tag}";
        return settings.Variable(nameof(settings.Image), $"${{{HazumuOptions.SectionName}__{nameof(HazumuOptions.ImageRegistry)}:-{image.Registry}}}/{image.Image}{version}");
    }

    /// <summary>A published port. A port without a setting, such as a further instance's, is fixed.</summary>
    public static string Port(ComponentOptions settings, EndpointAnnotation endpoint)
    {
        var port = settings.Ports.Where(known => known.Port == endpoint.Port).Select(known => settings.Variable(known.Setting.Name, known.Port)).FirstOrDefault()
            ?? endpoint.Port?.ToString(CultureInfo.InvariantCulture);
        return $"{settings.Address.Variable}:{port}:{endpoint.TargetPort}";
    }
}
