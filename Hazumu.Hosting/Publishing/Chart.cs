using Hazumu.Hosting.Containers;
using YamlDotNet.RepresentationModel;
using static Hazumu.Hosting.Publishing.ComposeFiles;

namespace Hazumu.Hosting.Publishing;

/// <summary>
/// Writes into the Helm chart what the AppHost knows and the chart needs: the images (a section of <c>values.yaml</c>),
/// and below
/// <c>files</c> the configuration folders and each component's ports, arguments, variables and tasks. The templates are
/// written by hand.
/// </summary>
/// <remarks>
/// Aspire's own publisher for Kubernetes is no start: it throws for bind mounts (microsoft/aspire#9097), drops files of
/// containers, writes probes that the API server refuses (#18271), and knows no claims of a StatefulSet, network
/// policies, discovery or disruption budgets.
/// </remarks>
/// <param name="resolved">The graph's components.</param>
/// <param name="folder">The chart's folder.</param>
internal sealed class Chart(IReadOnlyList<PublishedComponent> resolved, string folder)
{
    private const string Begin = "# <images: made from the AppHost by ./hazumu publish>";
    private const string End = "# </images>";

    private const string Header = """
        # Generated from Hazumu.AppHost/AppHost.cs; do not edit. Change the AppHost and run: ./hazumu publish

        """;

    private readonly List<PublishedComponent> _components =
    [
        .. resolved
            // Further instances of a component are replicas there.
            .DistinctBy(component => component.Settings.Service)
            .OrderBy(component => component.Settings.Service, StringComparer.Ordinal),
    ];

    private IEnumerable<PublishedComponent> Charted => _components.Where(component => NotInChartAnnotation.Of(component.Resource) is null);

    /// <summary>Writes everything.</summary>
    /// <exception cref="DistributedApplicationException">The folder holds no chart.</exception>
    public async Task WriteAsync(CancellationToken cancellationToken)
    {
        var values = Path.Combine(folder, "values.yaml");
        if (!File.Exists(values))
        {
            throw new DistributedApplicationException($"'{folder}' contains no values.yaml; the output path of the step 'publish-chart' must be the chart's folder, deploy/kubernetes.");
        }

        await WriteFilesAsync(cancellationToken);
        await ComposeFiles.WriteAsync(Path.Combine(folder, "files", "components.yaml"), Header, Components(), cancellationToken);
        await File.WriteAllTextAsync(values, WithImages(await File.ReadAllTextAsync(values, cancellationToken)), cancellationToken);
    }

    private async Task WriteFilesAsync(CancellationToken cancellationToken)
    {
        var files = Path.Combine(folder, "files");
        if (Directory.Exists(files))
        {
            // A file that the AppHost no longer has must not live on here.
            Directory.Delete(files, recursive: true);
        }

        Directory.CreateDirectory(files);
        // Not the targets, which are discovered there.
        foreach (var (component, published) in _components.SelectMany(component => component.Annotations<PublishedFolderAnnotation>().Select(published => (component, published))).Where(one => !one.published.IsGenerated))
        {
            var elsewhere = NotInChartAnnotation.Of(component.Resource);
            foreach (var (name, contents) in (await published.ReadAsync(cancellationToken)).Where(file => elsewhere?.Files.Contains(file.Key) ?? !published.ForComposeAlone.Contains(file.Key)))
            {
                var file = Path.Combine(files, published.Name, name);
                Directory.CreateDirectory(Path.GetDirectoryName(file)!);
                await File.WriteAllTextAsync(file, contents, cancellationToken);
            }
        }
    }

    private YamlMappingNode Components()
    {
        var components = new YamlMappingNode();
        foreach (var component in Charted)
        {
            components.Add(component.Settings.Service, Component(component));
        }

        var elsewhere = new YamlMappingNode();
        foreach (var component in _components.Except(Charted))
        {
            elsewhere.Add(component.Settings.Service, Quoted(NotInChartAnnotation.Of(component.Resource)!.Instead));
        }

        return new YamlMappingNode
        {
            { "network", Quoted(_components[0].Settings.Host.Network) },
            { "components", components },
            { "elsewhere", elsewhere },
        };
    }

    private YamlMappingNode Component(PublishedComponent component)
    {
        var node = new YamlMappingNode();
        if (component.Annotations<PublishedChoiceAnnotation>().LastOrDefault() is { } choice)
        {
            foreach (var (key, _, port) in choice.Choices)
            {
                node.MappingAt("ports").Add(key, Number(port));
            }
        }
        else
        {
            foreach (var endpoint in component.Endpoints)
            {
                node.Add(InternalEndpointAnnotation.Includes(component.Resource, endpoint) ? endpoint.Name : "port", Number(endpoint.TargetPort!.Value));
            }
        }

        if (EngineAnnotation.KindOf(component.Resource) is { } engine)
        {
            node.Add("engine", Quoted(engine));
        }

        node.Add("reaches", new YamlSequenceNode(Reached(component).Select(service => new YamlScalarNode(service))));
        if (component.Resource is not ContainerResource)
        {
            // A project's variables say where the AppHost's other resources are.
            return node;
        }

        node.Add("args", new YamlSequenceNode(component.Arguments.Where(IsLiteral).Select(argument => Quoted(argument.Text))));
        var environment = node.MappingAt("environment");
        foreach (var (name, value) in component.Environment.Where(variable => IsLiteral(variable.Value)).OrderBy(variable => variable.Key, StringComparer.Ordinal))
        {
            environment.Add(name, Quoted(value.Text));
        }

        foreach (var task in component.Annotations<PublishedTaskAnnotation>())
        {
            node.MappingAt("tasks").Add(task.Name, new YamlSequenceNode(task.Command.Select(Quoted)));
        }

        return node;
    }

    // The network policies allow these connections and no others.
    private IEnumerable<string> Reached(PublishedComponent component) => component.Annotations<ResourceRelationshipAnnotation>()
        .Where(relationship => relationship.Type == "Reference")
        .SelectMany(relationship => Charted.Where(charted => charted.Resource == relationship.Resource))
        .Select(charted => charted.Settings.Service)
        .Distinct()
        .Order(StringComparer.Ordinal);

    // Not a setting, a parameter or another resource's address.
    private static bool IsLiteral(PublishedValue value) => !value.IsReference && !value.Text.Contains('{');

    private string WithImages(string values)
    {
        var (begin, end) = (values.IndexOf(Begin, StringComparison.Ordinal), values.IndexOf(End, StringComparison.Ordinal));
        if (begin < 0 || end < begin)
        {
            throw new DistributedApplicationException($"values.yaml of the chart has no lines '{Begin}' and '{End}', between which the images are written; restore them.");
        }

        var images = new YamlMappingNode();
        foreach (var (resource, settings, _, _) in Charted)
        {
            if (resource.Annotations.OfType<PublishedChoiceAnnotation>().LastOrDefault() is { } choice)
            {
                foreach (var (key, image, _) in choice.Choices)
                {
                    images.MappingAt(settings.Service).Add(key, Image(image));
                }

                continue;
            }

            var node = Image(resource.Annotations.OfType<ContainerImageAnnotation>().LastOrDefault());
            images.Add(settings.Service, node);
            foreach (var variant in resource.Annotations.OfType<PublishedVariantAnnotation>())
            {
                node.Add($"{variant.Suffix}Digest", Quoted(Digest(variant.ImageOf(resource))));
            }
        }

        foreach (var component in _components)
        {
            if (NotInChartAnnotation.Of(component.Resource)?.Image is { } name)
            {
                images.Add(name, Image(component.Resource.Annotations.OfType<ContainerImageAnnotation>().Last()));
            }
        }

        return $"{values[..begin]}{Begin}\n{Text(new YamlMappingNode("images", images))}{values[end..]}";
    }

    // A project's image is in no registry until it is pushed.
    private static YamlMappingNode Image(ContainerImageAnnotation? image) => new()
    {
        { "registry", Quoted(image?.Registry ?? "") },
        { "repository", Quoted(image?.Image ?? "") },
        { "tag", Quoted(image?.Tag ?? "") },
        { "digest", Quoted(image is null ? "" : Digest(image)) },
    };

    private static string Digest(ContainerImageAnnotation image) => image.SHA256 is { } digest ? $"sha256:{digest}" : ImageDigests.Of($"{image.Registry}/{image.Image}:{image.Tag}") ?? "";

    private static YamlScalarNode Number(int value) => new(ComponentOptions.Format(value));
}
