namespace Hazumu.Hosting.Publishing;

/// <summary>
/// Which networks a published container joins; one without this annotation joins the backend's alone.
/// </summary>
/// <param name="Names">Of <see cref="Backend"/>, <see cref="Edge"/>, <see cref="Exporters"/>, <see cref="Logs"/>,
/// <see cref="Cluster"/> and <see cref="Sources"/>.</param>
internal sealed record PublishedNetworksAnnotation(params IReadOnlyList<string> Names) : IResourceAnnotation
{
    /// <summary>The network of those that have none of their own: Compose's default one.</summary>
    public const string Backend = "default";

    /// <summary>The network of the edge and of what it passes requests to.</summary>
    public const string Edge = "edge";

    /// <summary>
    /// The network of those that see the host, and of Prometheus, the only one that has to reach them.
    /// </summary>
    public const string Exporters = "exporters";

    /// <summary>The network of what collects logs, with where it sends them and with Prometheus.</summary>
    public const string Logs = "logs";

    /// <summary>The network of several gateways and the store that they share.</summary>
    public const string Cluster = "cluster";

    /// <summary>The network of the edge and of the data sources that Grafana reaches through it only.</summary>
    public const string Sources = "sources";
}
