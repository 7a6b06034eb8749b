using Aspire.Hosting;
using Aspire.Hosting.ApplicationModel;
using Aspire.Hosting.Testing;
using Hazumu.AppHost.Preflight;
using Microsoft.Extensions.Logging.Abstractions;

namespace Hazumu.Tests.Model;

/// <summary>The application model of Hazumu.AppHost under given options; no container is started.</summary>
internal sealed class GraphModel : IAsyncDisposable
{
    private readonly IDistributedApplicationTestingBuilder _builder;

    private GraphModel(IDistributedApplicationTestingBuilder builder) => _builder = builder;

    public static async Task<GraphModel> CreateAsync(params string[] options)
    {
        return new(await DistributedApplicationTestingBuilder.CreateAsync<Projects.Hazumu_AppHost>([.. DefaultOptions.All, .. options]));
    }

    public IReadOnlyList<IResource> Resources => [.. _builder.Resources];

    public T Get<T>(string name) where T : IResource => Assert.IsType<T>(Assert.Single(_builder.Resources, resource => resource.Name == name), exactMatch: false);

    public ContainerResource Container(string name) => Get<ContainerResource>(name);

    /// <summary>Finishes the resources as the start would on such a host.</summary>
    public GraphModel OnHost(HostFacts facts)
    {
        foreach (var annotation in _builder.Resources.SelectMany(resource => resource.Annotations.OfType<HostFactsCallbackAnnotation>()).ToList())
        {
            annotation.Apply(facts, NullLogger.Instance);
        }

        return this;
    }

    public static string Image(ContainerResource resource)
    {
        Assert.True(resource.TryGetContainerImageName(out var name));
        return name;
    }

    public static EndpointAnnotation Endpoint(ContainerResource resource) => Assert.Single(resource.Annotations.OfType<EndpointAnnotation>());

    public static IReadOnlyList<string> Mounts(ContainerResource resource) =>
        [.. resource.Annotations.OfType<ContainerMountAnnotation>().Select(mount => $"{mount.Type}:{mount.Source}:{mount.Target}{(mount.IsReadOnly ? ":ro" : "")}")];

    public static async Task<IReadOnlyList<string>> ArgumentsAsync(ContainerResource resource)
    {
        var arguments = new List<object>();
        foreach (var callback in resource.Annotations.OfType<CommandLineArgsCallbackAnnotation>())
        {
            await callback.Callback(new CommandLineArgsCallbackContext(arguments, resource));
        }

        return [.. arguments.Cast<string>()];
    }

    public static async Task<IReadOnlyList<string>> EngineArgumentsAsync(ContainerResource resource)
    {
        var arguments = new List<object>();
        foreach (var callback in resource.Annotations.OfType<ContainerRuntimeArgsCallbackAnnotation>())
        {
            await callback.Callback(new ContainerRuntimeArgsCallbackContext(arguments));
        }

        return [.. arguments.Cast<string>()];
    }

    public async Task<IReadOnlyDictionary<string, object>> EnvironmentAsync(ContainerResource resource)
    {
        var context = new EnvironmentCallbackContext(_builder.ExecutionContext, resource);
        foreach (var callback in resource.Annotations.OfType<EnvironmentCallbackAnnotation>())
        {
            await callback.Callback(context);
        }

        return context.EnvironmentVariables;
    }

    public static IEnumerable<string> References(IResource resource) => resource.Annotations
        .OfType<ResourceRelationshipAnnotation>()
        .Select(relationship => $"{relationship.Type}:{relationship.Resource.Name}");

    public ValueTask DisposeAsync() => _builder.DisposeAsync();
}
