namespace Aspire.Hosting.ApplicationModel;

/// <summary>An Aspire resource that is vLLM: an engine that serves one model of Hugging Face on NVIDIA's GPUs.</summary>
/// <param name="name">The name of the resource.</param>
public sealed class VllmResource(string name) : ContainerResource(name), IResourceWithConnectionString
{
    internal const string PrimaryEndpointName = "http";

    private EndpointReference? _primaryEndpoint;

    /// <summary>Gets the endpoint that serves the model and the metrics.</summary>
    public EndpointReference PrimaryEndpoint => _primaryEndpoint ??= new(this, PrimaryEndpointName);

    /// <summary>Gets the address in the form of an Ollama resource's: <c>Endpoint=http://…</c>.</summary>
    public ReferenceExpression ConnectionStringExpression =>
        ReferenceExpression.Create($"Endpoint={PrimaryEndpoint.Property(EndpointProperty.Scheme)}://{PrimaryEndpoint.Property(EndpointProperty.Host)}:{PrimaryEndpoint.Property(EndpointProperty.Port)}");
}
