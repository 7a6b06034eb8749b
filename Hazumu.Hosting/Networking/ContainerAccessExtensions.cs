using Hazumu.Hosting.Networking;
using Hazumu.Hosting.Preflight;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Hosting;

namespace Aspire.Hosting;

/// <summary>Provides extension methods for containers that connect to a project.</summary>
public static class ContainerAccessExtensions
{
    private const string Urls = "ASPNETCORE_URLS";

    /// <summary>
    /// Has a project listen where the graph's containers reach it: beside its own address on this machine's end of the
    /// engine's bridge, and never on an address of the outside. Without this, containers reach a project by Aspire's
    /// tunnel.
    /// </summary>
    /// <param name="builder">The resource builder; the project's endpoints are not proxied.</param>
    /// <returns>The <see cref="IResourceBuilder{T}"/>.</returns>
    public static IResourceBuilder<ProjectResource> WithContainerAccess(this IResourceBuilder<ProjectResource> builder)
    {
        ArgumentNullException.ThrowIfNull(builder);

        if (builder.ApplicationBuilder.ExecutionContext.IsPublishMode)
        {
            return builder;
        }

        builder.ApplicationBuilder.AddStartChecks();
        builder.ApplicationBuilder.Services.TryAddEnumerable([
            ServiceDescriptor.Singleton<IStartCheck, ContainerAccessStartCheck>(),
            ServiceDescriptor.Singleton<IHostedService, ContainerAccessCheck>(),
        ]);
        return builder
            .WithAnnotation(new ContainerAccessAnnotation())
            .WithEnvironment(context =>
            {
                if (ContainerAccessAnnotation.Of(builder.Resource)?.Address is not { } address)
                {
                    return;
                }

                foreach (var endpoint in builder.Resource.Annotations.OfType<EndpointAnnotation>().Where(endpoint => endpoint.TargetHost != "0.0.0.0"))
                {
                    context.EnvironmentVariables[Urls] = ReferenceExpression.Create($"{(ReferenceExpression)context.EnvironmentVariables[Urls]};{endpoint.UriScheme}://{address.ToString()}:{Port(endpoint)}");
                }
            });
    }

    /// <summary>Gives a container the way to an endpoint; a no-op where the endpoint is a container's.</summary>
    /// <typeparam name="T">The container resource.</typeparam>
    /// <param name="builder">The resource builder.</param>
    /// <param name="endpoint">The endpoint.</param>
    internal static IResourceBuilder<T> WithAccessTo<T>(this IResourceBuilder<T> builder, EndpointReference endpoint) where T : ContainerResource
    {
        if (endpoint.Resource.IsContainer() || builder.ApplicationBuilder.ExecutionContext.IsPublishMode)
        {
            return builder;
        }

        return builder
            .WithAnnotation(new ConnectsToProjectAnnotation(endpoint))
            .WithHostFacts((_, _) =>
            {
                if (ContainerAccessAnnotation.Of(endpoint.Resource)?.HostName is { } host)
                {
                    builder.WithContainerRuntimeArgs("--add-host", $"{endpoint.Resource.Name}:{host}");
                }
            })
            .WithEnvironment(context =>
            {
                // Aspire makes a tunnel for what it finds in a container's variables, and for nothing else.
                if (builder.ApplicationBuilder.Resources.Contains(endpoint.Resource) && ContainerAccessAnnotation.Of(endpoint.Resource) is null or { HostName: null, Problem: null })
                {
                    context.EnvironmentVariables[$"{endpoint.Resource.Name.ToUpperInvariant().Replace('-', '_')}_ADDRESS"] = endpoint.Property(EndpointProperty.HostAndPort);
                }
            });
    }

    /// <summary>The address of an endpoint for a container: a host and a port.</summary>
    /// <param name="endpoint">The endpoint.</param>
    /// <param name="context">The context of the application that runs or is published.</param>
    internal static ReferenceExpression AddressForContainers(this EndpointReference endpoint, DistributedApplicationExecutionContext context) =>
        endpoint.Resource.IsContainer() || context.IsPublishMode ? ReferenceExpression.Create($"{endpoint.Resource.Name}:{Port(endpoint.EndpointAnnotation, ofContainer: true)}")
        : ContainerAccessAnnotation.Of(endpoint.Resource)?.HostName is not null ? ReferenceExpression.Create($"{endpoint.Resource.Name}:{Port(endpoint.EndpointAnnotation)}")
        : ReferenceExpression.Create($"{endpoint.Property(EndpointProperty.HostAndPort)}");

    private static string Port(EndpointAnnotation endpoint, bool ofContainer = false) =>
        ((ofContainer ? endpoint.TargetPort : endpoint.Port) ?? throw new InvalidOperationException($"The endpoint '{endpoint.Name}' has no fixed port.")).ToString(System.Globalization.CultureInfo.InvariantCulture);
}
