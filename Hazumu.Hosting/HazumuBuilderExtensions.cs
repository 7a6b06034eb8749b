using System.Text.RegularExpressions;
using Hazumu.Hosting;
using Hazumu.Hosting.Containers;
using Hazumu.Hosting.Networking;
using Microsoft.Extensions.DependencyInjection;

namespace Aspire.Hosting;

/// <summary>Provides the extension methods that tie Hazumu's settings to the application model.</summary>
public static class HazumuBuilderExtensions
{
    /// <summary>
    /// Adds the whole graph: Ollama, the gateway as a container, and the monitoring. <c>AppHost.cs</c> is its diagram.
    /// </summary>
    /// <param name="builder">The <see cref="IDistributedApplicationBuilder"/>.</param>
    /// <param name="args">The command line, whose options are then checked: an unknown one stops the start.</param>
    /// <returns>The resources.</returns>
    /// <exception cref="StartupProblemException">A setting or an option is unknown or not allowed.</exception>
    public static HazumuGraph AddHazumu(this IDistributedApplicationBuilder builder, params IReadOnlyList<string> args)
    {
        var settings = builder.AddHazumuSettings(args);
        return builder.AddGraph(settings, name => builder.AddHazumuGateway(name, settings.Gateway.Port, settings.Gateway.ManagementPort));
    }

    /// <summary>Adds the whole graph with the gateway as a project, which runs as a process of this machine.</summary>
    /// <typeparam name="TGateway">The gateway's project: <c>Projects.Hazumu_Gateway</c>.</typeparam>
    /// <inheritdoc cref="AddHazumu(IDistributedApplicationBuilder, IReadOnlyList{string})"/>
    public static HazumuGraph AddHazumu<TGateway>(this IDistributedApplicationBuilder builder, params IReadOnlyList<string> args) where TGateway : IProjectMetadata, new()
    {
        var settings = builder.AddHazumuSettings(args);
        return builder.AddGraph(settings, name => builder.AddHazumuGateway<TGateway>(name, settings.Gateway.Port, settings.Gateway.ManagementPort));
    }

    /// <summary>
    /// Reads the settings, and registers what belongs to the whole graph: the checks before the start, the bridge
    /// network, and the Compose application and the Helm chart that the graph is published as.
    /// </summary>
    /// <param name="builder">The <see cref="IDistributedApplicationBuilder"/>.</param>
    /// <param name="args">The command line, whose options are then checked: an unknown one stops the start.</param>
    /// <returns>The settings.</returns>
    /// <exception cref="StartupProblemException">A setting or an option is unknown or not allowed.</exception>
    public static HazumuOptions AddHazumuSettings(this IDistributedApplicationBuilder builder, params IReadOnlyList<string> args)
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentNullException.ThrowIfNull(args);

        StartupProblemException.ExitWithoutStackTrace();
        CommandLine.Check(args);
        var options = HazumuOptions.Read(builder.Configuration);
        ProductionSettings.Apply(options, builder.Configuration, builder.ExecutionContext);

        SettleEngines(options);

        // In a published application the use of the further file is the switch.
        options.Loki.Enabled |= builder.ExecutionContext.IsPublishMode;
        options.Alloy.Enabled &= options.Loki.Enabled;

        options.LlamaServer.Enabled |= builder.ExecutionContext.IsPublishMode;
        options.Vllm.Enabled |= builder.ExecutionContext.IsPublishMode;

        // A graph that runs here has one gateway.
        options.Valkey.Enabled = builder.ExecutionContext.IsPublishMode;

        // Without an engine of the graph the gateway has none, unless the user configures one and enables the gateway by name.
        options.Gateway.Enabled &= options.HasEngine || builder.Configuration[$"{HazumuOptions.SectionName}:{options.Gateway.Section}:{nameof(ComponentOptions.Enabled)}"] is not null;

        if (builder.ExecutionContext.IsRunMode)
        {
            IsolatedRun.Apply(options, builder.Configuration, builder.AppHostDirectory);
            ModelFile.CheckAll(options.Models, builder.AppHostDirectory, takesParts: options.LlamaServer.Enabled || !options.Ollama.Enabled);
            builder.Services.AddSingleton(options);
            builder.AddStartChecks();
            builder.Services.AddSingleton<BridgeNetwork>();
            builder.Services.AddHostedService(services => services.GetRequiredService<BridgeNetwork>());
            builder.Services.AddHostedService<ReadyReport>();
        }
        else
        {
            builder.AddComposePublishing();
            builder.AddChartPublishing();
        }

        return options;
    }

    /// <summary>
    /// Applies what every component of the graph has in common: its absence where it is not enabled, the bind address,
    /// how it is published; for a container, also the image override, the labels and the network.
    /// </summary>
    /// <typeparam name="T">The resource, a container or a project.</typeparam>
    /// <param name="builder">The resource builder.</param>
    /// <param name="settings">The component's settings.</param>
    /// <returns>The <see cref="IResourceBuilder{T}"/>.</returns>
    public static IResourceBuilder<T> WithSettings<T>(this IResourceBuilder<T> builder, ComponentOptions settings) where T : IResourceWithEndpoints, IComputeResource
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentNullException.ThrowIfNull(settings);

        var application = builder.ApplicationBuilder;
        var container = builder as IResourceBuilder<ContainerResource>;
        settings.Resource ??= builder.Resource;
        container?.WithImageFrom(settings);
        if (!settings.Enabled)
        {
            application.Resources.Remove(builder.Resource);
            RemoveUnusedParameters(application, builder.Resource);
            return builder;
        }

        builder.WithAnnotation(new SettingsAnnotation(settings));

        foreach (var endpoint in builder.Resource.Annotations.OfType<EndpointAnnotation>())
        {
            // The resource binds the port itself: DCP's proxy would be one more hop in every token stream.
            endpoint.IsProxied = false;
            var address = settings.Address.Value;
            endpoint.TargetHost = address == "127.0.0.1" ? endpoint.TargetHost : address;
        }

        if (application.ExecutionContext.IsRunMode)
        {
            container?.WithLabelsAndNetwork(settings);
        }

        return builder;
    }

    /// <summary>Shows relationships to several resources.</summary>
    /// <typeparam name="T">The resource.</typeparam>
    /// <param name="builder">The resource builder.</param>
    /// <param name="others">The resources that are referred to.</param>
    /// <returns>The <see cref="IResourceBuilder{T}"/>.</returns>
    public static IResourceBuilder<T> WithReferenceRelationship<T>(this IResourceBuilder<T> builder, IEnumerable<IResourceBuilder<IResource>> others) where T : IResource
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentNullException.ThrowIfNull(others);

        foreach (var other in others)
        {
            builder.WithReferenceRelationship(other.Resource);
        }

        return builder;
    }

    private static void SettleEngines(HazumuOptions options)
    {
        const string Section = $"{HazumuOptions.SectionName}:{nameof(HazumuOptions.Engines)}";
        StartupProblemException.ThrowIfAny([.. options.Engines.Select(engine => FindProblem(engine.Key, engine.Value)).OfType<string>()], exitCode: 2);
        if (options.Ollama is { Enabled: true, Mode: OllamaMode.Host } ollama)
        {
            ollama.IsOnHost = true;
            options.Engines.TryAdd(ollama.Service, new() { Url = $"http://localhost:{ComponentOptions.Format(ollama.Port)}", Kind = EngineKind.Ollama });
        }

        options.Ollama.Enabled &= options.Ollama.Mode == OllamaMode.Container;

        // The name is in those of variables and secrets, and is what metrics call the engine.
        string? FindProblem(string name, EngineSettings engine) =>
            !Regex.IsMatch(name, "^[A-Za-z0-9][A-Za-z0-9-]*$") ? $"'{Section}:{name}' has a name that is not allowed; allowed: letters, digits and hyphens."
            : IsTaken(name) ? $"'{Section}:{name}' has a name of the graph itself; choose another, such as 'gpu-1'."
            : engine.Url.Length == 0 ? $"'{Section}:{name}' has no 'Url'; set '{Section}:{name}:Url' to the engine's address, such as 'http://gpu-1:8000'."
            : null;

        bool IsTaken(string name) => Regex.IsMatch(name, $"^({string.Join('|', options.Components.Select(component => component.Service))}|host)(-[0-9]+)?$", RegexOptions.IgnoreCase);
    }

    // The dashboard would show them, and ask for those without a value.
    private static void RemoveUnusedParameters(IDistributedApplicationBuilder application, IResource removed)
    {
        static IEnumerable<ParameterResource> ParametersOf(IResource resource) => resource.Annotations.OfType<ResourceRelationshipAnnotation>().Select(relationship => relationship.Resource).OfType<ParameterResource>();

        foreach (var parameter in ParametersOf(removed).Except(application.Resources.SelectMany(ParametersOf)).ToList())
        {
            application.Resources.Remove(parameter);
        }
    }

    private static void WithLabelsAndNetwork(this IResourceBuilder<ContainerResource> builder, ComponentOptions settings)
    {
        foreach (var (label, value) in ContainerLabels.Of(builder.Resource, settings))
        {
            builder.WithContainerRuntimeArgs("--label", $"{label}={value}");
        }

        builder.OnResourceReady((resource, ready, cancellationToken) =>
            ready.Services.GetRequiredService<BridgeNetwork>().ConnectAsync(resource, cancellationToken));
    }

    private static void WithImageFrom(this IResourceBuilder<ContainerResource> builder, ComponentOptions settings)
    {
        var image = builder.Resource.Annotations.OfType<ContainerImageAnnotation>().Last();
        var wanted = ImageReference.Parse(settings.Image);

        image.Registry = wanted?.Registry ?? settings.Host.ImageRegistry ?? image.Registry;
        image.Image = wanted?.Repository ?? image.Image;
        if (wanted?.Sha256 is { } digest)
        {
            image.SHA256 = digest;
        }
        else if (wanted?.Tag is { } tag)
        {
            image.Tag = tag;
        }
    }
}
