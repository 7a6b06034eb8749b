// Stands in for CommunityToolkit.Aspire.Hosting.Ollama where no package source has it: the part of its API that
// Hazumu.AppHost uses, and no more. Built only with HazumuToolkitStandIn=true, which ./hazumu sets when the restore fails
// with NU1101 for that package. Hazumu.Tests compares both APIs where both are there.
// Remove this folder, the property and that test when every package source that builds Hazumu has the Toolkit's package.

using System.Data.Common;
using Aspire.Hosting.ApplicationModel;
using Aspire.Hosting.Utils;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Logging;
using OllamaSharp;

namespace Aspire.Hosting
{
    /// <summary>The vendor of a GPU.</summary>
    public enum OllamaGpuVendor
    {
        /// <summary>NVIDIA, by the NVIDIA Container Toolkit.</summary>
        Nvidia,

        /// <summary>AMD, by ROCm.</summary>
        AMD,
    }

    /// <summary>Adds Ollama, its models and Open WebUI's volume to the application model.</summary>
    public static class OllamaResourceBuilderExtensions
    {
        /// <summary>Adds a container with Ollama.</summary>
        /// <param name="builder">The application's builder.</param>
        /// <param name="name">The name of the resource, and of its connection string.</param>
        /// <param name="port">The host port; a random one unless given.</param>
        public static IResourceBuilder<OllamaResource> AddOllama(this IDistributedApplicationBuilder builder, [ResourceName] string name, int? port = null)
        {
            ArgumentNullException.ThrowIfNull(builder);

            return builder.AddResource(new OllamaResource(name))
                .WithImage("ollama/ollama", "0.32.15")
                .WithImageRegistry("docker.io")
                .WithHttpEndpoint(port, targetPort: 11434, OllamaResource.EndpointName)
                .WithHttpHealthCheck("/");
        }

        /// <summary>Adds a model, which is pulled when Ollama is ready and does not have it.</summary>
        /// <param name="builder">Ollama.</param>
        /// <param name="name">The name of the resource.</param>
        /// <param name="modelName">The model, with its tag.</param>
        public static IResourceBuilder<OllamaModelResource> AddModel(this IResourceBuilder<IOllamaResource> builder, [ResourceName] string name, string modelName)
        {
            ArgumentNullException.ThrowIfNull(builder);

            var model = new OllamaModelResource(name, modelName, builder.Resource);
            var check = $"{name}-model";
            builder.ApplicationBuilder.Services.AddHealthChecks().AddAsyncCheck(
                check,
                async cancellationToken => await HasModelAsync(model, cancellationToken) ? HealthCheckResult.Healthy() : HealthCheckResult.Unhealthy($"Ollama does not have the model '{modelName}'."));
            builder.OnResourceReady((ollama, ready, cancellationToken) =>
            {
                // Not awaited: a download must not hold up what waits for Ollama itself.
                _ = Task.Run(() => PullAsync(model, ready.Services, cancellationToken), cancellationToken);
                return Task.CompletedTask;
            });
            return builder.ApplicationBuilder.AddResource(model).WithHealthCheck(check);
        }

        /// <summary>Keeps the models in a volume.</summary>
        /// <param name="builder">Ollama.</param>
        /// <param name="name">The volume's name; generated unless given.</param>
        /// <param name="isReadOnly">Whether the container may only read it.</param>
        public static IResourceBuilder<OllamaResource> WithDataVolume(this IResourceBuilder<OllamaResource> builder, string? name = null, bool isReadOnly = false) =>
            builder.WithVolume(name ?? VolumeNameGenerator.Generate(builder, "ollama"), "/root/.ollama", isReadOnly);

        /// <summary>Keeps accounts and chats in a volume.</summary>
        /// <param name="builder">Open WebUI.</param>
        /// <param name="name">The volume's name; generated unless given.</param>
        /// <param name="isReadOnly">Whether the container may only read it.</param>
        public static IResourceBuilder<OpenWebUIResource> WithDataVolume(this IResourceBuilder<OpenWebUIResource> builder, string? name = null, bool isReadOnly = false) =>
            builder.WithVolume(name ?? VolumeNameGenerator.Generate(builder, "openwebui"), "/app/backend/data", isReadOnly);

        /// <summary>Gives the container the GPUs of a vendor.</summary>
        /// <param name="builder">Ollama.</param>
        /// <param name="vendor">The vendor.</param>
        public static IResourceBuilder<OllamaResource> WithGPUSupport(this IResourceBuilder<OllamaResource> builder, OllamaGpuVendor vendor = OllamaGpuVendor.Nvidia)
        {
            ArgumentNullException.ThrowIfNull(builder);

            if (vendor is OllamaGpuVendor.Nvidia)
            {
                return string.Equals(builder.ApplicationBuilder.Configuration["ASPIRE_CONTAINER_RUNTIME"], "podman", StringComparison.OrdinalIgnoreCase)
                    ? builder.WithContainerRuntimeArgs("--device", "nvidia.com/gpu=all")
                    : builder.WithContainerRuntimeArgs("--gpus", "all");
            }

            builder.Resource.Annotations.OfType<ContainerImageAnnotation>().Last().Tag += "-rocm";
            return builder.WithContainerRuntimeArgs("--device", "/dev/kfd", "--device", "/dev/dri");
        }

        private static async Task PullAsync(OllamaModelResource model, IServiceProvider services, CancellationToken cancellationToken)
        {
            var notifications = services.GetRequiredService<ResourceNotificationService>();
            var logger = services.GetRequiredService<ResourceLoggerService>().GetLogger(model);
            Task PublishAsync(string state, string style) => notifications.PublishUpdateAsync(model, snapshot => snapshot with { State = new(state, style) });

            try
            {
                await notifications.PublishUpdateAsync(model, snapshot => snapshot with { Properties = [.. snapshot.Properties, new(CustomResourceKnownProperties.Source, model.ModelName)] });
                await PublishAsync($"Checking {model.ModelName}", KnownResourceStateStyles.Info);
                if (!await HasModelAsync(model, cancellationToken))
                {
                    using var client = await CreateClientAsync(model, cancellationToken);
                    string? last = null;
                    await foreach (var progress in client.PullModelAsync(model.ModelName, cancellationToken))
                    {
                        if (progress is not null && progress.Status != last)
                        {
                            last = progress.Status;
                            logger.LogInformation("Pulling {Model}: {Status}", model.ModelName, last);
                            await PublishAsync($"Pulling: {last}", KnownResourceStateStyles.Info);
                        }
                    }
                }

                await PublishAsync(KnownResourceStates.Running, KnownResourceStateStyles.Success);
            }
            catch (Exception error) when (error is not OperationCanceledException || !cancellationToken.IsCancellationRequested)
            {
                logger.LogError(error, "The model {Model} could not be pulled.", model.ModelName);
                await PublishAsync(error.Message, KnownResourceStateStyles.Error);
            }
        }

        private static async Task<bool> HasModelAsync(OllamaModelResource model, CancellationToken cancellationToken)
        {
            using var client = await CreateClientAsync(model, cancellationToken);
            return (await client.ListLocalModelsAsync(cancellationToken)).Any(local => local.Name.Equals(model.ModelName, StringComparison.OrdinalIgnoreCase));
        }

        private static async Task<OllamaApiClient> CreateClientAsync(OllamaModelResource model, CancellationToken cancellationToken)
        {
            var connection = new DbConnectionStringBuilder { ConnectionString = await model.Parent.ConnectionStringExpression.GetValueAsync(cancellationToken) };
            return new OllamaApiClient(new Uri((string)connection["Endpoint"]));
        }
    }
}

namespace Aspire.Hosting.ApplicationModel
{
    /// <summary>A resource that is an Ollama server.</summary>
    public interface IOllamaResource : IResourceWithConnectionString, IResourceWithEndpoints
    {
        /// <summary>Gets the endpoint of the API.</summary>
        EndpointReference PrimaryEndpoint { get; }
    }

    /// <summary>A container with Ollama.</summary>
    /// <param name="name">The name of the resource.</param>
    public class OllamaResource(string name) : ContainerResource(name), IOllamaResource
    {
        internal const string EndpointName = "http";

        /// <inheritdoc/>
        public EndpointReference PrimaryEndpoint => field ??= new(this, EndpointName);

        /// <inheritdoc/>
        public ReferenceExpression ConnectionStringExpression =>
            ReferenceExpression.Create($"Endpoint={PrimaryEndpoint.Property(EndpointProperty.Scheme)}://{PrimaryEndpoint.Property(EndpointProperty.Host)}:{PrimaryEndpoint.Property(EndpointProperty.Port)}");
    }

    /// <summary>A model of an Ollama server.</summary>
    /// <param name="name">The name of the resource.</param>
    /// <param name="modelName">The model, with its tag.</param>
    /// <param name="parent">The server.</param>
    public class OllamaModelResource(string name, string modelName, IOllamaResource parent) : Resource(name), IResourceWithParent<IOllamaResource>, IResourceWithConnectionString
    {
        /// <inheritdoc/>
        public IOllamaResource Parent { get; } = parent;

        /// <summary>Gets the model, with its tag.</summary>
        public string ModelName { get; } = modelName;

        /// <inheritdoc/>
        public ReferenceExpression ConnectionStringExpression => ReferenceExpression.Create($"{Parent};Model={ModelName}");
    }

    /// <summary>A container with Open WebUI.</summary>
    /// <param name="name">The name of the resource.</param>
    public class OpenWebUIResource(string name) : ContainerResource(name)
    {
    }
}
