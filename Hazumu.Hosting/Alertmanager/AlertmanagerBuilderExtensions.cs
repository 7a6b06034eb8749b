using Aspire.Hosting.Utils;
using Hazumu.Hosting.Publishing;

namespace Aspire.Hosting;

/// <summary>Provides extension methods for adding Alertmanagers to the application model.</summary>
public static class AlertmanagerBuilderExtensions
{
    private const string ConfigurationDirectory = "/etc/alertmanager";
    private const string DataDirectory = "/alertmanager";

    /// <summary>Adds an Alertmanager.</summary>
    /// <remarks>This version defaults to the <inheritdoc cref="AlertmanagerContainerImageTags.Tag"/> tag of the
    /// <inheritdoc cref="AlertmanagerContainerImageTags.Image"/> container image.</remarks>
    /// <param name="builder">The <see cref="IDistributedApplicationBuilder"/>.</param>
    /// <param name="name">The name of the resource.</param>
    /// <param name="port">The host port; a random one unless given.</param>
    /// <returns>The <see cref="IResourceBuilder{T}"/>.</returns>
    public static IResourceBuilder<AlertmanagerResource> AddAlertmanager(this IDistributedApplicationBuilder builder, [ResourceName] string name, int? port = null)
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentNullException.ThrowIfNull(name);

        return builder.AddResource(new AlertmanagerResource(name))
            .WithImage(AlertmanagerContainerImageTags.Image, AlertmanagerContainerImageTags.Tag)
            .WithImageRegistry(AlertmanagerContainerImageTags.Registry)
            .WithHttpEndpoint(port: port, targetPort: 9093, name: AlertmanagerResource.PrimaryEndpointName)
            .WithUrlForEndpoint(AlertmanagerResource.PrimaryEndpointName, url => url.DisplayText = "Alertmanager")
            .WithIconName("Alert")
            .WithHttpHealthCheck("/-/ready")
            .WithComposeHttpHealthcheck(9093, "/-/ready")
            // The script takes the receivers that are set up into the configuration, and becomes Alertmanager.
            .WithEntrypoint("/bin/sh")
            .WithArgs(
                $"{ConfigurationDirectory}/start.sh",
                $"--storage.path={DataDirectory}",
                // Silences are kept in memory in between, and a kill would lose them; by default, those of a quarter of
                // an hour.
                "--data.maintenance-interval=1m",
                // One Alertmanager has no peers.
                "--cluster.listen-address=",
                // Distinguishes receivers from the dead man's switch: both may be webhooks.
                "--enable-feature=receiver-name-in-metrics")
            .WithExternalUrl(port)
            .WithAnnotation(new PublishedNetworksAnnotation(PublishedNetworksAnnotation.Backend, PublishedNetworksAnnotation.Sources))
            .WithAnnotation(new PublishedConfinementAnnotation(PublishedConfinementAnnotation.Nobody, Memory: "256m", Cpus: "0.5", Pids: 100) { WritesTo = ["/tmp"] });
    }

    /// <summary>Mounts the folder that holds <c>alertmanager.yml</c> and <c>start.sh</c>, read-only.</summary>
    /// <param name="builder">The resource builder.</param>
    /// <param name="source">The folder, relative to the AppHost's; the package's own unless given.</param>
    /// <returns>The <see cref="IResourceBuilder{T}"/>.</returns>
    public static IResourceBuilder<AlertmanagerResource> WithConfiguration(this IResourceBuilder<AlertmanagerResource> builder, string? source = null) =>
        builder.WithConfigurationFolder("alertmanager", source, ConfigurationDirectory);

    /// <summary>Keeps silences and the log of notifications in a named volume.</summary>
    /// <param name="builder">The resource builder.</param>
    /// <param name="name">The volume's exact name; generated from the application's and the resource's name unless
    /// given.</param>
    /// <returns>The <see cref="IResourceBuilder{T}"/>.</returns>
    public static IResourceBuilder<AlertmanagerResource> WithDataVolume(this IResourceBuilder<AlertmanagerResource> builder, string? name = null)
    {
        ArgumentNullException.ThrowIfNull(builder);

        return builder.WithVolume(name ?? VolumeNameGenerator.Generate(builder, "data"), DataDirectory);
    }

    /// <summary>Sets up the receivers. Secrets are mounted as files and are in no variable.</summary>
    /// <param name="builder">The resource builder.</param>
    /// <param name="settings">The settings; a receiver that they do not have is not set up.</param>
    /// <returns>The <see cref="IResourceBuilder{T}"/>.</returns>
    /// <exception cref="StartupProblemException">A file is not there, or a receiver lacks what it needs; in a published
    /// application the container says so.</exception>
    public static IResourceBuilder<AlertmanagerResource> WithReceivers(this IResourceBuilder<AlertmanagerResource> builder, AlertmanagerOptions settings)
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentNullException.ThrowIfNull(settings);

        if (settings.Enabled && builder.ApplicationBuilder.ExecutionContext.IsRunMode)
        {
            StartupProblemException.ThrowIfAny([.. FindProblems(settings, builder.ApplicationBuilder.AppHostDirectory)]);
        }

        return builder
            .WithSecretFile("alertmanager_webhook_url", settings, nameof(settings.WebhookUrlFile), settings.WebhookUrlFile)
            .WithSecretFile("alertmanager_slack_url", settings, nameof(settings.SlackUrlFile), settings.SlackUrlFile)
            .WithSecretFile("alertmanager_email_password", settings, nameof(settings.EmailPasswordFile), settings.EmailPasswordFile)
            .WithSecretFile("alertmanager_heartbeat_url", settings, nameof(settings.HeartbeatUrlFile), settings.HeartbeatUrlFile)
            .WithEnvironment("SLACK_CHANNEL", settings, nameof(settings.SlackChannel), settings.SlackChannel ?? "")
            .WithEnvironment("EMAIL_TO", settings, nameof(settings.EmailTo), settings.EmailTo ?? "")
            .WithEnvironment("EMAIL_FROM", settings, nameof(settings.EmailFrom), settings.EmailFrom ?? "")
            .WithEnvironment("EMAIL_SERVER", settings, nameof(settings.EmailServer), settings.EmailServer ?? "")
            .WithEnvironment("EMAIL_TLS", settings, nameof(settings.EmailTls), settings.EmailTls)
            .WithEnvironment("EMAIL_USER", settings, nameof(settings.EmailUser), settings.EmailUser ?? "");
    }

    // The other problems, those of a published application too, are the script's to find.
    private static IEnumerable<string> FindProblems(AlertmanagerOptions settings, string folder)
    {
        var section = $"{HazumuOptions.SectionName}:{settings.Section}";
        foreach (var problem in settings.FindMissingFiles(
            folder,
            (nameof(settings.WebhookUrlFile), settings.WebhookUrlFile),
            (nameof(settings.SlackUrlFile), settings.SlackUrlFile),
            (nameof(settings.EmailPasswordFile), settings.EmailPasswordFile),
            (nameof(settings.HeartbeatUrlFile), settings.HeartbeatUrlFile)))
        {
            yield return problem;
        }

        if (settings.EmailTo is not null && (settings.EmailServer is null || settings.EmailFrom is null))
        {
            yield return $"'{section}:EmailTo' is set, but not EmailServer and EmailFrom, without which no e-mail can be sent.";
        }

        if (settings.EmailUser is not null && settings.EmailPasswordFile is null)
        {
            yield return $"'{section}:EmailUser' is set, but not EmailPasswordFile, a file with that user's password.";
        }
    }
}
