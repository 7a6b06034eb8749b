using Aspire.Hosting.Utils;
using Hazumu.Hosting.Containers;
using Hazumu.Hosting.Preflight;
using Hazumu.Hosting.Prometheus;
using Hazumu.Hosting.Publishing;
using Microsoft.Extensions.DependencyInjection;

namespace Aspire.Hosting;

/// <summary>Provides extension methods for adding Prometheus servers to the application model.</summary>
public static class PrometheusBuilderExtensions
{
    private const string ConfigurationDirectory = "/etc/prometheus";
    private const string RunbooksDirectory = "/etc/prometheus-runbooks";
    private const string TargetsFolder = "prometheus-targets";
    private const string TargetsDirectory = $"/etc/{TargetsFolder}";
    private const string DataDirectory = "/prometheus";
    private const string RetentionArgument = "--storage.tsdb.retention.time=";

    /// <summary>Adds a Prometheus server.</summary>
    /// <remarks>This version defaults to the <inheritdoc cref="PrometheusContainerImageTags.Tag"/> tag of the
    /// <inheritdoc cref="PrometheusContainerImageTags.Image"/> container image.</remarks>
    /// <param name="builder">The <see cref="IDistributedApplicationBuilder"/>.</param>
    /// <param name="name">The name of the resource.</param>
    /// <param name="port">The host port; a random one unless given.</param>
    /// <returns>The <see cref="IResourceBuilder{T}"/>.</returns>
    public static IResourceBuilder<PrometheusResource> AddPrometheus(this IDistributedApplicationBuilder builder, [ResourceName] string name, int? port = null)
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentNullException.ThrowIfNull(name);

        // For the command below.
        builder.AddStartChecks();
        var resource = builder.AddResource(new PrometheusResource(name));
        return resource
            .WithImage(PrometheusContainerImageTags.Image, PrometheusContainerImageTags.Tag)
            .WithImageRegistry(PrometheusContainerImageTags.Registry)
            .WithHttpEndpoint(port: port, targetPort: 9090, name: PrometheusResource.PrimaryEndpointName)
            .WithUrlForEndpoint(PrometheusResource.PrimaryEndpointName, url => url.DisplayText = "Prometheus")
            .WithIconName("DataTrending")
            .WithHttpHealthCheck("/-/ready")
            .WithComposeHttpHealthcheck(9090, "/-/ready")
            // The script puts the runbooks' address into the rules, and becomes Prometheus.
            .WithEntrypoint("/bin/sh")
            .WithArgs(
                $"{ConfigurationDirectory}/start.sh",
                $"--storage.tsdb.path={DataDirectory}")
            // For the command below. A published Prometheus has no use for it, and every container of its network could
            // stop it.
            .WithArgs(context =>
            {
                if (context.ExecutionContext.IsRunMode)
                {
                    context.Args.Add("--web.enable-lifecycle");
                }
            })
            .WithExternalUrl(port)
            .WithAnnotation(new PublishedNetworksAnnotation(PublishedNetworksAnnotation.Backend, PublishedNetworksAnnotation.Exporters, PublishedNetworksAnnotation.Logs))
            .WithAnnotation(new PublishedConfinementAnnotation(PublishedConfinementAnnotation.Nobody, Memory: "2g", Cpus: "1", Pids: 500) { WritesTo = ["/tmp"] })
            .WithGeneratedFolder(TargetsFolder, TargetsDirectory, async cancellationToken => new Dictionary<string, string>(await resource.WriteTargetsAsync(option: null, cancellationToken))
            {
                [ScrapeTargetAnnotation.ExpectedFile] = ScrapeTargetAnnotation.WriteExpected(resource.TargetsOf(option: null)),
            })
            .WithHttpCommand("/-/reload", "Reload configuration", PrometheusResource.PrimaryEndpointName, "reload", new HttpCommandOptions
            {
                Description = "Reloads prometheus.yml and its rules in Prometheus, without a restart.",
                IconName = "ArrowSync",
                IsHighlighted = true,
                Method = HttpMethod.Post,
                PrepareRequest = context => CopyRulesAsync(resource.Resource, context),
                GetCommandResult = ExplainReloadAsync,
            });
    }

    /// <summary>
    /// Mounts the folder of runbooks, which Prometheus serves at <c>/user/</c>, and sets the address to which alerts
    /// link.
    /// </summary>
    /// <param name="builder">The resource builder.</param>
    /// <param name="settings">The settings.</param>
    /// <param name="source">The folder, relative to the AppHost's; the package's own unless given.</param>
    /// <returns>The <see cref="IResourceBuilder{T}"/>.</returns>
    public static IResourceBuilder<PrometheusResource> WithRunbooks(this IResourceBuilder<PrometheusResource> builder, PrometheusOptions settings, string? source = null)
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentNullException.ThrowIfNull(settings);

        var port = builder.ApplicationBuilder.ExecutionContext.IsPublishMode ? settings.Variable(nameof(settings.Port), settings.Port) : ComponentOptions.Format(settings.Port);
        return builder
            .WithConfigurationFolder("docs/runbooks", source, RunbooksDirectory)
            .WithArgs($"--web.user-assets={RunbooksDirectory}")
            .WithEnvironment("RUNBOOK_URL", settings, nameof(settings.RunbookUrl), settings.RunbookUrl ?? $"http://localhost:{port}/user/");
    }

    /// <summary>Sets the address of the dashboards to which alerts link.</summary>
    /// <param name="builder">The resource builder.</param>
    /// <param name="grafana">The settings of the Grafana that has them.</param>
    /// <returns>The <see cref="IResourceBuilder{T}"/>.</returns>
    public static IResourceBuilder<PrometheusResource> WithDashboards(this IResourceBuilder<PrometheusResource> builder, ComponentOptions grafana)
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentNullException.ThrowIfNull(grafana);

        return builder.ApplicationBuilder.ExecutionContext.IsRunMode
            ? builder.WithEnvironment("GRAFANA_URL", grafana.Host.Production ? grafana.Host.Edge.GrafanaUrl : $"http://localhost:{grafana.Port}")
            : builder.WithComposeEnvironment(
                "GRAFANA_URL",
                grafana.Host.Edge.PublishedGrafanaUrl,
                development: $"http://localhost:{grafana.Variable(nameof(grafana.Port), grafana.Port)}");
    }

    /// <summary>
    /// Mounts the folder that holds <c>prometheus.yml</c>, read-only. The tests of its rules, in <c>tests</c>, are not
    /// published.
    /// </summary>
    /// <param name="builder">The resource builder.</param>
    /// <param name="source">The folder, relative to the AppHost's; the package's own unless given.</param>
    /// <returns>The <see cref="IResourceBuilder{T}"/>.</returns>
    public static IResourceBuilder<PrometheusResource> WithConfiguration(this IResourceBuilder<PrometheusResource> builder, string? source = null) =>
        builder.WithConfigurationFolder("prometheus", source, ConfigurationDirectory, unpublished: "tests");

    /// <summary>Keeps the samples in a named volume.</summary>
    /// <param name="builder">The resource builder.</param>
    /// <param name="name">The volume's exact name; generated from the application's and the resource's name unless
    /// given.</param>
    /// <returns>The <see cref="IResourceBuilder{T}"/>.</returns>
    public static IResourceBuilder<PrometheusResource> WithDataVolume(this IResourceBuilder<PrometheusResource> builder, string? name = null)
    {
        ArgumentNullException.ThrowIfNull(builder);

        return builder.WithVolume(name ?? VolumeNameGenerator.Generate(builder, "data"), DataDirectory);
    }

    /// <summary>Sets how long samples are kept.</summary>
    /// <param name="builder">The resource builder.</param>
    /// <param name="duration">The duration in Prometheus' syntax: <c>15d</c>.</param>
    /// <returns>The <see cref="IResourceBuilder{T}"/>.</returns>
    public static IResourceBuilder<PrometheusResource> WithRetention(this IResourceBuilder<PrometheusResource> builder, string duration)
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentException.ThrowIfNullOrEmpty(duration);

        return builder.WithArgs($"{RetentionArgument}{duration}");
    }

    /// <summary>Sets how long samples are kept; a published application takes the setting's variable.</summary>
    /// <param name="builder">The resource builder.</param>
    /// <param name="settings">The settings.</param>
    /// <returns>The <see cref="IResourceBuilder{T}"/>.</returns>
    public static IResourceBuilder<PrometheusResource> WithRetention(this IResourceBuilder<PrometheusResource> builder, PrometheusOptions settings)
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentNullException.ThrowIfNull(settings);

        return builder.WithArgument(RetentionArgument, settings, nameof(settings.Retention), settings.Retention);
    }

    /// <summary>Has Prometheus scrape a resource, under the resource's name as <c>instance</c>.</summary>
    /// <param name="builder">The resource builder.</param>
    /// <param name="target">The resource to scrape, or to probe where the job does that.</param>
    /// <param name="job">The job of prometheus.yml that takes the target; unless given it is the job <c>services</c>,
    /// and the target's job label is the resource's name.</param>
    /// <param name="metricsPath">The path of the metrics, where it is not the job's (<c>/metrics</c> for
    /// <c>services</c>).</param>
    /// <param name="prober">The exporter that probes the resource, if the job needs one; without it in the graph there
    /// is no target.</param>
    /// <param name="endpointName">The resource's endpoint.</param>
    /// <returns>The <see cref="IResourceBuilder{T}"/>.</returns>
    public static IResourceBuilder<PrometheusResource> WithScrapeTarget(this IResourceBuilder<PrometheusResource> builder, IResourceBuilder<IResourceWithEndpoints> target, string? job = null, string? metricsPath = null, IResourceBuilder<IResource>? prober = null, string endpointName = "http")
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentNullException.ThrowIfNull(target);

        // Prometheus does not connect to a resource that another one probes.
        var relationship = prober is null ? "Reference" : "Probe";
        if (!builder.Resource.Annotations.OfType<ResourceRelationshipAnnotation>().Any(known => known.Resource == target.Resource && known.Type == relationship))
        {
            builder.WithRelationship(target.Resource, relationship);
        }

        var endpoint = target.GetEndpoint(endpointName);
        foreach (var form in PublishedOptionAnnotation.Of(target.Resource))
        {
            builder.WithOptionalTargets(form.Option, job ?? ScrapeTargetAnnotation.GeneralJob);
        }

        return builder
            .WithAccessTo(endpoint)
            .WithAnnotation(new ScrapeTargetAnnotation(job, endpoint, metricsPath, prober?.Resource));
    }

    /// <summary>Has the Ollama that is installed on this machine probed, if the settings have the gateway use it.</summary>
    /// <param name="builder">The resource builder.</param>
    /// <param name="settings">Ollama's settings.</param>
    /// <param name="job">The job of prometheus.yml that takes the target.</param>
    /// <param name="prober">The exporter that probes it.</param>
    /// <returns>The <see cref="IResourceBuilder{T}"/>.</returns>
    public static IResourceBuilder<PrometheusResource> WithHostProbe(this IResourceBuilder<PrometheusResource> builder, OllamaOptions settings, string job, IResourceBuilder<ContainerResource> prober)
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentNullException.ThrowIfNull(settings);
        ArgumentNullException.ThrowIfNull(prober);

        if (!settings.IsOnHost)
        {
            return builder;
        }

        prober.WithHostAccess();
        return builder.WithAnnotation(new ScrapeTargetAnnotation(job, prober.GetEndpoint("http"), MetricsPath: null, prober.Resource)
        {
            Elsewhere = (settings.Service, EngineKind.Ollama, $"{HostAccessExtensions.HostName}:{ComponentOptions.Format(settings.Port)}"),
        });
    }

    /// <summary>Has Prometheus hand its alerts to an Alertmanager, and scrape it.</summary>
    /// <param name="builder">The resource builder.</param>
    /// <param name="alertmanager">The Alertmanager.</param>
    /// <returns>The <see cref="IResourceBuilder{T}"/>.</returns>
    public static IResourceBuilder<PrometheusResource> WithAlertmanager(this IResourceBuilder<PrometheusResource> builder, IResourceBuilder<IResourceWithEndpoints> alertmanager)
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentNullException.ThrowIfNull(alertmanager);

        return builder
            .WithScrapeTarget(alertmanager)
            .WithAnnotation(new ScrapeTargetAnnotation(ScrapeTargetAnnotation.Alertmanagers, alertmanager.GetEndpoint("http"), MetricsPath: null));
    }

    /// <summary>Has Prometheus scrape several resources, each under its name as <c>instance</c>.</summary>
    /// <param name="builder">The resource builder.</param>
    /// <param name="targets">The resources to scrape, or to probe where the job does that.</param>
    /// <param name="job">The job of prometheus.yml that takes the targets; unless given it is the job <c>services</c>.</param>
    /// <param name="prober">The exporter that probes the resources, if the job needs one.</param>
    /// <returns>The <see cref="IResourceBuilder{T}"/>.</returns>
    public static IResourceBuilder<PrometheusResource> WithScrapeTarget(this IResourceBuilder<PrometheusResource> builder, IEnumerable<IResourceBuilder<IResourceWithEndpoints>> targets, string? job = null, IResourceBuilder<IResource>? prober = null)
    {
        ArgumentNullException.ThrowIfNull(targets);

        foreach (var target in targets)
        {
            builder.WithScrapeTarget(target, job, prober: prober);
        }

        return builder;
    }

    // A file beside the folder, and not a folder of its own: Prometheus watches the folder that a file of targets lies
    // in, and logs an error every five minutes where that is missing because the option is not used.
    private static void WithOptionalTargets(this IResourceBuilder<PrometheusResource> builder, string option, string job)
    {
        var name = $"{(job == ScrapeTargetAnnotation.GeneralJob ? TargetsFolder : $"prometheus-{job}")}-{option}.json";
        if (!builder.Resource.Annotations.OfType<PublishedOptionalFileAnnotation>().Any(file => file.Name == name))
        {
            builder.WithAnnotation(new PublishedOptionalFileAnnotation(
                option,
                name,
                $"/etc/{name}",
                // None where the exporter that probes them is left out.
                async cancellationToken => (await builder.WriteTargetsAsync(option, cancellationToken)).GetValueOrDefault($"{job}.json", "[]\n")));
        }
    }

    // A target, or who probes it, may have been left out of the graph by its settings or by what the host is.
    private static Task<IReadOnlyDictionary<string, string>> WriteTargetsAsync(this IResourceBuilder<PrometheusResource> builder, string? option, CancellationToken cancellationToken) => ScrapeTargetAnnotation.WriteFilesAsync(
        builder.TargetsOf(option),
        SettingsAnnotation.Of(builder.Resource)?.Host.Network,
        builder.ApplicationBuilder.ExecutionContext,
        cancellationToken,
        option);

    private static IEnumerable<ScrapeTargetAnnotation> TargetsOf(this IResourceBuilder<PrometheusResource> builder, string? option)
    {
        var application = builder.ApplicationBuilder;
        return builder.Resource.Annotations.OfType<ScrapeTargetAnnotation>()
            .Where(target => application.Resources.Contains(target.Endpoint.Resource) && (target.Prober is null || application.Resources.Contains(target.Prober)))
            .Where(target => PublishedOptionAnnotation.Of(target.Endpoint.Resource).Select(form => form.Option).DefaultIfEmpty().Contains(option));
    }

    // With other addresses of the runbooks and of Grafana, Prometheus reads copies of its rules.
    private static async Task CopyRulesAsync(PrometheusResource resource, HttpCommandRequestContext context)
    {
        var container = RunningContainer.GetId(context.Services.GetRequiredService<ResourceNotificationService>(), resource);
        var copy = await context.Services.GetRequiredService<ContainerEngine>().RunAsync(["exec", container, "sh", $"{ConfigurationDirectory}/start.sh", "--copy"], context.CancellationToken);
        if (!copy.IsSuccess)
        {
            throw new InvalidOperationException($"The rules of '{resource.Name}' cannot be copied (exit code {copy.ExitCode}): {copy.StandardError.Trim()}");
        }
    }

    private static async Task<ExecuteCommandResult> ExplainReloadAsync(HttpCommandResultContext context)
    {
        if (context.Response.IsSuccessStatusCode)
        {
            return CommandResults.Success("Prometheus has reloaded its configuration.");
        }

        var explanation = await context.Response.Content.ReadAsStringAsync(context.CancellationToken);
        return CommandResults.Failure($"Prometheus keeps its old configuration: {explanation.Trim()}");
    }
}
