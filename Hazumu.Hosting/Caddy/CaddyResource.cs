namespace Aspire.Hosting.ApplicationModel;

/// <summary>An Aspire resource that is a Caddy: the one door from outside.</summary>
/// <param name="name">The name of the resource.</param>
public sealed class CaddyResource(string name) : ContainerResource(name)
{
    internal const string PrimaryEndpointName = "https";
    internal const string RedirectEndpointName = "http";
}
