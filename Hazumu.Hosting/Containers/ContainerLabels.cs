namespace Hazumu.Hosting.Containers;

/// <summary>
/// The labels of every container. Queries use them, never container names: those differ between Aspire, Compose and
/// Kubernetes.
/// </summary>
internal static class ContainerLabels
{
    /// <summary>Names the service: <c>ollama</c>, whichever instance it is.</summary>
    public const string Service = "hazumu.service";

    /// <summary>Names the resource, so that a second Ollama can be distinguished from the first.</summary>
    public const string Instance = "hazumu.instance";

    /// <summary>Names the graph, by its network: two graphs on one engine must not be taken for one.</summary>
    public const string Network = "hazumu.network";

    /// <summary>Says that it is an engine, and of which kind: <c>ollama</c>, <c>llama-server</c>, <c>vllm</c>. Nothing else has it.</summary>
    public const string Engine = "hazumu.engine";

    /// <summary>All of them.</summary>
    public static readonly string[] All = [Service, Instance, Network, Engine];

    /// <summary>The labels of a resource's container.</summary>
    public static IReadOnlyDictionary<string, string> Of(IResource resource, ComponentOptions settings) =>
        Of(settings.Service, resource.Name, settings, EngineAnnotation.KindOf(resource));

    /// <summary>
    /// The labels of a container that does one thing for a component and ends. It is no instance of the component: its
    /// metrics must not count as such.
    /// </summary>
    public static IReadOnlyDictionary<string, string> OfTask(string name, ComponentOptions settings) => Of(name, name, settings);

    private static Dictionary<string, string> Of(string service, string instance, ComponentOptions settings, string? engine = null)
    {
        var labels = new Dictionary<string, string> { [Service] = service, [Instance] = instance, [Network] = settings.Host.Network };
        if (engine is not null)
        {
            labels[Engine] = engine;
        }

        return labels;
    }
}
