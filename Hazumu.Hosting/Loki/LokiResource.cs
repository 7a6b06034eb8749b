namespace Aspire.Hosting.ApplicationModel;

/// <summary>An Aspire resource that is a Loki: it keeps logs.</summary>
/// <param name="name">The name of the resource.</param>
public sealed class LokiResource(string name) : ContainerResource(name)
{
    internal const string PrimaryEndpointName = "http";

    private EndpointReference? _primaryEndpoint;

    /// <summary>Gets the endpoint that takes logs and answers queries.</summary>
    public EndpointReference PrimaryEndpoint => _primaryEndpoint ??= new(this, PrimaryEndpointName);
}
