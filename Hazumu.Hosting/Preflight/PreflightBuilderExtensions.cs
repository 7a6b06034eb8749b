using Aspire.Hosting.Lifecycle;
using Hazumu.Hosting.Containers;
using Hazumu.Hosting.Preflight;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Logging;

namespace Aspire.Hosting;

/// <summary>Provides extension methods for resources that depend on the host's facts.</summary>
internal static class PreflightBuilderExtensions
{
    /// <summary>Completes a resource before any container starts, when it is known what the host offers.</summary>
    /// <typeparam name="T">The resource.</typeparam>
    /// <param name="builder">The resource builder.</param>
    /// <param name="apply">Changes the resource; throws <see cref="StartupProblemException"/> where the host lacks what
    /// the settings require.</param>
    public static IResourceBuilder<T> WithHostFacts<T>(this IResourceBuilder<T> builder, Action<HostFacts, ILogger> apply) where T : IResource
    {
        builder.ApplicationBuilder.AddStartChecks();
        return builder.WithAnnotation(new HostFactsCallbackAnnotation(apply));
    }

    /// <summary>
    /// Registers the checks before the start and the container engine's command line; a second call has no effect.
    /// </summary>
    /// <param name="builder">The application's builder.</param>
    public static void AddStartChecks(this IDistributedApplicationBuilder builder)
    {
        if (builder.ExecutionContext.IsRunMode)
        {
            builder.Services.TryAddSingleton<ContainerEngine>();
            builder.Services.TryAddEventingSubscriber<StartChecks>();
        }
    }
}
