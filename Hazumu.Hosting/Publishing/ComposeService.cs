using Hazumu.Hosting.Containers;
using YamlDotNet.RepresentationModel;
using static Hazumu.Hosting.Publishing.ComposeFiles;

namespace Hazumu.Hosting.Publishing;

/// <summary>
/// Writes a component as a service of the Compose application, as far as every form of it has the same.
/// </summary>
internal static class ComposeService
{
    /// <summary>The service.</summary>
    /// <param name="component">The component.</param>
    public static YamlMappingNode Of(PublishedComponent component)
    {
        var service = new YamlMappingNode("image", Quoted(ComposeVariables.Image(component.Settings, component.Resource)));
        // Compose takes a dollar for a variable's beginning.
        AddList(service, "command", component.Arguments.Select(argument => Quoted(argument.IsReference ? argument.Text : argument.Text.Replace("$", "$$", StringComparison.Ordinal))));
        if (component.Resource is ContainerResource { Entrypoint: { } entrypoint })
        {
            AddList(service, "entrypoint", [Quoted(entrypoint)]);
        }

        AddMap(service, "environment", component.Environment.Select(variable => (variable.Key, (YamlNode)Quoted(variable.Value.Text))));
        AddList(service, "ports", component.Endpoints.Where(endpoint => !InternalEndpointAnnotation.Includes(component.Resource, endpoint)).Select(endpoint => Quoted(ComposeVariables.Port(component.Settings, endpoint))));
        AddList(service, "volumes", Mounts(component));
        // Compose's condition for what Aspire's WaitFor waits for.
        AddMap(service, "depends_on", component.Annotations<WaitAnnotation>().Select(wait => (wait.Resource.Name, (YamlNode)new YamlMappingNode("condition", Quoted("service_healthy")))));
        // Not "unless-stopped": an engine that was killed stops what it finds running at its next start, takes that for
        // a person's wish, and starts nothing again (moby/moby#41302); to be changed back when that is fixed.
        service.Add("restart", Quoted("always"));
        if (component.Annotations<ComposeHealthcheckAnnotation>().LastOrDefault() is { } health)
        {
            service.Add("healthcheck", new YamlMappingNode
            {
                { "test", new YamlSequenceNode(health.Command.Prepend("CMD").Select(Quoted)) },
                { "interval", Quoted("5s") },
                { "timeout", Quoted("5s") },
                { "retries", "6" },
                { "start_period", Quoted(health.StartPeriod) },
            });
        }

        AddMap(service, "labels", ContainerLabels.Of(component.Resource, component.Settings).Select(label => (label.Key, (YamlNode)Quoted(label.Value))));
        return service;
    }

    private static IEnumerable<YamlNode> Mounts(PublishedComponent component) =>
    [
        .. component.Annotations<ContainerMountAnnotation>().Select(mount => mount.Type == ContainerMountType.Volume
            ? Mount("volume", mount.Source!, mount.Target, mount.IsReadOnly)
            : throw new DistributedApplicationException($"'{component.Resource.Name}' mounts '{mount.Source}', a path of this machine; publish it with {nameof(PublishedMountsAnnotation)} or {nameof(PublishedFolderAnnotation)}.")),
        .. component.Annotations<PublishedMountsAnnotation>().SelectMany(host => host.Mounts).Select(mount => Mount("bind", mount.Source, mount.Target, isReadOnly: true)),
        .. component.Annotations<PublishedFolderAnnotation>().Where(folder => folder.Option is null).Select(folder => Mount("bind", $"./{folder.Name}", folder.Target, isReadOnly: true)),
    ];

    /// <summary>A mount.</summary>
    internal static YamlMappingNode Mount(string type, string source, string target, bool isReadOnly) => new()
    {
        { "type", Quoted(type) },
        { "target", Quoted(target) },
        { "source", Quoted(source) },
        { "read_only", ComponentOptions.Format(isReadOnly) },
    };

    private static void AddList(YamlMappingNode service, string key, IEnumerable<YamlNode> values)
    {
        if (new YamlSequenceNode(values) is { Children.Count: > 0 } list)
        {
            service.Add(key, list);
        }
    }

    private static void AddMap(YamlMappingNode service, string key, IEnumerable<(string Key, YamlNode Value)> values)
    {
        var map = new YamlMappingNode(values.Select(value => KeyValuePair.Create<YamlNode, YamlNode>(value.Key, value.Value)));
        if (map.Children.Count > 0)
        {
            service.Add(key, map);
        }
    }
}
