using Hazumu.Hosting.Networking;
using Hazumu.Hosting.Publishing;

namespace Aspire.Hosting;

/// <summary>Provides extension methods for adding Open WebUI to the application model.</summary>
public static class OpenWebUIBuilderExtensions
{
    /// <summary>
    /// Adds an Open WebUI. The resource and its volume are the Toolkit's; not so its <c>WithOpenWebUI</c>, which
    /// belongs to one Ollama resource, switches accounts off and is not published.
    /// </summary>
    /// <remarks>This version defaults to the <inheritdoc cref="OpenWebUIContainerImageTags.Tag"/> tag of the
    /// <inheritdoc cref="OpenWebUIContainerImageTags.Image"/> container image.</remarks>
    /// <param name="builder">The <see cref="IDistributedApplicationBuilder"/>.</param>
    /// <param name="name">The name of the resource.</param>
    /// <param name="port">The host port; a random one unless given.</param>
    /// <returns>The <see cref="IResourceBuilder{T}"/>.</returns>
    public static IResourceBuilder<OpenWebUIResource> AddOpenWebUI(this IDistributedApplicationBuilder builder, [ResourceName] string name, int? port = null)
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentNullException.ThrowIfNull(name);

        return builder.AddResource(new OpenWebUIResource(name))
            .WithImage(OpenWebUIContainerImageTags.Image, OpenWebUIContainerImageTags.Tag)
            .WithImageRegistry(OpenWebUIContainerImageTags.Registry)
            .WithHttpEndpoint(port: port, targetPort: 8080, name: "http")
            .WithUrlForEndpoint("http", url => url.DisplayText = "Open WebUI")
            .WithIconName("ChatMultiple")
            .WithHttpHealthCheck("/health")
            .WithComposeHealthcheck("curl", "--silent", "--fail", "--output", "/dev/null", "http://127.0.0.1:8080/health")
            // In the volume: the image's own place is lost with the container, and everybody's login with it.
            .WithEnvironment("WEBUI_SECRET_KEY_FILE", "/app/backend/data/.webui_secret_key")
            // Nothing is sent to anybody: the host is meant for machines without internet too.
            .WithEnvironment("ANONYMIZED_TELEMETRY", "false")
            .WithEnvironment("DO_NOT_TRACK", "true")
            .WithEnvironment("SCARF_NO_ANALYTICS", "true")
            .WithEnvironment("ENABLE_VERSION_UPDATE_CHECK", "false")
            .WithEnvironment("ENABLE_COMMUNITY_SHARING", "false")
            .WithEnvironment("RAG_EMBEDDING_MODEL_AUTO_UPDATE", "false")
            // Its own defaults embed each piece of a file by a request of its own, all at once.
            .WithEnvironment("RAG_EMBEDDING_BATCH_SIZE", "32")
            .WithEnvironment("RAG_EMBEDDING_CONCURRENT_REQUESTS", "4")
            .WithEnvironment("ENABLE_OPENAI_API", "false")
            .WithAnnotation(new NotInChartAnnotation("not in the chart: any chat page can be pointed at the gateway"));
    }

    /// <summary>Connects Open WebUI to the gateway for its models, with a key of its own.</summary>
    /// <param name="builder">The resource builder.</param>
    /// <param name="gateway">The gateway.</param>
    /// <param name="addKey">Adds the key of a client with this name: the gateway's <c>AddClientKey</c>.</param>
    /// <returns>The <see cref="IResourceBuilder{T}"/>.</returns>
    /// <exception cref="StartupProblemException">The gateway is not part of the graph.</exception>
    public static IResourceBuilder<OpenWebUIResource> WithGateway(this IResourceBuilder<OpenWebUIResource> builder, IResourceBuilder<IResourceWithEndpoints> gateway, Func<string, IResourceBuilder<ParameterResource>> addKey)
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentNullException.ThrowIfNull(gateway);
        ArgumentNullException.ThrowIfNull(addKey);

        var application = builder.ApplicationBuilder;
        if (!application.Resources.Contains(builder.Resource))
        {
            return builder;
        }

        if (!application.Resources.Contains(gateway.Resource))
        {
            throw new StartupProblemException("Hazumu:OpenWebUI:Enabled is 'true', but Open WebUI reaches its models through the gateway, and Hazumu:Gateway:Enabled is 'false'; change one of them.");
        }

        var endpoint = gateway.GetEndpoint("http");
        var key = addKey(builder.Resource.Name);
        return builder
            .WithReferenceRelationship(gateway.Resource)
            .WithAccessTo(endpoint)
            .StartAfter(gateway)
            .WithEnvironment(context =>
            {
                var url = ReferenceExpression.Create($"http://{endpoint.AddressForContainers(context.ExecutionContext)}");
                context.EnvironmentVariables["OLLAMA_BASE_URLS"] = url;
                context.EnvironmentVariables["RAG_OLLAMA_BASE_URL"] = url;
                context.EnvironmentVariables["RAG_OLLAMA_API_KEY"] = key.Resource;
                context.EnvironmentVariables["OLLAMA_API_CONFIGS"] = ReferenceExpression.Create($$"""{"0": {"enable": true, "key": "{{key.Resource}}"} }"""); // not "}}", which an expression takes for one brace
                if (ContainerAccessAnnotation.Of(gateway.Resource) is { HostName: null })
                {
                    // Open WebUI keeps the address of its first start, and by Aspire's tunnel it is another at each
                    // start.
                    context.EnvironmentVariables["ENABLE_PERSISTENT_CONFIG"] = "false";
                }
            });
    }
}
