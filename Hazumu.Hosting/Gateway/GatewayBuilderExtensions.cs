using Hazumu.Hosting.Gateway;
using Hazumu.Hosting.Publishing;

namespace Aspire.Hosting;

/// <summary>Provides extension methods that complete the gateway's project resource.</summary>
public static class GatewayBuilderExtensions
{
    /// <summary>The endpoint of the management port: health and metrics.</summary>
    public const string ManagementEndpointName = "management";

    private const int ContainerPort = 8080;
    private const int ContainerManagementPort = 8081;
    private const string DataDirectory = "/data";

    /// <summary>Gives the gateway its address, its health check, and what people who run it look for.</summary>
    /// <param name="builder">The resource builder.</param>
    /// <param name="settings">The gateway's settings.</param>
    /// <returns>The <see cref="IResourceBuilder{T}"/>.</returns>
    public static IResourceBuilder<ProjectResource> WithOperations(this IResourceBuilder<ProjectResource> builder, HazumuGatewayOptions settings)
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentNullException.ThrowIfNull(settings);

        var isRun = builder.ApplicationBuilder.ExecutionContext.IsRunMode;
        var management = isRun ? settings.ManagementPort : ContainerManagementPort;
        if (isRun)
        {
            // In milliseconds. The dashboard ends with the host; with the default of ten seconds the gateway would try that long to
            // tell it the last, and keep its port from the next start.
            builder.WithEnvironment("OTEL_EXPORTER_OTLP_TIMEOUT", "1000");
        }
        else
        {
            // Aspire sets it for every project; a published gateway has no address to send telemetry to.
            builder.WithEnvironment(context => context.EnvironmentVariables.Remove("OTEL_DOTNET_EXPERIMENTAL_OTLP_RETRY"));
        }

        return builder
            // The process itself binds the port: DCP's proxy would be one more hop in every token stream.
            .WithHttpEndpoint(port: settings.Port, targetPort: isRun ? settings.Port : ContainerPort, isProxied: false)
            .WithUrlForEndpoint("http", url => url.DisplayText = "API for clients")
            .WithAnnotation(new InternalEndpointAnnotation(ManagementEndpointName))
            .WithHttpEndpoint(port: isRun ? management : null, targetPort: management, name: ManagementEndpointName, isProxied: false)
            .WithUrlForEndpoint(ManagementEndpointName, url => url.DisplayText = "Health and metrics")
            .WithEnvironment("Gateway__Management__Port", ComponentOptions.Format(management))
            .WithIconName("Router")
            .WithHttpHealthCheck("/health", endpointName: ManagementEndpointName)
            // Clients connect to the gateway itself: what they say of whom they speak for is not to be believed. In production only
            // the edge does, and is.
            .DisableForwardedHeaders()
            .WithComposeEnvironment("ASPNETCORE_FORWARDEDHEADERS_ENABLED", "true", development: "false")
            .WithComposeEnvironment("Gateway__Proxies", "edge")
            .WithComposeHttpHealthcheck(ContainerManagementPort, "/health")
            .WithAnnotation(new PublishedNetworksAnnotation(PublishedNetworksAnnotation.Backend, PublishedNetworksAnnotation.Edge))
            .WithAnnotation(new PublishedConfinementAnnotation("1654:1654", Memory: "1g", Cpus: "0", Pids: 1000)
            {
                WritesTo = ["/tmp"],
                // What runs is to be answered; but as long as it does, a gateway that is replaced lets nobody in.
                StopSeconds = 60,
                // The .NET SDK makes no folder in an image.
                TakesVolume = true,
            })
            .WithAnnotation(new PublishedBuildAnnotation("localhost/hazumu/gateway:dev"));
    }

    /// <summary>Has the gateway spread requests over Ollama instances.</summary>
    /// <param name="builder">The resource builder.</param>
    /// <param name="instances">The instances; those that are not enabled are left out.</param>
    /// <param name="settings">Their settings.</param>
    /// <returns>The <see cref="IResourceBuilder{T}"/>.</returns>
    public static IResourceBuilder<ProjectResource> WithInstances(this IResourceBuilder<ProjectResource> builder, IEnumerable<IResourceBuilder<OllamaResource>> instances, OllamaOptions settings)
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentNullException.ThrowIfNull(instances);
        ArgumentNullException.ThrowIfNull(settings);

        foreach (var instance in instances.Where(instance => builder.ApplicationBuilder.Resources.Contains(instance.Resource)).Select(instance => instance.Resource))
        {
            // Not WithReference: since 13.6 it sets a second variable for a name with a hyphen (ConnectionStrings__ollama_2), which the
            // gateway would read as a third instance. Not waited for: the gateway notices by itself which instances are there.
            builder
                .WithEnvironment(context => context.EnvironmentVariables[$"ConnectionStrings__{instance.Name}"] = new ConnectionStringReference(instance, optional: false))
                .WithReferenceRelationship(instance);
        }

        return builder.WithEnvironment("Gateway__Slots", settings, nameof(settings.Parallel), settings.Parallel);
    }

    /// <summary>Has several gateways of a published application share what they admit, by way of a store. A single one has none.</summary>
    /// <param name="builder">The resource builder.</param>
    /// <param name="store">The store.</param>
    /// <returns>The <see cref="IResourceBuilder{T}"/>.</returns>
    public static IResourceBuilder<ProjectResource> WithCluster(this IResourceBuilder<ProjectResource> builder, IResourceBuilder<ValkeyResource> store)
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentNullException.ThrowIfNull(store);

        if (!builder.ApplicationBuilder.Resources.Contains(store.Resource))
        {
            return builder;
        }

        var password = ValkeyBuilderExtensions.PasswordOf(store.Resource.Name);
        return builder
            .WithReferenceRelationship(store.Resource)
            .WithComposeForm(PublishedOptionAnnotation.Cluster, (service, _) =>
            {
                var environment = service.MappingAt("environment");
                environment.Add("Gateway__Cluster__Store", ComposeFiles.Quoted($"{store.Resource.Name}:{store.Resource.PrimaryEndpoint.TargetPort}"));
                environment.Add("Gateway__Cluster__PasswordFile", ComposeFiles.Quoted(password.Path));
                service.SequenceAt("secrets").Add(ComposeFiles.Quoted(password.Name));
                service.SequenceAt("networks").Add(PublishedNetworksAnnotation.Cluster);
                // The number that --scale gives holds for one 'up' only.
                service.MappingAt("deploy").Add("replicas", "${GATEWAY_REPLICAS:-2}");
            })
            .WithAnnotation(new PublishedReplicasAnnotation());
    }

    /// <summary>Tells the gateway whether clients need keys, and where the keys are.</summary>
    /// <param name="builder">The resource builder.</param>
    /// <param name="settings">The gateway's settings.</param>
    /// <returns>The <see cref="IResourceBuilder{T}"/>.</returns>
    public static IResourceBuilder<ProjectResource> WithKeys(this IResourceBuilder<ProjectResource> builder, HazumuGatewayOptions settings)
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentNullException.ThrowIfNull(settings);

        const string Required = "Gateway__Keys__Required";
        if (builder.ApplicationBuilder.ExecutionContext.IsPublishMode)
        {
            return builder
                .WithComposeEnvironment(Required, "true", development: settings.Variable(nameof(settings.RequireKeys), settings.RequireKeys))
                .WithAnnotation(new ContainerMountAnnotation(settings.Volume, DataDirectory, ContainerMountType.Volume, isReadOnly: false))
                .WithEnvironment("Gateway__Keys__File", $"{DataDirectory}/keys.json")
                // The container's /tmp is memory and counts against its limit; this is a disk.
                .WithEnvironment("Gateway__Body__Folder", $"{DataDirectory}/bodies");
        }

        builder.WithEnvironment(Required, settings, nameof(settings.RequireKeys), settings.RequireKeys);
        // Where no file is named, the gateway and its command agree on one by themselves.
        return settings.KeysFile is { } file
            ? builder.WithEnvironment("Gateway__Keys__File", Path.GetFullPath(file, builder.ApplicationBuilder.AppHostDirectory))
            : builder;
    }

    /// <summary>Tells the gateway by which names it may be called, and which pages may use it from a browser.</summary>
    /// <param name="builder">The resource builder.</param>
    /// <param name="settings">The gateway's settings.</param>
    /// <param name="edge">The settings of the edge, which passes its own name on.</param>
    /// <returns>The <see cref="IResourceBuilder{T}"/>.</returns>
    public static IResourceBuilder<ProjectResource> WithBrowsers(this IResourceBuilder<ProjectResource> builder, HazumuGatewayOptions settings, EdgeOptions edge)
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentNullException.ThrowIfNull(settings);
        ArgumentNullException.ThrowIfNull(edge);

        // Containers call it by the resource's name.
        var (hosts, origins) = (settings.AllowedHosts ?? "", settings.AllowedOrigins ?? "");
        var names = builder.ApplicationBuilder.ExecutionContext.IsPublishMode
            ? $"{builder.Resource.Name},{edge.Variable(nameof(edge.Name), edge.Name)},{settings.Variable(nameof(settings.AllowedHosts), hosts)}"
            : string.Join(',', new[] { builder.Resource.Name, edge.Enabled ? edge.Name : "", hosts }.Where(name => name.Length > 0));
        return builder
            .WithEnvironment("Gateway__AllowedHosts", names)
            .WithEnvironment("Gateway__AllowedOrigins", settings, nameof(settings.AllowedOrigins), origins);
    }

    /// <summary>Limits the requests of one client address in production, and the registries that models may come from.</summary>
    /// <param name="builder">The resource builder.</param>
    /// <param name="settings">The gateway's settings.</param>
    /// <returns>The <see cref="IResourceBuilder{T}"/>.</returns>
    public static IResourceBuilder<ProjectResource> WithLimits(this IResourceBuilder<ProjectResource> builder, HazumuGatewayOptions settings)
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentNullException.ThrowIfNull(settings);

        return builder
            .WithComposeEnvironment("Gateway__AddressRequestsPerMinute", settings.Variable(nameof(settings.AddressRequestsPerMinute), settings.AddressRequestsPerMinute), development: "0")
            .WithEnvironment("Gateway__Registries", settings, nameof(settings.Registries), settings.Registries ?? "");
    }

    /// <summary>Gives a client of the graph a key of its own: a secret, made once and kept in the user secrets, with the scopes to infer and to read.</summary>
    /// <param name="builder">The resource builder.</param>
    /// <param name="client">The key's name, and the client's.</param>
    /// <returns>The key.</returns>
    public static IResourceBuilder<ParameterResource> AddClientKey(this IResourceBuilder<ProjectResource> builder, string client)
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentException.ThrowIfNullOrEmpty(client);

        var key = builder.ApplicationBuilder.AddParameter($"{client}-key", new GatewayKeyDefault(), secret: true, persist: true);
        builder
            .WithEnvironment($"Gateway__Keys__Configured__{client}__Key", key)
            .WithEnvironment($"Gateway__Keys__Configured__{client}__Scopes", "infer,read");
        return key;
    }
}
