namespace Aspire.Hosting.ApplicationModel;

/// <summary>An Aspire resource that is a node exporter: it measures the host.</summary>
/// <param name="name">The name of the resource.</param>
public sealed class NodeExporterResource(string name) : ContainerResource(name)
{
    internal const string PrimaryEndpointName = "http";

    private EndpointReference? _primaryEndpoint;

    /// <summary>Gets the endpoint that serves metrics.</summary>
    public EndpointReference PrimaryEndpoint => _primaryEndpoint ??= new(this, PrimaryEndpointName);
}
