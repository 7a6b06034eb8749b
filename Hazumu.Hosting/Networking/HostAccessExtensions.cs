using Hazumu.Hosting.Publishing;

namespace Aspire.Hosting;

/// <summary>Provides extension methods for containers that connect to programs of the machine that they run on.</summary>
internal static class HostAccessExtensions
{
    /// <summary>
    /// The machine's name inside its containers: Docker Desktop defines it, for other engines it is added.
    /// </summary>
    public const string HostName = "host.docker.internal";

    private const string Entry = $"{HostName}:host-gateway";

    /// <summary>Gives a container the way to the machine, under the name <see cref="HostName"/>; a no-op for a project, which runs there.</summary>
    /// <typeparam name="T">The resource.</typeparam>
    /// <param name="builder">The resource builder.</param>
    public static IResourceBuilder<T> WithHostAccess<T>(this IResourceBuilder<T> builder) where T : IComputeResource
    {
        if (builder.ApplicationBuilder.ExecutionContext.IsPublishMode)
        {
            return builder.WithProductionForm(service =>
            {
                var hosts = service.SequenceAt("extra_hosts");
                if (!hosts.Children.Any(host => host.ToString() == Entry))
                {
                    hosts.Add(ComposeFiles.Quoted(Entry));
                }
            });
        }

        if (builder is IResourceBuilder<ContainerResource> container)
        {
            container.WithContainerRuntimeArgs("--add-host", Entry);
        }

        return builder;
    }

    /// <summary>The address by which a resource reaches a program: a container's own loopback is not this machine's.</summary>
    /// <typeparam name="T">The resource.</typeparam>
    /// <param name="builder">The resource builder.</param>
    /// <param name="url">The program's address.</param>
    public static string WithWayToHost<T>(this IResourceBuilder<T> builder, string url) where T : IComputeResource
    {
        var address = new Uri(url);
        if (!address.IsLoopback || (builder.ApplicationBuilder.ExecutionContext.IsRunMode && !builder.Resource.IsContainer()))
        {
            return url;
        }

        builder.WithHostAccess();
        return new UriBuilder(address) { Host = HostName }.Uri.GetLeftPart(UriPartial.Authority);
    }
}
