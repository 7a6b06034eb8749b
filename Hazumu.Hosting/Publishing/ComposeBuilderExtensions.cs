#pragma warning disable ASPIREPIPELINES001, ASPIREPIPELINES004 // The pipeline is where publishing happens.

using Aspire.Hosting.Pipelines;
using Hazumu.Hosting.Publishing;
using Microsoft.Extensions.DependencyInjection;
using YamlDotNet.RepresentationModel;

namespace Aspire.Hosting;

/// <summary>Provides extension methods that publish the graph as a Compose application.</summary>
internal static class ComposeBuilderExtensions
{
    /// <summary>Sets how Compose checks whether a published container is healthy.</summary>
    /// <param name="builder">The resource builder.</param>
    /// <param name="command">A program of the image and its arguments.</param>
    public static IResourceBuilder<T> WithComposeHealthcheck<T>(this IResourceBuilder<T> builder, params string[] command) where T : IComputeResource =>
        builder.WithAnnotation(new ComposeHealthcheckAnnotation(command), ResourceAnnotationMutationBehavior.Replace);

    /// <summary>The same by HTTP, requested from within the container; the image has wget.</summary>
    /// <param name="builder">The resource builder.</param>
    /// <param name="port">The port in the container.</param>
    /// <param name="path">The path that answers 200 when the program is healthy.</param>
    public static IResourceBuilder<T> WithComposeHttpHealthcheck<T>(this IResourceBuilder<T> builder, int port, string path) where T : IComputeResource =>
        // Docker's client configuration may put http_proxy into every container, and BusyBox' wget knows no NO_PROXY.
        builder.WithComposeHealthcheck("wget", "-Y", "off", "-q", "-O", "/dev/null", $"http://127.0.0.1:{port}{path}");

    /// <summary>
    /// Changes a service in one form or option of the Compose application, and nothing else that is run or published.
    /// </summary>
    /// <param name="builder">The resource builder.</param>
    /// <param name="form">The form or the option, as in <see cref="PublishedFormAnnotation"/>.</param>
    /// <param name="change">Writes into the service; the second argument holds all services of the same Compose
    /// file.</param>
    public static IResourceBuilder<T> WithComposeForm<T>(this IResourceBuilder<T> builder, string form, Action<YamlMappingNode, YamlMappingNode> change) where T : IComputeResource =>
        builder.WithAnnotation(new PublishedFormAnnotation(form, change));

    /// <summary>Changes a service in the production form.</summary>
    /// <param name="builder">The resource builder.</param>
    /// <param name="change">Writes into the service.</param>
    public static IResourceBuilder<T> WithProductionForm<T>(this IResourceBuilder<T> builder, Action<YamlMappingNode> change) where T : IComputeResource =>
        builder.WithComposeForm(PublishedFormAnnotation.Production, (service, _) => change(service));

    /// <summary>Changes a service in the development form.</summary>
    /// <param name="builder">The resource builder.</param>
    /// <param name="change">Writes into the service's part of the further Compose file.</param>
    public static IResourceBuilder<T> WithDevelopmentForm<T>(this IResourceBuilder<T> builder, Action<YamlMappingNode> change) where T : IComputeResource =>
        builder.WithComposeForm(PublishedFormAnnotation.Development, (service, _) => change(service));

    /// <summary>Sets an environment variable of the Compose application's service.</summary>
    /// <param name="builder">The resource builder.</param>
    /// <param name="name">The variable.</param>
    /// <param name="value">Its value in production's form, as Compose reads it.</param>
    /// <param name="development">Its value in the development form, where that is another.</param>
    public static IResourceBuilder<T> WithComposeEnvironment<T>(this IResourceBuilder<T> builder, string name, string value, string? development = null) where T : IComputeResource
    {
        builder.WithProductionForm(service => service.MappingAt("environment").Children[name] = ComposeFiles.Quoted(value));
        return development is null ? builder : builder.WithDevelopmentForm(service => service.MappingAt("environment").Add(name, ComposeFiles.Quoted(development)));
    }

    /// <summary>Adds the step that writes the Compose application, and the one that refuses to deploy it.</summary>
    public static void AddComposePublishing(this IDistributedApplicationBuilder builder)
    {
        builder.Pipeline.AddStep(
            "publish-compose",
            async step =>
            {
                var components = await PublishedComponent.ResolveAsync(step.Model, step.ExecutionContext, step.CancellationToken);
                var folder = step.Services.GetRequiredService<IPipelineOutputService>().GetOutputDirectory();
                await new ComposeApplication(components, folder, builder.FindConfigurationFolder("deploy/compose")).WriteAsync(step.CancellationToken);
            },
            requiredBy: WellKnownPipelineSteps.Publish);

        // Without it, the step would succeed and do nothing.
        builder.Pipeline.AddStep(
            "refuse-deploy",
            _ => throw new DistributedApplicationException("Hazumu is not deployed from the AppHost; publish it, and start it on the server with 'docker compose up --detach --wait' or 'helm install' (docs/production.md, docs/kubernetes.md)."),
            requiredBy: WellKnownPipelineSteps.Deploy);
    }
}
