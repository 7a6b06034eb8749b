using System.Text.Json;
using System.Text.RegularExpressions;
using Aspire.Hosting;
using Aspire.Hosting.ApplicationModel;
using Aspire.Hosting.Testing;
using Hazumu.Hosting.Networking;
using Hazumu.Hosting.Preflight;
using Hazumu.Hosting.Prometheus;
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

    public ProjectResource Gateway => Get<ProjectResource>("gateway");

    /// <summary>Finishes the resources as the start would on such a host.</summary>
    public GraphModel OnHost(HostFacts facts)
    {
        ContainerAccess.Apply(ContainerAccess.Choose(facts, _builder.Configuration), _builder.Resources);
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

    public static EndpointAnnotation Endpoint(IResource resource, string? name = null) => Assert.Single(resource.Annotations.OfType<EndpointAnnotation>(), endpoint => name is null || endpoint.Name == name);

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

    public async Task<IReadOnlyDictionary<string, object>> EnvironmentAsync(IResource resource)
    {
        var context = new EnvironmentCallbackContext(_builder.ExecutionContext, resource);
        foreach (var callback in resource.Annotations.OfType<EnvironmentCallbackAnnotation>())
        {
            await callback.Callback(context);
        }

        return context.EnvironmentVariables;
    }

    /// <summary>The files of Prometheus' discovery, and each target's address and instance.</summary>
    public async Task<SortedDictionary<string, IReadOnlyList<(string Address, string Instance)>>> ReadTargetsAsync()
    {
        var files = await ReadTargetFilesAsync();
        return new(files.Where(file => file.Key != ScrapeTargetAnnotation.ExpectedFile).ToDictionary(file => file.Key, file => ReadTargets(file.Value)), StringComparer.Ordinal);
    }

    /// <summary>The jobs that must have a target, in the order of their file.</summary>
    public async Task<IReadOnlyList<string>> ReadExpectedJobsAsync() =>
        [.. Regex.Matches((await ReadTargetFilesAsync())[ScrapeTargetAnnotation.ExpectedFile], "record: hazumu:expected_job:info, labels: { job: ([a-z-]+) }").Select(rule => rule.Groups[1].Value)];

    /// <summary>The files that the AppHost writes into a folder of a container, by relative path.</summary>
    public async Task<IReadOnlyDictionary<string, string>> ReadFilesAsync(string name, string target)
    {
        var container = Container(name);
        var folder = Assert.Single(container.Annotations.OfType<ContainerFileSystemCallbackAnnotation>(), annotation => annotation.DestinationPath == target);
        return Files("", await folder.Callback(new ContainerFileSystemCallbackContext { Model = container, Services = null! }, default)).ToDictionary();

        static IEnumerable<KeyValuePair<string, string>> Files(string path, IEnumerable<ContainerFileSystemItem> items) => items.SelectMany(item => item is ContainerDirectory inner
            ? Files($"{path}{inner.Name}/", inner.Entries)
            : [KeyValuePair.Create(path + item.Name, ((ContainerFile)item).Contents!)]);
    }

    private Task<IReadOnlyDictionary<string, string>> ReadTargetFilesAsync() => ReadFilesAsync("prometheus", "/etc/prometheus-targets");

    public static IReadOnlyList<(string Address, string Instance)> ReadTargets(string file) =>
        [.. JsonDocument.Parse(file).RootElement.EnumerateArray().Select(group => (group.GetProperty("targets")[0].GetString()!, group.GetProperty("labels").GetProperty("instance").GetString()!))];

    /// <summary>A variable as the process would get it, resolved.</summary>
    public static async Task<string?> ValueAsync(object value) => value switch
    {
        string text => text,
        IValueProvider provider => await provider.GetValueAsync(default),
        _ => throw new InvalidOperationException($"{value} is no value."),
    };

    public static IEnumerable<string> References(IResource resource) => resource.Annotations
        .OfType<ResourceRelationshipAnnotation>()
        .Select(relationship => $"{relationship.Type}:{relationship.Resource.Name}");

    public ValueTask DisposeAsync() => _builder.DisposeAsync();
}
