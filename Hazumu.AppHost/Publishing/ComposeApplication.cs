using YamlDotNet.Core;
using YamlDotNet.RepresentationModel;

namespace Hazumu.AppHost.Publishing;

/// <summary>Completes the folder that Aspire's Compose publisher has written: what its types cannot say, and the files beside it.</summary>
/// <remarks>
/// Each part can go when the publisher learns it (13.5.2, no issues there yet): <c>name:</c> of networks and volumes is not emitted (their Name is YamlIgnore in
/// Aspire.Hosting.Docker), <c>privileged</c> takes no variable, GPUs have no type, and files of a folder are not copied.
/// </remarks>
internal sealed class ComposeApplication(DistributedApplicationModel model, string folder)
{
    private const string FileName = "docker-compose.yaml";

    private const string Header = """
        # Generated from Hazumu.AppHost/AppHost.cs; do not edit. Change the AppHost and run: ./hazumu publish
        # Start: docker compose up --detach --wait        Settings: .env.example

        """;

    /// <summary>Writes everything.</summary>
    public async Task CompleteAsync(CancellationToken cancellationToken)
    {
        var resources = model.Resources.Where(resource => SettingsAnnotation.Of(resource) is not null).ToList();

        await CompleteComposeFileAsync(resources, cancellationToken);
        await WriteFoldersAsync(resources, cancellationToken);
        await WriteGpuOverridesAsync(resources.OfType<OllamaResource>().ToList(), cancellationToken);
        await WriteEnvironmentExampleAsync(cancellationToken);
    }

    private async Task CompleteComposeFileAsync(List<IResource> resources, CancellationToken cancellationToken)
    {
        var path = Path.Combine(folder, FileName);
        var yaml = new YamlStream();
        using (var reader = File.OpenText(path))
        {
            yaml.Load(reader);
        }

        var root = (YamlMappingNode)yaml.Documents[0].RootNode;
        root.Children.Insert(0, new YamlScalarNode("name"), Quoted("hazumu"));

        foreach (var (_, service) in (YamlMappingNode)root["services"])
        {
            // One network for all is what Compose's "default" is for.
            ((YamlMappingNode)service).Children.Remove(new YamlScalarNode("networks"));
        }

        foreach (var resource in resources)
        {
            var service = (YamlMappingNode)root["services"][resource.Name];
            if (resource.Annotations.OfType<PublishedPrivilegesAnnotation>().Any())
            {
                var section = SettingsAnnotation.Of(resource)!.Section;
                service.Add("privileged", $"${{Hazumu__{section}__Privileged:-true}}");
            }
        }

        var network = SettingsAnnotation.Of(resources[0])!.Host.Network;
        var driver = new YamlMappingNode("driver", "bridge") { { "name", Quoted(network) } };
        root.Children[new YamlScalarNode("networks")] = new YamlMappingNode("default", driver);

        if (root.Children.TryGetValue(new YamlScalarNode("volumes"), out var volumes))
        {
            foreach (var (key, volume) in (YamlMappingNode)volumes)
            {
                ((YamlMappingNode)volume).Add("name", Quoted(((YamlScalarNode)key).Value!));
            }
        }

        using var text = new StringWriter { NewLine = "\n" };
        yaml.Save(text, assignAnchors: false);
        await File.WriteAllTextAsync(path, Header + text.ToString().TrimEnd('.', '\n', '\r') + "\n", cancellationToken);
    }

    private static YamlScalarNode Quoted(string value) => new(value) { Style = ScalarStyle.DoubleQuoted };

    private async Task WriteFoldersAsync(List<IResource> resources, CancellationToken cancellationToken)
    {
        foreach (var published in resources.SelectMany(resource => resource.Annotations.OfType<PublishedFolderAnnotation>()))
        {
            var target = Path.Combine(folder, published.Name);
            if (Directory.Exists(target))
            {
                // A file that the AppHost no longer has must not live on here.
                Directory.Delete(target, recursive: true);
            }

            foreach (var (name, contents) in await published.ReadAsync(cancellationToken))
            {
                var file = Path.Combine(target, name);
                Directory.CreateDirectory(Path.GetDirectoryName(file)!);
                await File.WriteAllTextAsync(file, contents, cancellationToken);
            }
        }
    }

    private async Task WriteGpuOverridesAsync(List<OllamaResource> instances, CancellationToken cancellationToken)
    {
        if (instances.Count == 0)
        {
            return;
        }

        await WriteAsync("docker-compose.nvidia.yaml", "Gives Ollama the NVIDIA GPUs; needs the NVIDIA Container Toolkit.", _ => """
                deploy:
                  resources:
                    reservations:
                      devices:
                        - driver: "nvidia"
                          count: "all"
                          capabilities: ["gpu"]
            """);
        await WriteAsync("docker-compose.amd.yaml", "Gives Ollama the AMD GPUs, by way of ROCm.", instance => $"""
                image: "{AmdImage(instance)}"
                devices:
                  - "/dev/kfd"
                  - "/dev/dri"
            """);

        async Task WriteAsync(string name, string purpose, Func<OllamaResource, string> service)
        {
            var services = string.Join("\n", instances.Select(instance => $"  {instance.Name}:\n{service(instance)}"));
            await File.WriteAllTextAsync(
                Path.Combine(folder, name),
                $"# {purpose}\n# docker compose -f {FileName} -f {name} up --detach --wait\nservices:\n{services}\n".ReplaceLineEndings("\n"),
                cancellationToken);
        }
    }

    // As the Toolkit's WithGPUSupport(AMD) does in run mode.
    private static string AmdImage(OllamaResource instance)
    {
        var image = instance.Annotations.OfType<ContainerImageAnnotation>().Last();
        return new ComposeVariables(SettingsAnnotation.Of(instance)!)
            .Image(instance)
            .Replace($":{image.Tag}}}", $":{image.Tag}-rocm}}", StringComparison.Ordinal);
    }

    private async Task WriteEnvironmentExampleAsync(CancellationToken cancellationToken)
    {
        var compose = await File.ReadAllTextAsync(Path.Combine(folder, FileName), cancellationToken);
        var lines = SettingsReader.List(HazumuOptions.SectionName, new HazumuOptions())
            .Select(setting => (Variable: setting.Key.Replace(":", "__", StringComparison.Ordinal), setting))
            .Where(entry => compose.Contains($"${{{entry.Variable}:-", StringComparison.Ordinal))
            .Select(entry => entry.setting.Default == "auto"
                // Compose cannot look at the host and decide.
                ? $"# {entry.setting.Description.Split(';')[0]}; allowed: true, false.\n# {entry.Variable}=true\n"
                : $"# {entry.setting.Description}; allowed: {entry.setting.Allowed}.\n# {entry.Variable}={entry.setting.Default}\n");

        const string Head = "# Copy to .env and uncomment what you change. The same variables configure the AppHost.\n\n";
        const string Grafana = "# The administrator of Grafana, taken on the first start of its volume. Keep .env out of version control.\n# GRAFANA_ADMIN_USER=\n# GRAFANA_ADMIN_PASSWORD=\n";
        await File.WriteAllTextAsync(Path.Combine(folder, ".env.example"), Head + string.Join("\n", lines) + "\n" + Grafana, cancellationToken);
    }
}
