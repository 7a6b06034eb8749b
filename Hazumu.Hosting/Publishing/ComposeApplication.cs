using System.Text;
using System.Text.RegularExpressions;
using YamlDotNet.RepresentationModel;
using static Hazumu.Hosting.Publishing.ComposeFiles;

namespace Hazumu.Hosting.Publishing;

/// <summary>
/// Writes the graph as a Compose application: the Compose files of each form and option, and the files beside them.
/// </summary>
/// <param name="components">The graph's components.</param>
/// <param name="folder">The folder to write to.</param>
/// <param name="scripts">The folder of the scripts and the README for a server.</param>
internal sealed partial class ComposeApplication(IReadOnlyList<PublishedComponent> components, string folder, string scripts)
{
    private const string FileName = "docker-compose.yaml";

    private const string Header = """
        # Generated from Hazumu.AppHost/AppHost.cs; do not edit. Change the AppHost and run: ./hazumu publish
        # For production, where only the edge has ports: sh secrets.sh, then docker compose up --detach --wait        Settings: .env.example
        # For development, where all have: docker compose -f docker-compose.yaml -f docker-compose.development.yaml up --detach --wait

        """;

    private readonly Dictionary<YamlNode, YamlNode> _optionalVolumes = [];
    private readonly List<IResource> _resources = [.. components.Select(component => component.Resource)];

    /// <summary>Writes everything.</summary>
    public async Task WriteAsync(CancellationToken cancellationToken)
    {
        Directory.CreateDirectory(folder);
        var root = CreateRoot();
        var development = new ComposeDevelopment(root, _resources);
        new ComposeProduction(root, _resources).Complete();
        var optional = TakeOptionalServices(root);
        TakeOptionalVolumes(root);
        await ComposeFiles.WriteAsync(Path.Combine(folder, FileName), Header, root, cancellationToken);

        await WriteFoldersAsync(cancellationToken);
        foreach (var (option, purpose) in PublishedOptionAnnotation.Purposes)
        {
            await WriteOptionAsync(option, purpose, OptionalServices(option, optional), cancellationToken);
        }

        await development.WriteAsync(folder, cancellationToken);
        CopySources();
        await WriteEnvironmentExampleAsync(cancellationToken);
    }

    // Exact names, as those of the AppHost's own containers: not the project's name before each.
    private YamlMappingNode CreateRoot()
    {
        var services = new YamlMappingNode();
        var volumes = new YamlMappingNode();
        foreach (var component in components)
        {
            var service = ComposeService.Of(component);
            services.Add(component.Resource.Name, service);
            foreach (var volume in VolumesOf(service).Select(volume => volume.ToString()))
            {
                volumes.Children[volume] = new YamlMappingNode { { "driver", Quoted("local") }, { "name", Quoted(volume) } };
            }
        }

        return new()
        {
            { "name", Quoted("hazumu") },
            { "services", services },
            {
                "networks",
                new YamlMappingNode
                {
                    { PublishedNetworksAnnotation.Backend, Network(components[0].Settings.Host.Network) },
                    { PublishedNetworksAnnotation.Edge, Network("hazumu-edge") },
                    { PublishedNetworksAnnotation.Exporters, Network("hazumu-exporters") },
                    { PublishedNetworksAnnotation.Logs, Network("hazumu-logs") },
                    { PublishedNetworksAnnotation.Cluster, Network("hazumu-cluster") },
                    { PublishedNetworksAnnotation.Sources, Network("hazumu-sources") },
                }
            },
            { "volumes", volumes },
        };
    }

    private static YamlMappingNode Network(string name) => new("driver", "bridge") { { "name", Quoted(name) } };

    private Dictionary<IResource, YamlMappingNode> TakeOptionalServices(YamlMappingNode root)
    {
        var services = (YamlMappingNode)root["services"];
        var optional = _resources
            .Where(resource => PublishedOptionAnnotation.Of(resource).Any())
            .ToDictionary(resource => resource, resource => (YamlMappingNode)services[resource.Name]);
        foreach (var resource in optional.Keys)
        {
            services.Children.Remove(new YamlScalarNode(resource.Name));
        }

        return optional;
    }

    // A server has neither a checkout nor .NET.
    private void CopySources()
    {
        if (Path.GetFullPath(folder) == scripts)
        {
            return;
        }

        foreach (var file in Directory.EnumerateFiles(scripts, "*.sh").Append(Path.Combine(scripts, "README.md")))
        {
            File.Copy(file, Path.Combine(folder, Path.GetFileName(file)), overwrite: true);
        }
    }

    private void TakeOptionalVolumes(YamlMappingNode root)
    {
        var used = ((YamlMappingNode)root["services"]).Children.Values.SelectMany(VolumesOf).ToHashSet();
        var volumes = root.MappingAt("volumes");
        foreach (var (name, volume) in volumes.Children.Where(entry => !used.Contains(entry.Key)).ToList())
        {
            volumes.Children.Remove(name);
            _optionalVolumes.Add(name, volume);
        }
    }

    private static IEnumerable<YamlNode> VolumesOf(YamlNode service) => ((YamlMappingNode)service).Children.TryGetValue("volumes", out var mounts)
        ? ((YamlSequenceNode)mounts).Where(mount => ((YamlScalarNode)mount["type"]).Value == "volume").Select(mount => mount["source"])
        : [];

    private async Task WriteFoldersAsync(CancellationToken cancellationToken)
    {
        foreach (var published in _resources.SelectMany(resource => resource.Annotations.OfType<PublishedFolderAnnotation>()))
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

        foreach (var published in _resources.SelectMany(resource => resource.Annotations.OfType<PublishedOptionalFileAnnotation>()))
        {
            await File.WriteAllTextAsync(Path.Combine(folder, published.Name), await published.ReadAsync(cancellationToken), cancellationToken);
        }

        foreach (var published in _resources.SelectMany(resource => resource.Annotations.OfType<PublishedBinaryAnnotation>()))
        {
            await File.WriteAllBytesAsync(Path.Combine(folder, published.Name), published.Contents, cancellationToken);
        }
    }

    // An option adds services of its own, and files and forms to the services that are always there.
    private YamlMappingNode OptionalServices(string option, Dictionary<IResource, YamlMappingNode> optional)
    {
        var services = new YamlMappingNode();
        foreach (var (resource, node) in optional)
        {
            if (PublishedOptionAnnotation.Of(resource).FirstOrDefault(other => other.Option == option) is not { } form)
            {
                continue;
            }

            var service = new YamlMappingNode(node.Children);
            services.Add(resource.Name, service);
            if (form.Image is { } image)
            {
                service.Children["image"] = Quoted(ComposeVariables.Image(SettingsAnnotation.Of(resource)!, image));
            }
        }

        foreach (var resource in _resources)
        {
            var files = resource.Annotations.OfType<PublishedOptionalFileAnnotation>().Where(file => file.Option == option).Select(file => (file.Name, file.Target));
            // Compose puts a mount in the place of the one with the same target.
            var folders = resource.Annotations.OfType<PublishedFolderAnnotation>().Where(folder => folder.Option == option).Select(folder => (folder.Name, folder.Target));
            foreach (var (name, target) in files.Concat(folders))
            {
                services.MappingAt(resource.Name).SequenceAt("volumes").Add(ComposeService.Mount("bind", $"./{name}", target, isReadOnly: true));
            }
        }

        foreach (var resource in _resources)
        {
            PublishedFormAnnotation.Apply(resource, option, services);
        }

        return services;
    }

    private Task WriteOptionAsync(string option, string purpose, YamlMappingNode services, CancellationToken cancellationToken)
    {
        var name = $"docker-compose.{option}.yaml";
        var root = new YamlMappingNode("services", services);
        foreach (var volume in services.Children.Values.SelectMany(VolumesOf))
        {
            root.MappingAt("volumes").Add(((YamlScalarNode)volume).Value!, _optionalVolumes[volume]);
        }

        return ComposeFiles.WriteAsync(
            Path.Combine(folder, name),
            $"# {purpose}\n# docker compose -f {FileName} -f {name} up --detach --wait\n",
            root,
            cancellationToken);
    }

    private async Task WriteEnvironmentExampleAsync(CancellationToken cancellationToken)
    {
        var files = Directory.EnumerateFiles(folder, "docker-compose*.yaml").Order(StringComparer.Ordinal).ToLookup(file => file.Contains(PublishedFormAnnotation.Development, StringComparison.Ordinal));
        var production = string.Concat(files[false].Select(File.ReadAllText));
        var development = string.Concat(files[true].Select(File.ReadAllText));

        var text = new StringBuilder()
            .Append("# Copy to .env and uncomment what you change. The same variables configure the AppHost.\n\n")
            .Append($"# The Compose files, with ':' between them, on Windows ';'. Further ones: {string.Join(", ", files[false].Select(file => Path.GetFileName(file)).Where(name => name != FileName))}\n")
            .Append("# (the first line of each names its purpose), left-out/docker-compose.yaml, which leave-out.sh writes, and files of your own.\n")
            .Append($"# COMPOSE_FILE={FileName}\n\n")
            .AppendJoin("", Settings().Where(setting => IsRead(production, setting)).Select(setting => DescribeInProduction(production, setting)))
            .Append("# The dashboards' administrator, sign-in by OIDC and address; the limits and logs of each container: docs/production.md.\n")
            .AppendJoin("", Others(production).Select(variable => $"# {variable.Name}={variable.Default}\n"))
            .Append("\n# --- Read only by the development form.\n\n")
            .AppendJoin("", Settings().Where(setting => !IsRead(production, setting) && IsRead(development, setting)).Select(Describe))
            .Append("# The administrator's password in that form, used at the first start of its volume. Keep .env out of version control.\n")
            .AppendJoin("", Others(development).Except(Others(production)).Select(variable => $"# {variable.Name}={variable.Default}\n"));
        await File.WriteAllTextAsync(Path.Combine(folder, ".env.example"), text.ToString(), cancellationToken);
    }

    private static IEnumerable<Setting> Settings() => SettingsReader.List(HazumuOptions.SectionName, new HazumuOptions());

    private static string Variable(Setting setting) => setting.Key.Replace(":", "__", StringComparison.Ordinal);

    private static bool IsRead(string compose, Setting setting) => compose.Contains($"${{{Variable(setting)}:-", StringComparison.Ordinal);

    // A port that is not published matters for the program's own links only (WithExternalUrl).
    private static string DescribeInProduction(string compose, Setting setting) =>
        setting.Key.EndsWith(":Port", StringComparison.Ordinal) && !compose.Contains($"}}:${{{Variable(setting)}:-", StringComparison.Ordinal)
            ? $"# Production does not publish the next port: there it is the local port of an SSH tunnel, to which links in notifications lead.\n{Describe(setting)}"
            : Describe(setting);

    private static string Describe(Setting setting) => setting.Default == "auto"
        // Compose cannot look at the host and decide.
        ? $"# {setting.Description.Split(';')[0]}; allowed: true, false.\n# {Variable(setting)}=true\n\n"
        : $"# {setting.Description}; allowed: {setting.Allowed}.\n# {Variable(setting)}={setting.Default}\n\n";

    // A default that consists of other variables is left out: it is no value.
    private static IEnumerable<(string Name, string Default)> Others(string compose) => OtherVariable().Matches(compose)
        .Select(match => (match.Groups["name"].Value, match.Groups["default"].Value is var value && value.Contains("${", StringComparison.Ordinal) ? "" : value))
        .Distinct()
        .OrderBy(variable => variable.Item1, StringComparer.Ordinal);

    [GeneratedRegex(@"\$\{(?<name>[A-Z][A-Z_]+):-(?<default>[^}]*)\}")]
    private static partial Regex OtherVariable();
}
