namespace Aspire.Hosting.ApplicationModel;

/// <summary>An Aspire resource that is a Grafana Alloy: it collects logs and sends them on.</summary>
/// <param name="name">The name of the resource.</param>
public sealed class AlloyResource(string name) : ContainerResource(name)
{
    internal const string PrimaryEndpointName = "http";

    private EndpointReference? _primaryEndpoint;

    /// <summary>Gets the endpoint of the page that shows what is collected.</summary>
    public EndpointReference PrimaryEndpoint => _primaryEndpoint ??= new(this, PrimaryEndpointName);
}
