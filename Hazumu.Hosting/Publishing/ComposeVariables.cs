using System.Globalization;

namespace Hazumu.Hosting.Publishing;

/// <summary>
/// Writes settings as Compose variables with the AppHost's own names and defaults, so that <c>Hazumu__Prometheus__Port</c> means
/// the same to both.
/// </summary>
internal sealed class ComposeVariables(ComponentOptions settings)
{
    private const string Prefix = HazumuOptions.SectionName;

    /// <summary>The image: an override, else the default below the common registry, or what Compose builds.</summary>
    public string Image(IResource resource)
    {
        if (resource.Annotations.OfType<PublishedBuildAnnotation>().LastOrDefault() is { } build)
        {
            return $"${{{Key(nameof(settings.Image))}:-{build.Image}}}";
        }

        return Image(resource.Annotations.OfType<ContainerImageAnnotation>().Last());
    }

    /// <summary>The same of an image that a registry has.</summary>
    public string Image(ContainerImageAnnotation image)
    {
        // Both: people read the tag, the engine takes the digest.
        var version = image.SHA256 is { } digest ? $"@sha256:{digest}"
            : ImageDigests.Of($"{image.Registry}/{image.Image}:{image.Tag}") is { } known ? $":{image.Tag}@{known}"
            : $":{image.Tag}";
        return $"${{{Key(nameof(settings.Image))}:-${{{Prefix}__{nameof(HazumuOptions.ImageRegistry)}:-{image.Registry}}}/{image.Image}{version}}}";
    }

    /// <summary>A published port. Only the component's own port has a setting; another instance's is fixed by AppHost.cs.</summary>
    public string Port(EndpointAnnotation endpoint)
    {
        var edge = settings as EdgeOptions;
        var port = endpoint.Port == settings.Port ? Setting(nameof(settings.Port), settings.Port)
            : edge is not null && endpoint.Port == edge.HttpPort ? Setting(nameof(edge.HttpPort), edge.HttpPort)
            : endpoint.Port?.ToString(CultureInfo.InvariantCulture);
        var address = edge is null
            ? $"${{{Prefix}__{nameof(HazumuOptions.BindAddress)}:-{settings.Host.BindAddress}}}"
            : Setting(nameof(edge.BindAddress), edge.BindAddress);
        return $"{address}:{port}:{endpoint.TargetPort}";
    }

    /// <summary>Gives a setting within an argument its variable: the retention, and the port in the address that people see.</summary>
    public string Argument(string argument) => argument switch
    {
        _ when settings is PrometheusOptions prometheus && argument.EndsWith($"retention.time={prometheus.Retention}", StringComparison.Ordinal) =>
            argument.Replace(prometheus.Retention, Setting(nameof(prometheus.Retention), prometheus.Retention), StringComparison.Ordinal),
        _ when argument.EndsWith($"//localhost:{settings.Port}/", StringComparison.Ordinal) =>
            argument.Replace($":{settings.Port}/", $":{Setting(nameof(settings.Port), settings.Port)}/", StringComparison.Ordinal),
        // Compose takes a dollar for a variable's beginning.
        _ => argument.Replace("$", "$$", StringComparison.Ordinal),
    };

    /// <summary>A setting's variable with its value as default: <c>${Hazumu__Ollama__Parallel:-1}</c>.</summary>
    /// <param name="name">The setting below the component's section.</param>
    /// <param name="value">Its value.</param>
    public string Setting(string name, object value) => $"${{{Key(name)}:-{Format(value)}}}";

    /// <summary>A value as Compose and .NET configuration both read it.</summary>
    public static string Format(object value) => value is bool flag ? (flag ? "true" : "false") : Convert.ToString(value, CultureInfo.InvariantCulture)!;

    private string Key(string name) => $"{Prefix}__{settings.Section}__{name}";
}
