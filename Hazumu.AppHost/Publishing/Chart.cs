using Hazumu.AppHost.Prometheus;
using Microsoft.Extensions.Logging.Abstractions;
using YamlDotNet.RepresentationModel;
using static Hazumu.AppHost.Publishing.ComposeFiles;

namespace Hazumu.AppHost.Publishing;

/// <summary>
/// Writes into the Helm chart what the AppHost knows and the chart needs: the images (a section of <c>values.yaml</c>), and below
/// <c>files</c> the configuration folders and each component's ports, arguments, variables and tasks. The templates are written by hand.
/// </summary>
/// <remarks>
/// Aspire has a publisher for Kubernetes, a preview in 13.5. What it writes could not be completed the way <see cref="ComposeApplication"/> completes a
/// Compose file: bind mounts throw (microsoft/aspire#9097), files of containers are dropped, probes are refused by the API server (#18271), and claims of a StatefulSet,
/// network policies, discovery and disruption budgets are unknown to it.
/// </remarks>
internal sealed class Chart(DistributedApplicationModel model, DistributedApplicationExecutionContext context, string folder)
{
    private const string Begin = "# <images: made from the AppHost by ./hazumu publish>";
    private const string End = "# </images>";

    private const string Header = """
        # Generated from Hazumu.AppHost/AppHost.cs; do not edit. Change the AppHost and run: ./hazumu publish

        """;

    /// <summary>Components that have no objects in the chart, and what a cluster has instead.</summary>
    private static readonly SortedDictionary<string, string> s_elsewhere = new(StringComparer.Ordinal)
    {
        ["edge"] = "the Ingress or the HTTPRoute, with certificates of cert-manager",
        ["cadvisor"] = "the kubelet's own cAdvisor",
        ["openwebui"] = "not in the chart: any chat page can be pointed at the gateway",
    };

    private readonly List<(IResource Resource, ComponentOptions Settings)> _components =
    [
        .. model.Resources
            .Select(resource => (Resource: resource, Settings: SettingsAnnotation.Of(resource)!))
            .Where(component => component.Settings is not null)
            // Further instances of Ollama are replicas there.
            .DistinctBy(component => component.Settings.Service)
            .OrderBy(component => component.Settings.Service, StringComparer.Ordinal),
    ];

    private IEnumerable<(IResource Resource, ComponentOptions Settings)> Charted => _components.Where(component => !s_elsewhere.ContainsKey(component.Settings.Service));

    /// <summary>Writes everything.</summary>
    /// <exception cref="DistributedApplicationException">The folder holds no chart.</exception>
    public async Task WriteAsync(CancellationToken cancellationToken)
    {
        var values = Path.Combine(folder, "values.yaml");
        if (!File.Exists(values))
        {
            throw new DistributedApplicationException($"'{folder}' holds no values.yaml; the output path of the step 'publish-chart' must be the chart's folder, deploy/kubernetes.");
        }

        await WriteFilesAsync(cancellationToken);
        await ComposeFiles.WriteAsync(Path.Combine(folder, "files", "components.yaml"), Header, await ComponentsAsync(cancellationToken), cancellationToken);
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
        foreach (var published in Charted.SelectMany(component => component.Resource.Annotations.OfType<PublishedFolderAnnotation>()).Where(published => !published.IsGenerated))
        {
            foreach (var (name, contents) in (await published.ReadAsync(cancellationToken)).Where(file => !published.ForComposeAlone.Contains(file.Key)))
            {
                var file = Path.Combine(files, published.Name, name);
                Directory.CreateDirectory(Path.GetDirectoryName(file)!);
                await File.WriteAllTextAsync(file, contents, cancellationToken);
            }
        }
    }

    private async Task<YamlMappingNode> ComponentsAsync(CancellationToken cancellationToken)
    {
        var components = new YamlMappingNode();
        foreach (var (resource, settings) in Charted)
        {
            components.Add(settings.Service, await ComponentAsync(resource, cancellationToken));
        }

        var elsewhere = new YamlMappingNode();
        foreach (var (_, settings) in _components.Except(Charted))
        {
            elsewhere.Add(settings.Service, Quoted(s_elsewhere[settings.Service]));
        }

        return new YamlMappingNode
        {
            { "network", Quoted(_components[0].Settings.Host.Network) },
            { "components", components },
            { "elsewhere", elsewhere },
        };
    }

    private async Task<YamlMappingNode> ComponentAsync(IResource resource, CancellationToken cancellationToken)
    {
        var node = new YamlMappingNode();
        if (resource is GpuExporterResource)
        {
            var ports = node.MappingAt("ports");
            foreach (var (name, image) in GpuExporters)
            {
                ports.Add(name, Number(image.Port));
            }
        }
        else
        {
            node.Add("port", Number(resource.Annotations.OfType<EndpointAnnotation>().Single().TargetPort!.Value));
        }

        node.Add("reaches", new YamlSequenceNode(Reached(resource).Select(service => new YamlScalarNode(service))));
        if (resource is not ContainerResource)
        {
            // A project's variables say where the AppHost's other resources are.
            return node;
        }

        var configuration = await ExecutionConfigurationBuilder.Create(resource)
            .WithArgumentsConfig()
            .WithEnvironmentVariablesConfig()
            .BuildAsync(context, NullLogger.Instance, cancellationToken);
        node.Add("args", new YamlSequenceNode(configuration.Arguments.Select(argument => argument.Value).Where(HoldsEverywhere).Select(Quoted)));
        var environment = node.MappingAt("environment");
        foreach (var (name, value) in configuration.EnvironmentVariables.Where(variable => HoldsEverywhere(variable.Value)).OrderBy(variable => variable.Key, StringComparer.Ordinal))
        {
            environment.Add(name, Quoted(value));
        }

        foreach (var task in resource.Annotations.OfType<PublishedTaskAnnotation>())
        {
            node.MappingAt("tasks").Add(task.Name, new YamlSequenceNode(task.Command.Select(Quoted)));
        }

        return node;
    }

    // The graph's references, but not to what somebody else probes for Prometheus: whom a component connects to, and no other may it reach there.
    private IEnumerable<string> Reached(IResource resource)
    {
        var targets = resource.Annotations.OfType<ScrapeTargetAnnotation>().ToLookup(IResource (target) => target.Endpoint.Resource);
        return resource.Annotations.OfType<ResourceRelationshipAnnotation>()
            .Select(relationship => relationship.Resource)
            .Where(other => !targets.Contains(other) || targets[other].Any(target => target.Prober is null))
            .SelectMany(other => Charted.Where(component => component.Resource == other))
            .Select(component => component.Settings.Service)
            .Distinct()
            .Order(StringComparer.Ordinal);
    }

    // Not a setting, a parameter or another resource's address, and not where this machine's people look.
    private static bool HoldsEverywhere(string value) =>
        !value.Contains("${", StringComparison.Ordinal) && !value.Contains('{') && !value.Contains("://localhost", StringComparison.Ordinal) && !value.Contains("retention", StringComparison.Ordinal);

    private static IEnumerable<(string Name, GpuExporterImage Image)> GpuExporters => [("amd", GpuExporterImage.Amd), ("dcgm", GpuExporterImage.NvidiaDcgm), ("smi", GpuExporterImage.NvidiaSmi)];

    private string WithImages(string values)
    {
        var (begin, end) = (values.IndexOf(Begin, StringComparison.Ordinal), values.IndexOf(End, StringComparison.Ordinal));
        if (begin < 0 || end < begin)
        {
            throw new DistributedApplicationException($"values.yaml of the chart has lost the lines '{Begin}' and '{End}', between which the images are.");
        }

        var images = new YamlMappingNode();
        foreach (var (resource, settings) in Charted)
        {
            if (resource is GpuExporterResource)
            {
                foreach (var (name, exporter) in GpuExporters)
                {
                    images.MappingAt(settings.Service).Add(name, Image(exporter.ToAnnotation()));
                }
            }
            else
            {
                var image = Image(resource.Annotations.OfType<ContainerImageAnnotation>().LastOrDefault());
                images.Add(settings.Service, image);
                if (resource is OllamaResource ollama)
                {
                    image.Add("rocmDigest", Quoted(Digest(RocmImage.Of(ollama))));
                }
            }
        }

        return $"{values[..begin]}{Begin}\n{Text(new YamlMappingNode("images", images))}{values[end..]}";
    }

    // A project's image is in no registry until somebody pushes it.
    private static YamlMappingNode Image(ContainerImageAnnotation? image) => new()
    {
        { "registry", Quoted(image?.Registry ?? "") },
        { "repository", Quoted(image?.Image ?? "") },
        { "tag", Quoted(image?.Tag ?? "") },
        { "digest", Quoted(image is null ? "" : Digest(image)) },
    };

    private static string Digest(ContainerImageAnnotation image) => image.SHA256 is { } digest ? $"sha256:{digest}" : ImageDigests.Of($"{image.Registry}/{image.Image}:{image.Tag}") ?? "";

    private static YamlScalarNode Number(int value) => new(ComposeVariables.Format(value));
}
