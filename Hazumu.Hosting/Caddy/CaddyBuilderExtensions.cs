using Aspire.Hosting.Utils;
using Hazumu.Hosting.Networking;
using Hazumu.Hosting.Publishing;

namespace Aspire.Hosting;

/// <summary>Provides extension methods for adding Caddy, as the edge, to the application model.</summary>
public static class CaddyBuilderExtensions
{
    private const string ConfigurationDirectory = "/etc/caddy";
    private const string DataDirectory = "/data";
    private const string HealthPath = "/edge-health";
    private const int HttpPort = 8080;
    private const int HttpsPort = 8443;

    /// <summary>Adds a Caddy that ends TLS and passes requests on.</summary>
    /// <remarks>This version defaults to the <inheritdoc cref="CaddyContainerImageTags.Tag"/> tag of the
    /// <inheritdoc cref="CaddyContainerImageTags.Image"/> container image.</remarks>
    /// <param name="builder">The <see cref="IDistributedApplicationBuilder"/>.</param>
    /// <param name="name">The name of the resource.</param>
    /// <param name="settings">The settings.</param>
    /// <returns>The <see cref="IResourceBuilder{T}"/>.</returns>
    /// <exception cref="StartupProblemException">A file of the certificate is not there; in a published application the
    /// container says so.</exception>
    public static IResourceBuilder<CaddyResource> AddCaddy(this IDistributedApplicationBuilder builder, [ResourceName] string name, EdgeOptions settings)
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentNullException.ThrowIfNull(name);
        ArgumentNullException.ThrowIfNull(settings);

        if (settings.Enabled && builder.ExecutionContext.IsRunMode)
        {
            StartupProblemException.ThrowIfAny([.. settings.FindMissingFiles(
                builder.AppHostDirectory,
                (nameof(settings.CertificateFile), settings.CertificateFile),
                (nameof(settings.KeyFile), settings.KeyFile))]);
        }

        return builder.AddResource(new CaddyResource(name))
            .WithImage(CaddyContainerImageTags.Image, CaddyContainerImageTags.Tag)
            .WithImageRegistry(CaddyContainerImageTags.Registry)
            // No low ports: its user may not bind those on every engine.
            .WithHttpsEndpoint(port: settings.Port, targetPort: HttpsPort, name: CaddyResource.PrimaryEndpointName)
            .WithHttpEndpoint(port: settings.HttpPort, targetPort: HttpPort, name: CaddyResource.RedirectEndpointName)
            .WithUrlForEndpoint(CaddyResource.PrimaryEndpointName, url => url.DisplayText = "Edge")
            .WithIconName("DoorArrowRight")
            .WithHttpHealthCheck(HealthPath, endpointName: CaddyResource.RedirectEndpointName)
            .WithComposeHttpHealthcheck(HttpPort, HealthPath)
            // The script looks at the settings, and becomes Caddy.
            .WithEntrypoint("/bin/sh")
            .WithArgs($"{ConfigurationDirectory}/start.sh")
            .WithEnvironment("EDGE_HOST", settings, nameof(settings.Name), settings.Name)
            .WithEnvironment("EDGE_GRAFANA_HOST", settings, nameof(settings.GrafanaName), settings.GrafanaName ?? "")
            .WithEnvironment("EDGE_PORT", settings, nameof(settings.Port), settings.Port)
            .WithEnvironment("EDGE_TLS", settings, nameof(settings.Tls), settings.Tls.ToString().ToLowerInvariant())
            .WithEnvironment("EDGE_ACME_EMAIL", settings, nameof(settings.AcmeEmail), settings.AcmeEmail ?? "")
            .WithEnvironment("EDGE_ALLOW_GATEWAY", settings, nameof(settings.AllowGateway), settings.AllowGateway)
            .WithEnvironment("EDGE_ALLOW_GRAFANA", settings, nameof(settings.AllowGrafana), settings.AllowGrafana)
            .WithEnvironment("EDGE_MAX_BODY", settings, nameof(settings.MaxBody), settings.MaxBody)
            .WithSecretFile("edge_certificate", settings, nameof(settings.CertificateFile), settings.CertificateFile)
            .WithSecretFile("edge_key", settings, nameof(settings.KeyFile), settings.KeyFile)
            .WithAnnotation(new ProductionOnlyAnnotation())
            .WithAnnotation(new NotInChartAnnotation("the Ingress or the HTTPRoute, with certificates of cert-manager") { Image = "sources", Files = ["sources.Caddyfile"] })
            .WithAnnotation(new PublishedNetworksAnnotation(PublishedNetworksAnnotation.Edge, PublishedNetworksAnnotation.Sources))
            .WithAnnotation(new PublishedConfinementAnnotation("65532:65532", Memory: "512m", Cpus: "1", Pids: 200)
            {
                TakesVolume = true,
                // The program's file demands it in the official image: without it the kernel does not run the program
                // at all.
                Capabilities = ["NET_BIND_SERVICE"],
            });
    }

    /// <summary>Mounts the folder that holds <c>Caddyfile</c> and <c>start.sh</c>, read-only.</summary>
    /// <param name="builder">The resource builder.</param>
    /// <param name="source">The folder, relative to the AppHost's; the package's own unless given.</param>
    /// <returns>The <see cref="IResourceBuilder{T}"/>.</returns>
    public static IResourceBuilder<CaddyResource> WithConfiguration(this IResourceBuilder<CaddyResource> builder, string? source = null) =>
        builder.WithConfigurationFolder("caddy", source, ConfigurationDirectory);

    /// <summary>Keeps certificates, and Caddy's own authority, in a named volume.</summary>
    /// <param name="builder">The resource builder.</param>
    /// <param name="name">The volume's exact name; generated from the application's and the resource's name unless
    /// given.</param>
    /// <returns>The <see cref="IResourceBuilder{T}"/>.</returns>
    public static IResourceBuilder<CaddyResource> WithDataVolume(this IResourceBuilder<CaddyResource> builder, string? name = null)
    {
        ArgumentNullException.ThrowIfNull(builder);

        return builder.WithVolume(name ?? VolumeNameGenerator.Generate(builder, "data"), DataDirectory);
    }

    /// <summary>Has requests for models go to the gateway.</summary>
    /// <param name="builder">The resource builder.</param>
    /// <param name="gateway">The gateway.</param>
    /// <returns>The <see cref="IResourceBuilder{T}"/>.</returns>
    public static IResourceBuilder<CaddyResource> WithGateway(this IResourceBuilder<CaddyResource> builder, IResourceBuilder<IResourceWithEndpoints> gateway)
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentNullException.ThrowIfNull(gateway);

        if (builder.ApplicationBuilder.Resources.Contains(gateway.Resource))
        {
            builder.StartAfter(gateway);
        }

        return builder
            .WithAccessTo(gateway.GetEndpoint("http"))
            .WithUpstream("EDGE_GATEWAY", gateway.GetEndpoint("http"));
    }

    /// <summary>
    /// Has requests for dashboards go to Grafana. Not waited for: the API is to be there when the dashboards are not.
    /// </summary>
    /// <param name="builder">The resource builder.</param>
    /// <param name="grafana">Grafana.</param>
    /// <returns>The <see cref="IResourceBuilder{T}"/>.</returns>
    public static IResourceBuilder<CaddyResource> WithDashboards(this IResourceBuilder<CaddyResource> builder, IResourceBuilder<IResourceWithEndpoints> grafana)
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentNullException.ThrowIfNull(grafana);

        return builder.WithUpstream("EDGE_GRAFANA", grafana.GetEndpoint("http"));
    }

    /// <summary>
    /// Points Grafana's data sources of logs and of alerts at the edge, which passes only reading, alerts and silences
    /// on (<c>sources.Caddyfile</c>). Without an edge in the graph they keep their own addresses.
    /// </summary>
    /// <param name="builder">The resource builder.</param>
    /// <param name="grafana">Grafana.</param>
    /// <returns>The <see cref="IResourceBuilder{T}"/>.</returns>
    public static IResourceBuilder<CaddyResource> WithDataSources(
        this IResourceBuilder<CaddyResource> builder,
        IResourceBuilder<ContainerResource> grafana)
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentNullException.ThrowIfNull(grafana);

        const string Alertmanager = "ALERTMANAGER_URL";
        const string Loki = "LOKI_URL";
        // The port that each has itself (sources.Caddyfile).
        var alertmanager = $"http://{builder.Resource.Name}:9093";
        var loki = $"http://{builder.Resource.Name}:3100";
        if (builder.ApplicationBuilder.ExecutionContext.IsRunMode)
        {
            grafana.WithEnvironment(context =>
            {
                if (builder.ApplicationBuilder.Resources.Contains(builder.Resource))
                {
                    Replace(Alertmanager, alertmanager);
                    Replace(Loki, loki);
                }

                void Replace(string variable, string address)
                {
                    // A data source that the settings have left out has no address.
                    if (context.EnvironmentVariables.ContainsKey(variable))
                    {
                        context.EnvironmentVariables[variable] = address;
                    }
                }
            });
            return builder;
        }

        const string Development = PublishedFormAnnotation.Development;
        const string Logs = PublishedOptionAnnotation.Logs;
        grafana
            .WithComposeEnvironment(Alertmanager, alertmanager, development: "http://alertmanager:9093")
            .WithComposeForm(Logs, (service, _) => service.MappingAt("environment").Children[Loki] = ComposeFiles.Quoted(loki))
            .WithComposeForm(
                $"{Development}.{Logs}",
                (service, _) => service.MappingAt("environment").Add(Loki, ComposeFiles.Quoted("http://loki:3100")));
        return builder;
    }

    private static IResourceBuilder<CaddyResource> WithUpstream(this IResourceBuilder<CaddyResource> builder, string variable, EndpointReference endpoint) => builder
        .WithReferenceRelationship(endpoint.Resource)
        .WithEnvironment(context =>
        {
            // If its settings disable it, the edge answers 502 in its place.
            if (builder.ApplicationBuilder.Resources.Contains(endpoint.Resource))
            {
                context.EnvironmentVariables[variable] = endpoint.AddressForContainers(context.ExecutionContext);
            }
        });
}
