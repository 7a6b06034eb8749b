namespace Aspire.Hosting.ApplicationModel;

/// <summary>An Aspire resource that is a Grafana server.</summary>
/// <param name="name">The name of the resource.</param>
/// <param name="adminUser">The administrator's name.</param>
/// <param name="adminPassword">The administrator's password.</param>
public sealed class GrafanaResource(string name, ParameterResource adminUser, ParameterResource adminPassword) : ContainerResource(name)
{
    internal const string PrimaryEndpointName = "http";

    private EndpointReference? _primaryEndpoint;

    /// <summary>Gets the endpoint of the web page and the API.</summary>
    public EndpointReference PrimaryEndpoint => _primaryEndpoint ??= new(this, PrimaryEndpointName);

    /// <summary>Gets the parameter that holds the administrator's name.</summary>
    public ParameterResource AdminUser { get; } = adminUser;

    /// <summary>Gets the parameter that holds the administrator's password.</summary>
    public ParameterResource AdminPassword { get; } = adminPassword;
}
