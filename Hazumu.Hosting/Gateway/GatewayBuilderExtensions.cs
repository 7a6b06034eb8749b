using System.Net;
using Hazumu.Hosting.Gateway;
using Hazumu.Hosting.Publishing;

namespace Aspire.Hosting;

/// <summary>Provides extension methods for adding Hazumu's gateway to the application model.</summary>
public static class GatewayBuilderExtensions
{
    /// <summary>The endpoint of the management port: health and metrics.</summary>
    public const string ManagementEndpointName = "management";

    private const int ContainerPort = 8080;
    private const int ContainerManagementPort = 8081;
    private const string DataDirectory = "/data";

    /// <summary>
    /// Adds the gateway as a container. No registry has its image: build it from Hazumu's repository, or set
    /// <c>Hazumu:Gateway:Image</c>.
    /// </summary>
    /// <remarks>This version defaults to the <inheritdoc cref="HazumuGatewayContainerImageTags.Tag"/> tag of the
    /// <inheritdoc cref="HazumuGatewayContainerImageTags.Image"/> container image.</remarks>
    /// <param name="builder">The <see cref="IDistributedApplicationBuilder"/>.</param>
    /// <param name="name">The name of the resource.</param>
    /// <param name="port">The host port for clients; a random one unless given.</param>
    /// <param name="managementPort">The host port of health and metrics; a random one unless given.</param>
    /// <returns>The <see cref="IResourceBuilder{T}"/>.</returns>
    public static IResourceBuilder<HazumuGatewayResource> AddHazumuGateway(this IDistributedApplicationBuilder builder, [ResourceName] string name, int? port = null, int? managementPort = null)
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentNullException.ThrowIfNull(name);

        return builder.AddResource(new HazumuGatewayResource(name))
            .WithImage(HazumuGatewayContainerImageTags.Image, HazumuGatewayContainerImageTags.Tag)
            .WithImageRegistry(HazumuGatewayContainerImageTags.Registry)
            .WithHttpEndpoint(port: port, targetPort: ContainerPort)
            .WithHttpEndpoint(port: builder.ExecutionContext.IsRunMode ? managementPort : null, targetPort: ContainerManagementPort, name: ManagementEndpointName)
            .WithEnvironment("HTTP_PORTS", ComponentOptions.Format(ContainerPort))
            .WithOperations(ContainerManagementPort);
    }

    /// <summary>Adds the gateway as a project, which the AppHost starts as a process of this machine.</summary>
    /// <typeparam name="TProject">The gateway's project, as the Aspire SDK generates it:
    /// <c>Projects.Hazumu_Gateway</c>.</typeparam>
    /// <param name="builder">The <see cref="IDistributedApplicationBuilder"/>.</param>
    /// <param name="name">The name of the resource.</param>
    /// <param name="port">The port for clients.</param>
    /// <param name="managementPort">The port of health and metrics.</param>
    /// <returns>The <see cref="IResourceBuilder{T}"/>.</returns>
    public static IResourceBuilder<ProjectResource> AddHazumuGateway<TProject>(this IDistributedApplicationBuilder builder, [ResourceName] string name, int port = 11435, int managementPort = 11436) where TProject : IProjectMetadata, new()
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentNullException.ThrowIfNull(name);

        var isRun = builder.ExecutionContext.IsRunMode;
        var management = isRun ? managementPort : ContainerManagementPort;
        var project = builder.AddProject<TProject>(name, launchProfileName: null);
        if (isRun)
        {
            // In milliseconds. The dashboard ends with the host; with the default of ten seconds the gateway would try
            // that long to send it the last telemetry, and keep its port from the next start.
            project.WithEnvironment("OTEL_EXPORTER_OTLP_TIMEOUT", "1000");
        }
        else
        {
            // Aspire sets it for every project; a published gateway has no address to send telemetry to.
            project.WithEnvironment(context => context.EnvironmentVariables.Remove("OTEL_DOTNET_EXPERIMENTAL_OTLP_RETRY"));
        }

        return project
            // The process itself binds the ports: DCP's proxy would be one more hop in every token stream.
            .WithHttpEndpoint(port: port, targetPort: isRun ? port : ContainerPort, isProxied: false)
            .WithHttpEndpoint(port: isRun ? management : null, targetPort: management, name: ManagementEndpointName, isProxied: false)
            // Clients connect to the gateway itself: their X-Forwarded headers are not to be believed. In production
            // only the edge connects, and sets them.
            .DisableForwardedHeaders()
            .WithOperations(management)
            .WithContainerAccess()
            .WithAnnotation(new PublishedBuildAnnotation($"{HazumuGatewayContainerImageTags.Registry}/{HazumuGatewayContainerImageTags.Image}:{HazumuGatewayContainerImageTags.Tag}"));
    }

    private static IResourceBuilder<T> WithOperations<T>(this IResourceBuilder<T> builder, int managementPort) where T : IComputeResource, IResourceWithEnvironment, IResourceWithEndpoints => builder
        .WithUrlForEndpoint("http", url => url.DisplayText = "API for clients")
        .WithUrlForEndpoint(ManagementEndpointName, url => url.DisplayText = "Health and metrics")
        .WithAnnotation(new InternalEndpointAnnotation(ManagementEndpointName))
        .WithEnvironment("Gateway__Management__Port", ComponentOptions.Format(managementPort))
        .WithIconName("Router")
        .WithHttpHealthCheck("/health", endpointName: ManagementEndpointName)
        .WithComposeEnvironment("ASPNETCORE_FORWARDEDHEADERS_ENABLED", "true", development: "false")
        .WithComposeEnvironment("Gateway__Proxies", "edge")
        .WithComposeHttpHealthcheck(ContainerManagementPort, "/health")
        .WithAnnotation(new PublishedNetworksAnnotation(PublishedNetworksAnnotation.Backend, PublishedNetworksAnnotation.Edge))
        .WithAnnotation(new PublishedConfinementAnnotation("1654:1654", Memory: "1g", Cpus: "0", Pids: 1000)
        {
            WritesTo = ["/tmp"],
            // Running requests are answered to their end; for as long as that takes, a gateway that is replaced accepts
            // no client.
            StopSeconds = 60,
            // The .NET SDK makes no folder in an image.
            TakesVolume = true,
        });

    /// <summary>Distributes requests over engines: Ollama's instances, llama-servers, and others whose connection string is <c>Endpoint=http://…</c>.</summary>
    /// <typeparam name="T">The gateway, a container or a project.</typeparam>
    /// <param name="builder">The resource builder.</param>
    /// <param name="instances">The instances; those that are not enabled are left out.</param>
    /// <param name="settings">Their settings; without them an instance has the gateway's default number of
    /// slots.</param>
    /// <returns>The <see cref="IResourceBuilder{T}"/>.</returns>
    public static IResourceBuilder<T> WithInstances<T>(this IResourceBuilder<T> builder, IEnumerable<IResourceBuilder<IResourceWithConnectionString>> instances, OllamaOptions? settings = null) where T : IComputeResource, IResourceWithEnvironment
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentNullException.ThrowIfNull(instances);

        foreach (var instance in instances.Where(instance => builder.ApplicationBuilder.Resources.Contains(instance.Resource)).Select(instance => instance.Resource))
        {
            var options = builder.ApplicationBuilder.ExecutionContext.IsPublishMode ? PublishedOptionAnnotation.Of(instance).ToList() : [];
            foreach (var option in options)
            {
                builder.WithComposeForm(option.Option, (service, _) => service.MappingAt("environment").Add($"ConnectionStrings__{instance.Name}", ComposeFiles.Quoted(PublishedValue.Of(instance).Text)));
            }

            builder.WithReferenceRelationship(instance);
            if (options.Count > 0)
            {
                continue;
            }

            // Not WithReference: since 13.6 it sets a second variable for a name with a hyphen (ConnectionStrings__ollama_2), which the
            // gateway would read as a third instance. Not waited for: the gateway notices by itself which instances are there.
            builder.WithEnvironment(context => context.EnvironmentVariables[$"ConnectionStrings__{instance.Name}"] = new ConnectionStringReference(instance, optional: false));
        }

        return settings is null ? builder : builder.WithEnvironment("Gateway__Slots", settings, nameof(settings.Parallel), settings.Parallel);
    }

    /// <summary>Distributes requests over engines that are not part of the graph too.</summary>
    /// <typeparam name="T">The gateway, a container or a project.</typeparam>
    /// <param name="builder">The resource builder.</param>
    /// <param name="engines">The engines by name. Files of theirs are relative to the AppHost's folder; a published application has them as secrets.</param>
    /// <returns>The <see cref="IResourceBuilder{T}"/>.</returns>
    /// <exception cref="StartupProblemException">A file is not there, or an engine with one has no TLS.</exception>
    public static IResourceBuilder<T> WithEngines<T>(this IResourceBuilder<T> builder, IReadOnlyDictionary<string, EngineSettings> engines) where T : IComputeResource, IResourceWithEnvironment
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentNullException.ThrowIfNull(engines);

        var urls = engines.ToDictionary(engine => engine.Key, engine => builder.WithWayToHost(engine.Value.Url));
        StartupProblemException.ThrowIfAny([.. engines.SelectMany(engine => builder.FindProblems(engine.Key, engine.Value, urls[engine.Key]))], exitCode: 2);
        foreach (var (name, engine) in engines)
        {
            var prefix = $"Gateway__Engines__{name}__";
            builder.WithEnvironment($"{prefix}Url", urls[name]);
            Set("Kind", engine.Kind is { } kind ? SettingsReader.NameOf(kind) : null);
            Set("KeyFile", FileOf("key", engine.KeyFile));
            Set("CaFile", FileOf("ca", engine.CaFile));
            Set("Models", engine.Models.Count == 0 ? null : string.Join(',', engine.Models));
            Set("Slots", engine.Slots is { } slots ? ComponentOptions.Format(slots) : null);

            void Set(string setting, string? value)
            {
                if (value is not null)
                {
                    builder.WithEnvironment(prefix + setting, value);
                }
            }

            string? FileOf(string purpose, string? file) => file is null ? null : builder.WithEngineFile(new($"engine_{name}_{purpose}", $"./secrets/engine_{name}_{purpose}"), file);
        }

        return builder;
    }

    // The gateway would refuse them too, and exit.
    private static IEnumerable<string> FindProblems<T>(this IResourceBuilder<T> builder, string name, EngineSettings engine, string url) where T : IComputeResource
    {
        var section = $"{HazumuOptions.SectionName}:{nameof(HazumuOptions.Engines)}:{name}";
        if (builder.ApplicationBuilder.ExecutionContext.IsRunMode)
        {
            foreach (var problem in SecretFileExtensions.FindMissingFiles(section, builder.ApplicationBuilder.AppHostDirectory, (nameof(engine.KeyFile), engine.KeyFile), (nameof(engine.CaFile), engine.CaFile)))
            {
                yield return problem;
            }
        }

        if (new Uri(url) is var address && address.Scheme == Uri.UriSchemeHttps)
        {
            yield break;
        }

        if (engine.CaFile is not null)
        {
            yield return $"'{section}:{nameof(engine.CaFile)}' is set, but '{engine.Url}' is not an https URL and has no certificate; set an https URL, or remove the setting.";
        }

        if (engine.KeyFile is not null && !address.IsLoopback)
        {
            var way = url == engine.Url ? "" : $", and a gateway in a container reaches this machine over a network, as '{url}'";
            yield return $"'{section}:{nameof(engine.KeyFile)}' is set, and '{engine.Url}' has no TLS{way}: the key would go there in plain text; set an https URL, or remove the key.";
        }
    }

    private static string WithEngineFile<T>(this IResourceBuilder<T> builder, PublishedSecretAnnotation secret, string file) where T : IComputeResource, IResourceWithEnvironment
    {
        if (builder.ApplicationBuilder.ExecutionContext.IsPublishMode)
        {
            builder.WithAnnotation(secret);
            return secret.Path;
        }

        var path = Path.GetFullPath(file, builder.ApplicationBuilder.AppHostDirectory);
        if (!builder.Resource.IsContainer())
        {
            return path;
        }

        builder.WithAnnotation(new ContainerMountAnnotation(path, secret.Path, ContainerMountType.BindMount, isReadOnly: true));
        return secret.Path;
    }

    /// <summary>Connects several gateways of a published application by a store, so that they admit requests together. A single gateway uses none.</summary>
    /// <typeparam name="T">The gateway, a container or a project.</typeparam>
    /// <param name="builder">The resource builder.</param>
    /// <param name="store">The store, a Valkey with a password.</param>
    /// <returns>The <see cref="IResourceBuilder{T}"/>.</returns>
    public static IResourceBuilder<T> WithCluster<T>(this IResourceBuilder<T> builder, IResourceBuilder<ContainerResource> store) where T : IComputeResource, IResourceWithEnvironment
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentNullException.ThrowIfNull(store);

        if (!builder.ApplicationBuilder.Resources.Contains(store.Resource))
        {
            return builder;
        }

        var endpoint = store.Resource.Annotations.OfType<EndpointAnnotation>().Single();
        var password = store.Resource.Annotations.OfType<PublishedSecretAnnotation>().Single();
        return builder
            .WithReferenceRelationship(store.Resource)
            .WithComposeForm(PublishedOptionAnnotation.Cluster, (service, _) =>
            {
                var environment = service.MappingAt("environment");
                environment.Add("Gateway__Cluster__Store", ComposeFiles.Quoted($"{store.Resource.Name}:{endpoint.TargetPort}"));
                environment.Add("Gateway__Cluster__PasswordFile", ComposeFiles.Quoted(password.Path));
                service.SequenceAt("secrets").Add(ComposeFiles.Quoted(password.Name));
                service.SequenceAt("networks").Add(PublishedNetworksAnnotation.Cluster);
                // The number that --scale gives holds for one 'up' only.
                const string replicas = "${GATEWAY_REPLICAS:-2}";
                service.MappingAt("deploy").Add("replicas", replicas);
                environment.Add("Gateway__Cluster__Size", ComposeFiles.Quoted(replicas));
            })
            .WithAnnotation(new PublishedReplicasAnnotation());
    }

    /// <summary>Sets whether clients need keys, and where the keys and the records of usage are: the latter beside the keys.</summary>
    /// <typeparam name="T">The gateway, a container or a project.</typeparam>
    /// <param name="builder">The resource builder.</param>
    /// <param name="settings">The gateway's settings.</param>
    /// <returns>The <see cref="IResourceBuilder{T}"/>.</returns>
    public static IResourceBuilder<T> WithKeys<T>(this IResourceBuilder<T> builder, HazumuGatewayOptions settings) where T : IComputeResource, IResourceWithEnvironment
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentNullException.ThrowIfNull(settings);

        const string Required = "Gateway__Keys__Required";
        const string KeysFile = "Gateway__Keys__File";
        const string UsageFile = "Gateway__Usage__File";
        var isPublish = builder.ApplicationBuilder.ExecutionContext.IsPublishMode;
        if (isPublish)
        {
            builder.WithComposeEnvironment(Required, "true", development: settings.Variable(nameof(settings.RequireKeys), settings.RequireKeys));
        }
        else
        {
            builder.WithEnvironment(Required, settings, nameof(settings.RequireKeys), settings.RequireKeys);
        }

        if (isPublish || builder.Resource.IsContainer())
        {
            return builder
                .WithAnnotation(new ContainerMountAnnotation(settings.Volume, DataDirectory, ContainerMountType.Volume, isReadOnly: false))
                .WithEnvironment(KeysFile, $"{DataDirectory}/keys.json")
                .WithEnvironment(UsageFile, $"{DataDirectory}/usage.db")
                // A published container's /tmp is memory and counts against its limit; this is a disk.
                .WithEnvironment("Gateway__Body__Folder", $"{DataDirectory}/bodies");
        }

        // Without a file, the gateway and its command use the same default.
        if (settings.KeysFile is { } file)
        {
            var path = Path.GetFullPath(file, builder.ApplicationBuilder.AppHostDirectory);
            return builder.WithEnvironment(KeysFile, path).WithEnvironment(UsageFile, Path.Combine(Path.GetDirectoryName(path)!, "usage.db"));
        }

        // Where a user has no folder for data, usage is not recorded.
        var folder = Environment.GetFolderPath(Environment.SpecialFolder.LocalApplicationData, Environment.SpecialFolderOption.DoNotVerify);
        return folder.Length > 0 ? builder.WithEnvironment(UsageFile, Path.Combine(folder, "hazumu", "usage.db")) : builder;
    }

    /// <summary>Sets whether the gateway serves its console, and links it on the dashboard.</summary>
    /// <typeparam name="T">The gateway, a container or a project.</typeparam>
    /// <param name="builder">The resource builder.</param>
    /// <param name="settings">The gateway's settings.</param>
    /// <param name="production">Whether the graph is production's, which has a console only if that is set.</param>
    /// <returns>The <see cref="IResourceBuilder{T}"/>.</returns>
    public static IResourceBuilder<T> WithConsole<T>(this IResourceBuilder<T> builder, HazumuGatewayOptions settings, bool production) where T : IComputeResource, IResourceWithEnvironment, IResourceWithEndpoints
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentNullException.ThrowIfNull(settings);

        const string Enabled = "Gateway__Console__Enabled";
        if (builder.ApplicationBuilder.ExecutionContext.IsPublishMode)
        {
            return builder.WithEnvironment(Enabled, settings, nameof(settings.Console), settings.Console ?? false);
        }

        var isEnabled = settings.Console ?? (!production && IPAddress.TryParse(settings.Address.Value, out var address) && IPAddress.IsLoopback(address));
        builder.WithEnvironment(Enabled, ComponentOptions.Format(isEnabled));
        return isEnabled
            ? builder.WithUrlForEndpoint("http", _ => new ResourceUrlAnnotation { Url = "/console", DisplayText = "Console" })
            : builder;
    }

    /// <summary>
    /// Sets the names by which clients may call the gateway, and the origins whose pages may use it from a browser.
    /// </summary>
    /// <typeparam name="T">The gateway, a container or a project.</typeparam>
    /// <param name="builder">The resource builder.</param>
    /// <param name="settings">The gateway's settings.</param>
    /// <param name="edge">The settings of the edge, which passes its own name on.</param>
    /// <returns>The <see cref="IResourceBuilder{T}"/>.</returns>
    public static IResourceBuilder<T> WithBrowsers<T>(this IResourceBuilder<T> builder, HazumuGatewayOptions settings, EdgeOptions edge) where T : IComputeResource, IResourceWithEnvironment
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

    /// <summary>
    /// Limits the requests of one client address in production, and the registries that models may come from.
    /// </summary>
    /// <typeparam name="T">The gateway, a container or a project.</typeparam>
    /// <param name="builder">The resource builder.</param>
    /// <param name="settings">The gateway's settings.</param>
    /// <returns>The <see cref="IResourceBuilder{T}"/>.</returns>
    public static IResourceBuilder<T> WithLimits<T>(this IResourceBuilder<T> builder, HazumuGatewayOptions settings) where T : IComputeResource, IResourceWithEnvironment
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentNullException.ThrowIfNull(settings);

        return builder
            .WithComposeEnvironment("Gateway__AddressRequestsPerMinute", settings.Variable(nameof(settings.AddressRequestsPerMinute), settings.AddressRequestsPerMinute), development: "0")
            .WithEnvironment("Gateway__Registries", settings, nameof(settings.Registries), settings.Registries ?? "");
    }

    /// <summary>
    /// Adds a key for a client of the graph: a secret that is generated once and kept in the user secrets, with the
    /// scopes to infer and to read.
    /// </summary>
    /// <typeparam name="T">The gateway, a container or a project.</typeparam>
    /// <param name="builder">The resource builder.</param>
    /// <param name="client">The key's name, and the client's.</param>
    /// <returns>The key.</returns>
    public static IResourceBuilder<ParameterResource> AddClientKey<T>(this IResourceBuilder<T> builder, string client) where T : IResourceWithEnvironment
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
