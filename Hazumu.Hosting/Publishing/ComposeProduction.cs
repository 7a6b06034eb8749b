using System.Globalization;
using Hazumu.Hosting.Containers;
using YamlDotNet.RepresentationModel;
using static Hazumu.Hosting.Publishing.ComposeFiles;

namespace Hazumu.Hosting.Publishing;

/// <summary>
/// Makes a Compose file what production wants: confined containers, secrets as files, two networks, and no port but the
/// edge's.
/// </summary>
/// <param name="root">The Compose file.</param>
/// <param name="resources">The resources whose services it has.</param>
internal sealed class ComposeProduction(YamlMappingNode root, IReadOnlyList<IResource> resources)
{
    private const string VolumeTarget = "/volume";

    private readonly YamlMappingNode _services = (YamlMappingNode)root["services"];

    /// <summary>Completes every service.</summary>
    public void Complete()
    {
        foreach (var resource in resources)
        {
            var service = (YamlMappingNode)_services[resource.Name];
            PublishedFormAnnotation.Apply(resource, PublishedFormAnnotation.Production, _services);
            JoinNetworks(resource, service);
            Confine(resource, service);
            MountSecrets(service, resource.Annotations.OfType<PublishedSecretAnnotation>());
            AddTasks(resource, service);
            if (!ProductionOnlyAnnotation.Of(resource))
            {
                service.Children.Remove(new YamlScalarNode("ports"));
            }
        }

        foreach (var resource in resources.Where(resource => ConfinementOf(resource).TakesVolume))
        {
            GiveVolume(resource, (YamlMappingNode)_services[resource.Name]);
        }
    }

    /// <summary>The name of the service that gives a resource's volume to its user, where one does.</summary>
    /// <param name="resource">The resource.</param>
    public static string VolumeService(IResource resource) => $"{resource.Name}-volume";

    private static PublishedConfinementAnnotation ConfinementOf(IResource resource) =>
        resource.Annotations.OfType<PublishedConfinementAnnotation>().LastOrDefault()
        ?? throw new DistributedApplicationException($"'{resource.Name}' does not declare the privileges of its published container; add a {nameof(PublishedConfinementAnnotation)}.");

    private static void JoinNetworks(IResource resource, YamlMappingNode service)
    {
        if (resource.Annotations.OfType<PublishedNetworksAnnotation>().LastOrDefault() is { } networks)
        {
            service.Add("networks", new YamlSequenceNode(networks.Names.Select(name => new YamlScalarNode(name))));
        }
    }

    private static void Confine(IResource resource, YamlMappingNode service)
    {
        var confinement = ConfinementOf(resource);
        service.Add("user", Quoted(confinement.User));
        service.Add("read_only", "true");
        if (confinement.WritesTo.Count > 0)
        {
            service.Add("tmpfs", List([.. confinement.WritesTo]));
        }

        Restrict(service, confinement.Capabilities);

        var name = SettingsAnnotation.Of(resource)!.Section.ToUpperInvariant();
        if (confinement.StopSeconds is { } seconds)
        {
            service.Add("stop_grace_period", Quoted($"${{{name}_STOP_LIMIT:-{seconds.ToString(CultureInfo.InvariantCulture)}s}}"));
        }

        service.MappingAt("deploy").MappingAt("resources").Add("limits", new YamlMappingNode
        {
            { "memory", Quoted($"${{{name}_MEMORY_LIMIT:-{confinement.Memory}}}") },
            { "cpus", Quoted($"${{{name}_CPU_LIMIT:-{confinement.Cpus}}}") },
            { "pids", $"${{{name}_PID_LIMIT:-{confinement.Pids.ToString(CultureInfo.InvariantCulture)}}}" },
        });
    }

    private static void Restrict(YamlMappingNode service, IReadOnlyList<string> capabilities)
    {
        service.Add("cap_drop", List("ALL"));
        if (capabilities.Count > 0)
        {
            service.Add("cap_add", List([.. capabilities]));
        }

        service.Add("security_opt", List("no-new-privileges:true"));
        service.Add("logging", new YamlMappingNode
        {
            { "driver", Quoted("json-file") },
            { "options", new YamlMappingNode { { "max-size", Quoted("${LOG_MAX_SIZE:-10m}") }, { "max-file", Quoted("${LOG_MAX_FILES:-5}") } } },
        });
    }

    private void MountSecrets(YamlMappingNode service, IEnumerable<PublishedSecretAnnotation> secrets)
    {
        foreach (var secret in secrets)
        {
            service.SequenceAt("secrets").Add(Quoted(secret.Name));
            root.MappingAt("secrets").Children[secret.Name] = new YamlMappingNode { { "file", Quoted(secret.File) } };
        }
    }

    private void AddTasks(IResource resource, YamlMappingNode service)
    {
        foreach (var task in resource.Annotations.OfType<PublishedTaskAnnotation>())
        {
            var node = new YamlMappingNode
            {
                { "image", service["image"] },
                { "entrypoint", List([.. task.Command]) },
                { "environment", new YamlMappingNode(task.Variables.Select(name => KeyValuePair.Create<YamlNode, YamlNode>(name, service["environment"][name]))) },
                { "user", service["user"] },
                { "read_only", "true" },
                { "profiles", List(task.Name) },
                { "restart", Quoted("no") },
                { "labels", Labels(task.Name, resource) },
                { "volumes", new YamlSequenceNode(((YamlSequenceNode)service["volumes"]).Where(mount => mount["type"].ToString() == "bind")) },
            };
            Restrict(node, []);
            MountSecrets(node, task.Secrets);
            _services.Add(task.Name, node);
        }
    }

    // Only this container may change owners, and it has neither a network nor anything else to do.
    private void GiveVolume(IResource resource, YamlMappingNode service)
    {
        var helper = new YamlMappingNode
        {
            { "image", service["image"] },
            { "entrypoint", List("chown", "-R", ConfinementOf(resource).User, VolumeTarget) },
            { "user", Quoted(PublishedConfinementAnnotation.Root) },
            { "read_only", "true" },
            { "network_mode", Quoted("none") },
            { "restart", Quoted("no") },
            { "labels", Labels(VolumeService(resource), resource) },
            { "volumes", new YamlSequenceNode(((YamlSequenceNode)service["volumes"]).Where(mount => mount["type"].ToString() == "volume").Select(mount => new YamlMappingNode
                {
                    { "type", Quoted("volume") },
                    { "target", Quoted(VolumeTarget) },
                    { "source", mount["source"] },
                })) },
        };
        Restrict(helper, ["CHOWN", "DAC_READ_SEARCH"]);
        _services.Add(VolumeService(resource), helper);
        service.MappingAt("depends_on").Add(VolumeService(resource), new YamlMappingNode("condition", Quoted("service_completed_successfully")));
    }

    private static YamlMappingNode Labels(string name, IResource resource) =>
        new(ContainerLabels.OfTask(name, SettingsAnnotation.Of(resource)!).Select(label => KeyValuePair.Create<YamlNode, YamlNode>(label.Key, Quoted(label.Value))));

    private static YamlSequenceNode List(params string[] values) => new(values.Select(Quoted));
}
