namespace Aspire.Hosting.ApplicationModel;

/// <summary>
/// An Aspire resource that is an Alertmanager: it sends notifications of alerts, and suppresses those that only repeat
/// another.
/// </summary>
/// <param name="name">The name of the resource.</param>
public sealed class AlertmanagerResource(string name) : ContainerResource(name)
{
    internal const string PrimaryEndpointName = "http";

    private EndpointReference? _primaryEndpoint;

    /// <summary>Gets the endpoint that takes alerts and serves the page.</summary>
    public EndpointReference PrimaryEndpoint => _primaryEndpoint ??= new(this, PrimaryEndpointName);
}
