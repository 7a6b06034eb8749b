namespace Aspire.Hosting.ApplicationModel;

/// <summary>An Aspire resource that is Hazumu's gateway as a container.</summary>
/// <param name="name">The name of the resource.</param>
public sealed class HazumuGatewayResource(string name) : ContainerResource(name)
{
    internal const string PrimaryEndpointName = "http";

    private EndpointReference? _primaryEndpoint;

    /// <summary>Gets the endpoint for clients.</summary>
    public EndpointReference PrimaryEndpoint => _primaryEndpoint ??= new(this, PrimaryEndpointName);
}
