using System.ComponentModel;
using Aspire.Hosting.Utils;
using Hazumu.AppHost;
using Hazumu.AppHost.Caddy;
using Hazumu.AppHost.Health;
using Hazumu.AppHost.Preflight;
using Hazumu.AppHost.Publishing;
using Microsoft.Extensions.DependencyInjection;
using YamlDotNet.RepresentationModel;

namespace Aspire.Hosting;

/// <summary>Provides extension methods for adding Grafana servers to the application model.</summary>
public static class GrafanaBuilderExtensions
{
    private const string DataDirectory = "/var/lib/grafana";
    private const string AccessDirectory = "/etc/grafana/access";
    private const string Password = "GF_SECURITY_ADMIN_PASSWORD";
    private const string RootUrl = "GF_SERVER_ROOT_URL";

    /// <summary>Adds a Grafana server.</summary>
    /// <remarks>This version defaults to the <inheritdoc cref="GrafanaContainerImageTags.Tag"/> tag of the <inheritdoc cref="GrafanaContainerImageTags.Image"/> container image.</remarks>
    /// <param name="builder">The <see cref="IDistributedApplicationBuilder"/>.</param>
    /// <param name="name">The name of the resource.</param>
    /// <param name="port">The host port; a random one unless given.</param>
    /// <param name="adminUser">The administrator's name.</param>
    /// <param name="adminPassword">The administrator's password.</param>
    /// <returns>The <see cref="IResourceBuilder{T}"/>.</returns>
    public static IResourceBuilder<GrafanaResource> AddGrafana(this IDistributedApplicationBuilder builder, [ResourceName] string name, int? port, IResourceBuilder<ParameterResource> adminUser, IResourceBuilder<ParameterResource> adminPassword)
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentNullException.ThrowIfNull(name);
        ArgumentNullException.ThrowIfNull(adminUser);
        ArgumentNullException.ThrowIfNull(adminPassword);

        var resource = builder.AddResource(new GrafanaResource(name, adminUser.Resource, adminPassword.Resource));
        return resource
            .WithImage(GrafanaContainerImageTags.Image, GrafanaContainerImageTags.Tag)
            .WithImageRegistry(GrafanaContainerImageTags.Registry)
            .WithHttpEndpoint(port: port, targetPort: 3000, name: GrafanaResource.PrimaryEndpointName)
            .WithUrlForEndpoint(GrafanaResource.PrimaryEndpointName, url => url.DisplayText = "Grafana")
            .WithIconName("ChartMultiple")
            .WithHttpHealthCheck("/api/health")
            .WithComposeHttpHealthcheck(3000, "/api/health")
            .WithAdministrator(adminUser, adminPassword)
            .WithAnnotation(new PublishedNetworksAnnotation(PublishedNetworksAnnotation.Backend, PublishedNetworksAnnotation.Edge))
            .WithAnnotation(new PublishedConfinementAnnotation("472:0", Memory: "1g", Cpus: "1", Pids: 500) { Tmp = true })
            // Nothing is sent to grafana.com: the host is meant for machines without internet too.
            .WithEnvironment("GF_ANALYTICS_REPORTING_ENABLED", "false")
            .WithEnvironment("GF_ANALYTICS_CHECK_FOR_UPDATES", "false")
            .WithEnvironment("GF_ANALYTICS_CHECK_FOR_PLUGIN_UPDATES", "false")
            .WithEnvironment("GF_NEWS_NEWS_FEED_ENABLED", "false")
            .WithCommand("reset-admin-password", "Reset admin password", context => ResetPasswordAsync(resource.Resource, context), new CommandOptions
            {
                // Grafana takes the variable's password only on the first start of a volume (grafana/grafana#49055).
                Description = "Sets the administrator's password to the value of the parameter, which Grafana by itself reads only on its first start.",
                ConfirmationMessage = "Set the administrator's password to the parameter's value?",
                IconName = "KeyReset",
                UpdateState = CommandState.WhileHealthy,
            });
    }

    /// <summary>Mounts the folders <c>provisioning</c> and <c>dashboards</c>, read-only.</summary>
    /// <param name="builder">The resource builder.</param>
    /// <param name="source">The folder that holds both, relative to the AppHost's.</param>
    /// <returns>The <see cref="IResourceBuilder{T}"/>.</returns>
    public static IResourceBuilder<GrafanaResource> WithConfiguration(this IResourceBuilder<GrafanaResource> builder, string source)
    {
        ArgumentException.ThrowIfNullOrEmpty(source);

        return builder
            .WithConfigurationFolder(Path.Combine(source, "provisioning"), "/etc/grafana/provisioning")
            .WithConfigurationFolder(Path.Combine(source, "dashboards"), "/etc/grafana/dashboards")
            .WithConfigurationFolder(Path.Combine(source, "access"), AccessDirectory);
    }

    /// <summary>Shuts what development leaves open, and tells Grafana under which address people see it; does nothing to a graph of development's.</summary>
    /// <param name="builder">The resource builder.</param>
    /// <param name="settings">Grafana's settings.</param>
    /// <returns>The <see cref="IResourceBuilder{T}"/>.</returns>
    public static IResourceBuilder<GrafanaResource> WithProduction(this IResourceBuilder<GrafanaResource> builder, ComponentOptions settings)
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentNullException.ThrowIfNull(settings);

        var edge = settings.Host.Edge;
        if (builder.ApplicationBuilder.ExecutionContext.IsRunMode)
        {
            return settings.Host.Production
                ? builder.WithRestrictions().WithPasswordFile().WithEnvironment(RootUrl, EdgeAddress.OfGrafana(edge) + "/")
                : builder;
        }

        var variables = new ComposeVariables(settings);
        return builder
            .WithRestrictions()
            .WithEnvironment(RootUrl, EdgeAddress.OfPublishedGrafana(edge) + "/")
            .WithDevelopmentEnvironment(RootUrl, $"http://localhost:{variables.Setting(nameof(settings.Port), settings.Port)}/")
            // A browser would not send it back by plain HTTP.
            .WithDevelopmentEnvironment("GF_SECURITY_COOKIE_SECURE", "false")
            .WithSignIn();
    }

    private static IResourceBuilder<GrafanaResource> WithRestrictions(this IResourceBuilder<GrafanaResource> builder) => builder
        .WithEnvironment("GF_SERVER_SERVE_FROM_SUB_PATH", "true")
        .WithEnvironment("GF_AUTH_ANONYMOUS_ENABLED", "false")
        .WithEnvironment("GF_USERS_ALLOW_SIGN_UP", "false")
        .WithEnvironment("GF_USERS_ALLOW_ORG_CREATE", "false")
        .WithEnvironment("GF_SECURITY_COOKIE_SECURE", "true")
        .WithEnvironment("GF_SECURITY_COOKIE_SAMESITE", "lax")
        .WithEnvironment("GF_SECURITY_CONTENT_SECURITY_POLICY", "true")
        .WithEnvironment("GF_SECURITY_DISABLE_GRAVATAR", "true")
        .WithEnvironment("GF_SNAPSHOTS_EXTERNAL_ENABLED", "false");

    // The provider's addresses and the rule that makes a role of its groups. Nothing happens until it is enabled.
    private static IResourceBuilder<GrafanaResource> WithSignIn(this IResourceBuilder<GrafanaResource> builder)
    {
        (string Name, string Default)[] settings =
        [
            ("ENABLED", "false"),
            ("NAME", "Sign in"),
            ("CLIENT_ID", ""),
            ("AUTH_URL", ""),
            ("TOKEN_URL", ""),
            ("API_URL", ""),
            ("SCOPES", "openid profile email groups"),
            ("ROLE_ATTRIBUTE_PATH", "contains(groups[*], 'hazumu-admin') && 'Admin' || contains(groups[*], 'hazumu-operator') && 'Editor' || contains(groups[*], 'hazumu-viewer') && 'Viewer'"),
        ];
        foreach (var (name, fallback) in settings)
        {
            builder.WithEnvironment($"GF_AUTH_GENERIC_OAUTH_{name}", $"${{GRAFANA_OIDC_{name}:-{fallback}}}");
        }

        return builder
            // Who is in none of the groups is not let in.
            .WithEnvironment("GF_AUTH_GENERIC_OAUTH_ROLE_ATTRIBUTE_STRICT", "true")
            .WithEnvironment("GF_AUTH_GENERIC_OAUTH_USE_PKCE", "true")
            .WithSecret("GF_AUTH_GENERIC_OAUTH_CLIENT_SECRET", new PublishedSecretAnnotation("grafana_oidc_secret", $"${{GRAFANA_OIDC_SECRET_FILE:-{PublishedSecretAnnotation.Nothing}}}"));
    }

    private static IResourceBuilder<GrafanaResource> WithAdministrator(this IResourceBuilder<GrafanaResource> builder, IResourceBuilder<ParameterResource> user, IResourceBuilder<ParameterResource> password)
    {
        const string User = "GF_SECURITY_ADMIN_USER";
        var secret = new PublishedSecretAnnotation("grafana_admin_password", "./secrets/grafana_admin_password") { IsRequired = true };
        if (builder.ApplicationBuilder.ExecutionContext.IsRunMode)
        {
            return builder.WithEnvironment(User, user).WithEnvironment(Password, password);
        }

        return builder
            .WithEnvironment(User, "${GRAFANA_ADMIN_USER:-admin}")
            .WithSecret(Password, secret)
            .WithAnnotation(new PublishedTaskAnnotation("access", ["/bin/sh", $"{AccessDirectory}/apply.sh"], [User], [secret, new("grafana_users", "./secrets/grafana_users")]))
            .WithDevelopmentEnvironment(Password, "${GRAFANA_ADMIN_PASSWORD:-admin}")
            // What its database keeps of data sources is encrypted with this; Grafana's own default is known to everybody.
            .WithSecret("GF_SECURITY_SECRET_KEY", new PublishedSecretAnnotation("grafana_secret_key", "./secrets/grafana_secret_key") { IsRequired = true })
            .WithDevelopmentEnvironment("GF_SECURITY_SECRET_KEY", "development")
            // The script looks at both, and becomes Grafana.
            .WithEntrypoint("/bin/sh")
            .WithArgs($"{AccessDirectory}/start.sh")
            .WithDevelopmentForm(service =>
            {
                service.Add("entrypoint", new YamlSequenceNode(ComposeFiles.Quoted("/run.sh")));
                service.Add("command", new YamlSequenceNode());
            });
    }

    private static IResourceBuilder<GrafanaResource> WithPasswordFile(this IResourceBuilder<GrafanaResource> builder)
    {
        var secret = new PublishedSecretAnnotation("grafana_admin_password", "");
        return builder
            .WithContainerFiles(PublishedSecretAnnotation.Directory, async (_, cancellationToken) =>
                [new ContainerFile { Name = secret.Name, Contents = await builder.Resource.AdminPassword.GetValueAsync(cancellationToken) }])
            .WithEnvironment(Password, $"$__file{{{secret.Path}}}");
    }

    // Grafana itself reads the file: the secret is in no variable, not even of its process.
    private static IResourceBuilder<GrafanaResource> WithSecret(this IResourceBuilder<GrafanaResource> builder, string variable, PublishedSecretAnnotation secret) => builder
        .WithAnnotation(secret)
        .WithEnvironment(variable, $"$$__file{{{secret.Path}}}");

    /// <summary>Keeps users, preferences and own dashboards in a named volume.</summary>
    /// <param name="builder">The resource builder.</param>
    /// <param name="name">The volume's exact name; generated from the application's and the resource's name unless given.</param>
    /// <returns>The <see cref="IResourceBuilder{T}"/>.</returns>
    public static IResourceBuilder<GrafanaResource> WithDataVolume(this IResourceBuilder<GrafanaResource> builder, string? name = null)
    {
        ArgumentNullException.ThrowIfNull(builder);

        return builder.WithVolume(name ?? VolumeNameGenerator.Generate(builder, "data"), DataDirectory);
    }

    /// <summary>Names the Prometheus server that the provisioned data source reads.</summary>
    /// <param name="builder">The resource builder.</param>
    /// <param name="prometheus">The server.</param>
    /// <returns>The <see cref="IResourceBuilder{T}"/>.</returns>
    public static IResourceBuilder<GrafanaResource> WithDataSource(this IResourceBuilder<GrafanaResource> builder, IResourceBuilder<PrometheusResource> prometheus) =>
        builder.WithDataSource("PROMETHEUS_URL", prometheus, resource => resource.PrimaryEndpoint);

    /// <summary>Names the Alertmanager that the provisioned data source reads.</summary>
    /// <param name="builder">The resource builder.</param>
    /// <param name="alertmanager">The Alertmanager.</param>
    /// <returns>The <see cref="IResourceBuilder{T}"/>.</returns>
    public static IResourceBuilder<GrafanaResource> WithDataSource(this IResourceBuilder<GrafanaResource> builder, IResourceBuilder<AlertmanagerResource> alertmanager) =>
        builder.WithDataSource("ALERTMANAGER_URL", alertmanager, resource => resource.PrimaryEndpoint);

    private static IResourceBuilder<GrafanaResource> WithDataSource<T>(this IResourceBuilder<GrafanaResource> builder, string variable, IResourceBuilder<T> source, Func<T, EndpointReference> endpoint) where T : IResource
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentNullException.ThrowIfNull(source);

        builder.WithReferenceRelationship(source.Resource);
        return builder.WithEnvironment(context =>
        {
            // It may have been left out of the graph by its settings.
            if (builder.ApplicationBuilder.Resources.Contains(source.Resource))
            {
                context.EnvironmentVariables[variable] = endpoint(source.Resource);
            }
        });
    }

    private static async Task<ExecuteCommandResult> ResetPasswordAsync(GrafanaResource resource, ExecuteCommandContext context)
    {
        var engine = context.Services.GetRequiredService<ContainerEngine>();
        var notifications = context.Services.GetRequiredService<ResourceNotificationService>();
        try
        {
            var container = RunningContainer.GetId(notifications, resource);
            var password = await resource.AdminPassword.GetValueAsync(context.CancellationToken)
                ?? throw new InvalidOperationException($"The parameter '{resource.AdminPassword.Name}' has no value.");

            // By standard input: an argument would be seen in the process list and in the engine's events.
            var reset = await engine.RunAsync(
                ["exec", "--interactive", container, "grafana", "cli", "--homepath", "/usr/share/grafana", "admin", "reset-admin-password", "--password-from-stdin"],
                context.CancellationToken,
                password + "\n");

            return reset.IsSuccess
                ? CommandResults.Success($"The administrator's password is the value of '{resource.AdminPassword.Name}' again.")
                : CommandResults.Failure($"Grafana did not reset the password (exit code {reset.ExitCode}): {reset.StandardError.Trim()}");
        }
        catch (Exception error) when (error is InvalidOperationException or StartupProblemException or Win32Exception)
        {
            return CommandResults.Failure($"The password was not reset: {error.Message}");
        }
    }
}
