using Microsoft.Extensions.DependencyInjection;

namespace Hazumu.Hosting.Networking;

/// <summary>Holds a container's start back.</summary>
internal static class StartOrderExtensions
{
    /// <summary>
    /// Starts a container when a project is healthy. As <c>WaitFor</c>, but that counts as a connection from the
    /// container to the project,
    /// for which Aspire makes a tunnel whether one is needed or not (ResourceExtensions, CollectAnnotationDependencies;
    /// no issue there yet).
    /// To be replaced by <c>WaitFor</c> when waiting alone makes none.
    /// </summary>
    /// <param name="builder">The container.</param>
    /// <param name="project">The resource that it waits for.</param>
    public static IResourceBuilder<T> StartAfter<T>(this IResourceBuilder<T> builder, IResourceBuilder<IResource> project) where T : ContainerResource =>
        builder.ApplicationBuilder.ExecutionContext.IsPublishMode
            ? builder.WaitFor(project)
            : builder.OnBeforeResourceStarted((_, starting, cancellationToken) =>
                starting.Services.GetRequiredService<ResourceNotificationService>().WaitForResourceHealthyAsync(project.Resource.Name, cancellationToken));
}
