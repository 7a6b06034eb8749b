namespace Aspire.Hosting.ApplicationModel;

/// <summary>
/// An Aspire resource that is a Valkey: the store by which several gateways choose the one that admits for all.
/// </summary>
/// <param name="name">The name of the resource.</param>
public sealed class ValkeyResource(string name) : ContainerResource(name)
{
    internal const string PrimaryEndpointName = "tcp";

    private EndpointReference? _primaryEndpoint;

    /// <summary>Gets the endpoint that clients connect to.</summary>
    public EndpointReference PrimaryEndpoint => _primaryEndpoint ??= new(this, PrimaryEndpointName);
}
