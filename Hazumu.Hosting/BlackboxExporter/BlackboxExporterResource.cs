namespace Aspire.Hosting.ApplicationModel;

/// <summary>An Aspire resource that is a Prometheus Blackbox exporter: it probes endpoints from outside.</summary>
/// <param name="name">The name of the resource.</param>
public sealed class BlackboxExporterResource(string name) : ContainerResource(name)
{
    internal const string PrimaryEndpointName = "http";

    private EndpointReference? _primaryEndpoint;

    /// <summary>Gets the endpoint that runs probes and serves metrics.</summary>
    public EndpointReference PrimaryEndpoint => _primaryEndpoint ??= new(this, PrimaryEndpointName);
}
