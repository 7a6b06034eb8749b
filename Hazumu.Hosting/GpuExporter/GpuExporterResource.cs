namespace Aspire.Hosting.ApplicationModel;

/// <summary>An Aspire resource that is an exporter of GPU metrics, NVIDIA's or AMD's as the host has it.</summary>
/// <param name="name">The name of the resource.</param>
public sealed class GpuExporterResource(string name) : ContainerResource(name)
{
    internal const string PrimaryEndpointName = "http";

    private EndpointReference? _primaryEndpoint;

    /// <summary>Gets the endpoint that serves metrics.</summary>
    public EndpointReference PrimaryEndpoint => _primaryEndpoint ??= new(this, PrimaryEndpointName);
}
