#pragma warning disable ASPIREPIPELINES001, ASPIREPIPELINES004 // The pipeline is the only place to complete what the publisher wrote.

using Aspire.Hosting.Docker;
using Aspire.Hosting.Docker.Resources.ServiceNodes;
using Aspire.Hosting.Pipelines;
using Hazumu.AppHost;
using Hazumu.AppHost.Publishing;
using Microsoft.Extensions.DependencyInjection;
using YamlDotNet.RepresentationModel;

namespace Aspire.Hosting;

/// <summary>Provides extension methods that publish the graph as a Compose application.</summary>
internal static class ComposeBuilderExtensions
{
    private const string EnvironmentName = "compose";

    /// <summary>How a published container tells Compose whether it is healthy.</summary>
    /// <param name="builder">The resource builder.</param>
    /// <param name="command">A program of the image and its arguments.</param>
    public static IResourceBuilder<T> WithComposeHealthcheck<T>(this IResourceBuilder<T> builder, params string[] command) where T : IComputeResource =>
        builder.WithAnnotation(new ComposeHealthcheckAnnotation(command), ResourceAnnotationMutationBehavior.Replace);

    /// <summary>The same by HTTP, asked from within the container; the image has wget.</summary>
    /// <param name="builder">The resource builder.</param>
    /// <param name="port">The port in the container.</param>
    /// <param name="path">The path that answers 200 when the program is healthy.</param>
    public static IResourceBuilder<T> WithComposeHttpHealthcheck<T>(this IResourceBuilder<T> builder, int port, string path) where T : IComputeResource =>
        builder.WithComposeHealthcheck("wget", "-q", "-O", "/dev/null", $"http://127.0.0.1:{port}{path}");

    /// <summary>Says what production's form of the Compose application has of a service, and nothing else that is run or published.</summary>
    /// <param name="builder">The resource builder.</param>
    /// <param name="change">Writes into the service.</param>
    public static IResourceBuilder<T> WithComposeForm<T>(this IResourceBuilder<T> builder, Action<YamlMappingNode> change) where T : IComputeResource =>
        builder.WithAnnotation(new PublishedFormAnnotation(IsDevelopment: false, change));

    /// <summary>Says what the development form has in place of production's.</summary>
    /// <param name="builder">The resource builder.</param>
    /// <param name="change">Writes into the service's part of the further Compose file.</param>
    public static IResourceBuilder<T> WithDevelopmentForm<T>(this IResourceBuilder<T> builder, Action<YamlMappingNode> change) where T : IComputeResource =>
        builder.WithAnnotation(new PublishedFormAnnotation(IsDevelopment: true, change));

    /// <summary>Sets an environment variable of the Compose application's service.</summary>
    /// <param name="builder">The resource builder.</param>
    /// <param name="name">The variable.</param>
    /// <param name="value">Its value in production's form, as Compose reads it.</param>
    /// <param name="development">Its value in the development form, where that is another.</param>
    public static IResourceBuilder<T> WithComposeEnvironment<T>(this IResourceBuilder<T> builder, string name, string value, string? development = null) where T : IComputeResource
    {
        builder.WithComposeForm(service => service.MappingAt("environment").Children[name] = ComposeFiles.Quoted(value));
        return development is null ? builder : builder.WithDevelopmentForm(service => service.MappingAt("environment").Add(name, ComposeFiles.Quoted(development)));
    }

    /// <summary>Adds the Compose environment and the step that completes what it writes.</summary>
    public static void AddComposePublishing(this IDistributedApplicationBuilder builder)
    {
        builder.AddDockerComposeEnvironment(EnvironmentName)
            .WithDashboard(enabled: false)
            // Aspire would list the parameters in .env without values: there an empty value takes a default's place, and the file is the user's.
            .ConfigureEnvFile(variables => variables.Clear());

        builder.Pipeline.AddStep(
            "complete-compose",
            async step =>
            {
                var folder = step.Services.GetRequiredService<IPipelineOutputService>().GetOutputDirectory();
                await new ComposeApplication(step.Model, folder, Path.GetDirectoryName(builder.AppHostDirectory)!).CompleteAsync(step.CancellationToken);
            },
            dependsOn: $"publish-{EnvironmentName}",
            requiredBy: WellKnownPipelineSteps.Publish);
    }

    /// <summary>Says of a service what Aspire's publisher does not.</summary>
    /// <param name="builder">The resource builder.</param>
    /// <param name="settings">The component's settings.</param>
    public static IResourceBuilder<T> PublishToCompose<T>(this IResourceBuilder<T> builder, ComponentOptions settings) where T : IComputeResource =>
        builder.PublishAsDockerComposeService((_, service) =>
        {
            var variables = new ComposeVariables(settings);
            service.Image = variables.Image(builder.Resource);

            // Aspire publishes ports of external endpoints only, and on every address (microsoft/aspire#13460); to be removed when the address can be set.
            service.Expose = [];
            service.Ports = [.. builder.Resource.Annotations.OfType<EndpointAnnotation>().Select(variables.Port)];

            service.Labels = new(ContainerLabels.Of(builder.Resource, settings));
            // Not "unless-stopped": an engine that was killed stops what it finds running at its next start, takes that for a person's wish, and
            // starts nothing again (moby/moby#41302); to be changed back when that is mended.
            service.Restart = "always";
            service.Healthcheck = Healthcheck(builder.Resource);

            service.Volumes.AddRange(builder.Resource.Annotations.OfType<PublishedMountsAnnotation>().SelectMany(host => host.Mounts).Select(mount => Bind(mount.Source, mount.Target)));
            service.Volumes.AddRange(builder.Resource.Annotations.OfType<PublishedFolderAnnotation>().Select(folder => Bind($"./{folder.Name}", folder.Target)));

            if (builder.Resource is ProjectResource)
            {
                // Of no use without an address to send to, which a published application has none of.
                service.Environment.Remove("OTEL_DOTNET_EXPERIMENTAL_OTLP_RETRY");
            }

            foreach (var dependency in service.DependsOn.Values)
            {
                dependency.Condition = "service_healthy";
            }

            service.Command = [.. service.Command.Select(variables.Argument)];
        });

    private static Volume Bind(string source, string target) => new() { Name = source, Type = "bind", Source = source, Target = target, ReadOnly = true };

    private static Healthcheck? Healthcheck(IResource resource) =>
        resource.Annotations.OfType<ComposeHealthcheckAnnotation>().LastOrDefault() is { } health
            ? new() { Test = ["CMD", .. health.Command], Interval = "5s", Timeout = "5s", Retries = 6, StartPeriod = "30s" }
            : null;
}
