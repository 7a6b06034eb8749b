using System.ComponentModel;
using Aspire.Hosting.Utils;
using Hazumu.Hosting.Containers;
using Hazumu.Hosting.Preflight;
using Hazumu.Hosting.Publishing;
using Hazumu.Grafana;
using Microsoft.Extensions.DependencyInjection;
using YamlDotNet.RepresentationModel;

namespace Aspire.Hosting;

/// <summary>Provides extension methods for adding Grafana servers to the application model.</summary>
public static class GrafanaBuilderExtensions
{
    private const string DataDirectory = "/var/lib/grafana";
    private const string AccessDirectory = "/etc/grafana/access";
    private const string DashboardsDirectory = "/etc/grafana/dashboards";

    // Grafana replaces this in a link by the id of the trace.
    private const string TraceId = "${__value.raw}";

    private const string Password = "GF_SECURITY_ADMIN_PASSWORD";
    private const string RootUrl = "GF_SERVER_ROOT_URL";
    private const string SecureCookies = "GF_SECURITY_COOKIE_SECURE";

    private static readonly (string Name, string Value)[] s_restrictions =
    [
        ("GF_SERVER_SERVE_FROM_SUB_PATH", "true"),
        ("GF_AUTH_ANONYMOUS_ENABLED", "false"),
        ("GF_USERS_ALLOW_SIGN_UP", "false"),
        ("GF_USERS_ALLOW_ORG_CREATE", "false"),
        (SecureCookies, "true"),
        ("GF_SECURITY_COOKIE_SAMESITE", "lax"),
        ("GF_SECURITY_CONTENT_SECURITY_POLICY", "true"),
        ("GF_SECURITY_DISABLE_GRAVATAR", "true"),
        // Anybody who has the link sees these, without an account.
        ("GF_SNAPSHOTS_ENABLED", "false"),
        ("GF_SNAPSHOTS_EXTERNAL_ENABLED", "false"),
        ("GF_PUBLIC_DASHBOARDS_ENABLED", "false"),
        // Otherwise an OIDC account with the administrator's address, verified or not, becomes the administrator.
        ("GF_AUTH_OAUTH_ALLOW_INSECURE_EMAIL_LOOKUP", "false"),
        // Wrong passwords lock out the address that they come from, and not the account: anybody could lock out the
        // administrator.
        ("GF_SECURITY_DISABLE_IP_ADDRESS_LOGIN_PROTECTION", "false"),
        ("GF_SECURITY_DISABLE_USERNAME_LOGIN_PROTECTION", "true"),
    ];

    // A group that the provider takes away ends no session: its length limits how long the role lasts.
    private static readonly (string Name, string Variable, string Value)[] s_sessions =
    [
        ("GF_AUTH_LOGIN_MAXIMUM_INACTIVE_LIFETIME_DURATION", "GRAFANA_SESSION_IDLE", "1d"),
        ("GF_AUTH_LOGIN_MAXIMUM_LIFETIME_DURATION", "GRAFANA_SESSION_LIFETIME", "7d"),
    ];

    /// <summary>Adds a Grafana server.</summary>
    /// <remarks>This version defaults to the <inheritdoc cref="GrafanaContainerImageTags.Tag"/> tag of the
    /// <inheritdoc cref="GrafanaContainerImageTags.Image"/> container image.</remarks>
    /// <param name="builder">The <see cref="IDistributedApplicationBuilder"/>.</param>
    /// <param name="name">The name of the resource.</param>
    /// <param name="port">The host port; a random one unless given.</param>
    /// <param name="adminUser">The administrator's name; unless given, the parameter <c>{name}-admin-user</c>, by
    /// default <c>admin</c>.</param>
    /// <param name="adminPassword">The administrator's password; unless given, the parameter
    /// <c>{name}-admin-password</c>, by default generated and kept in the user secrets.</param>
    /// <returns>The <see cref="IResourceBuilder{T}"/>.</returns>
    public static IResourceBuilder<GrafanaResource> AddGrafana(this IDistributedApplicationBuilder builder, [ResourceName] string name, int? port = null, IResourceBuilder<ParameterResource>? adminUser = null, IResourceBuilder<ParameterResource>? adminPassword = null)
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentNullException.ThrowIfNull(name);

        // For the command below.
        builder.AddStartChecks();
        adminUser ??= builder.AddParameter($"{name}-admin-user", () => builder.Configuration[$"Parameters:{name}-admin-user"] ?? "admin");
        adminPassword ??= builder.AddParameter($"{name}-admin-password", new GenerateParameterDefault { MinLength = 22, Special = false }, secret: true, persist: true);
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
            .WithAnnotation(new PublishedConfinementAnnotation("472:0", Memory: "1g", Cpus: "1", Pids: 500) { WritesTo = ["/tmp"] })
            // Nothing is sent to grafana.com: the host is meant for machines without internet too.
            .WithEnvironment("GF_ANALYTICS_REPORTING_ENABLED", "false")
            .WithEnvironment("GF_ANALYTICS_CHECK_FOR_UPDATES", "false")
            .WithEnvironment("GF_ANALYTICS_CHECK_FOR_PLUGIN_UPDATES", "false")
            .WithEnvironment("GF_NEWS_NEWS_FEED_ENABLED", "false")
            .WithEnvironment("GF_PLUGINS_PREINSTALL_DISABLED", "true")
            .WithEnvironment("GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH", $"{DashboardsDirectory}/overview.json")
            .WithCommand("reset-admin-password", "Reset admin password", context => ResetPasswordAsync(resource.Resource, context), new CommandOptions
            {
                // Grafana takes the variable's password only on the first start of a volume (grafana/grafana#49055).
                Description = "Sets the administrator's password to the value of the parameter. Grafana itself reads the parameter only at its first start.",
                ConfirmationMessage = "Set the administrator's password to the parameter's value?",
                IconName = "KeyReset",
                UpdateState = CommandState.WhileHealthy,
            });
    }

    /// <summary>
    /// Writes what Grafana provisions: the files of the folder <c>provisioning</c>, the dashboards of
    /// <see cref="DashboardFiles"/>, and the JSON files
    /// in the folder <c>dashboards</c>. Files for a component that is not in the graph are left out.
    /// </summary>
    /// <param name="builder">The resource builder.</param>
    /// <param name="source">The folder that holds both, relative to the AppHost's; the package's own unless
    /// given.</param>
    /// <returns>The <see cref="IResourceBuilder{T}"/>.</returns>
    public static IResourceBuilder<GrafanaResource> WithConfiguration(this IResourceBuilder<GrafanaResource> builder, string? source = null)
    {
        ArgumentNullException.ThrowIfNull(builder);

        var folder = builder.ApplicationBuilder.FindConfigurationFolder("grafana", source);
        if (builder.ApplicationBuilder.ExecutionContext.IsPublishMode)
        {
            builder.WithProvisioning(folder, $"grafana/{PublishedOptionAnnotation.Logs}", PublishedOptionAnnotation.Logs);
        }

        return builder
            .WithProvisioning(folder, "grafana", option: null)
            // The chart looks at its secrets in a container of its own, before Grafana's.
            .WithPublishedFolder("grafana/access", Path.Combine(folder, "access"), AccessDirectory, "start.sh");
    }

    private static IResourceBuilder<GrafanaResource> WithProvisioning(this IResourceBuilder<GrafanaResource> builder, string source, string name, string? option)
    {
        // Called when all resources are known: the settings may have left some out.
        ILookup<bool, DataSourceAnnotation> Sources() => builder.Resource.Annotations.OfType<DataSourceAnnotation>().ToLookup(annotation =>
            builder.ApplicationBuilder.Resources.Contains(annotation.Source) && PublishedOptionAnnotation.Of(annotation.Source).All(form => form.Option == option));

        return builder
            .WithGeneratedFolder($"{name}/provisioning", "/etc/grafana/provisioning", _ => Task.FromResult<IReadOnlyDictionary<string, string>>(
                ConfigurationFolderExtensions.ReadFolder(Path.Combine(source, "provisioning"))
                    .ExceptBy(Sources()[false].Select(annotation => $"datasources/{annotation.Source.Name}.yml"), file => file.Key)
                    .ToDictionary()), isInChart: true, option)
            .WithGeneratedFolder($"{name}/dashboards", DashboardsDirectory, _ => Task.FromResult(
                DashboardFiles.With(Path.Combine(source, "dashboards"), hasLogs: Sources()[true].Any(annotation => annotation.HasLogs))), isInChart: true, option);
    }

    /// <summary>
    /// Closes what development leaves open, and sets Grafana's public address; a no-op in development.
    /// </summary>
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
                ? builder.WithRestrictions().WithPasswordFile().WithEnvironment(RootUrl, edge.GrafanaUrl + "/")
                : builder;
        }

        var address = settings.Variable(nameof(settings.Port), settings.Port);
        foreach (var (name, value) in s_restrictions)
        {
            // A browser would not send such a cookie back by plain HTTP.
            builder.WithComposeEnvironment(name, value, development: name == SecureCookies ? "false" : null);
        }

        foreach (var (name, variable, value) in s_sessions)
        {
            builder.WithComposeEnvironment(name, $"${{{variable}:-{value}}}");
        }

        return builder
            // Otherwise Grafana would query its data sources through the proxy that Docker's client configuration sets
            // in every container.
            .WithComposeEnvironment("NO_PROXY", "localhost,127.0.0.1,prometheus,alertmanager,loki,edge${NO_PROXY:+,${NO_PROXY:-}}")
            .WithComposeEnvironment(RootUrl, edge.PublishedGrafanaUrl + "/", development: $"http://localhost:{address}/")
            .WithSignIn();
    }

    private static IResourceBuilder<GrafanaResource> WithRestrictions(this IResourceBuilder<GrafanaResource> builder)
    {
        foreach (var (name, value) in s_restrictions)
        {
            builder.WithEnvironment(name, value);
        }

        foreach (var (name, _, value) in s_sessions)
        {
            builder.WithEnvironment(name, value);
        }

        return builder;
    }

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
            builder.WithComposeEnvironment($"GF_AUTH_GENERIC_OAUTH_{name}", $"${{GRAFANA_OIDC_{name}:-{fallback}}}");
        }

        return builder
            // A person in none of the groups may not sign in.
            .WithComposeEnvironment("GF_AUTH_GENERIC_OAUTH_ROLE_ATTRIBUTE_STRICT", "true")
            .WithComposeEnvironment("GF_AUTH_GENERIC_OAUTH_USE_PKCE", "true")
            // With the scope offline_access, where the provider wants that: a session ends when the provider no longer
            // renews it.
            .WithComposeEnvironment("GF_AUTH_GENERIC_OAUTH_USE_REFRESH_TOKEN", "${GRAFANA_OIDC_REFRESH_TOKENS:-false}")
            .WithComposeEnvironment("GF_AUTH_GENERIC_OAUTH_SIGNOUT_REDIRECT_URL", "${GRAFANA_OIDC_SIGNOUT_URL:-}")
            // Compose recreates the container for another file.
            .WithComposeEnvironment("GRAFANA_OIDC_SECRET_FILE", $"${{GRAFANA_OIDC_SECRET_FILE:-{PublishedSecretAnnotation.Nothing}}}")
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
            .WithComposeEnvironment(User, "${GRAFANA_ADMIN_USER:-admin}")
            .WithSecret(Password, secret, development: "${GRAFANA_ADMIN_PASSWORD:-admin}")
            // Encrypts the secrets of data sources in its database; Grafana's own default is public.
            .WithSecret("GF_SECURITY_SECRET_KEY", new PublishedSecretAnnotation("grafana_secret_key", "./secrets/grafana_secret_key") { IsRequired = true }, development: "development")
            .WithAnnotation(new PublishedTaskAnnotation("access", ["/bin/sh", $"{AccessDirectory}/apply.sh"], [User], [secret, new("grafana_users", "./secrets/grafana_users")]))
            // The script looks at both, and becomes Grafana.
            .WithProductionForm(service =>
            {
                service.Add("entrypoint", new YamlSequenceNode(ComposeFiles.Quoted("/bin/sh")));
                service.Add("command", new YamlSequenceNode(ComposeFiles.Quoted($"{AccessDirectory}/start.sh")));
            })
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
    private static IResourceBuilder<GrafanaResource> WithSecret(this IResourceBuilder<GrafanaResource> builder, string variable, PublishedSecretAnnotation secret, string? development = null) => builder
        .WithAnnotation(secret)
        .WithComposeEnvironment(variable, $"$$__file{{{secret.Path}}}", development);

    /// <summary>Keeps users, preferences and own dashboards in a named volume.</summary>
    /// <param name="builder">The resource builder.</param>
    /// <param name="name">The volume's exact name; generated from the application's and the resource's name unless
    /// given.</param>
    /// <returns>The <see cref="IResourceBuilder{T}"/>.</returns>
    public static IResourceBuilder<GrafanaResource> WithDataVolume(this IResourceBuilder<GrafanaResource> builder, string? name = null)
    {
        ArgumentNullException.ThrowIfNull(builder);

        return builder.WithVolume(name ?? VolumeNameGenerator.Generate(builder, "data"), DataDirectory);
    }

    /// <summary>Points the data source of metrics and alert rules at a Prometheus server.</summary>
    /// <param name="builder">The resource builder.</param>
    /// <param name="prometheus">The server, whose endpoint is <c>http</c>.</param>
    /// <returns>The <see cref="IResourceBuilder{T}"/>.</returns>
    public static IResourceBuilder<GrafanaResource> WithPrometheus(this IResourceBuilder<GrafanaResource> builder, IResourceBuilder<IResourceWithEndpoints> prometheus) =>
        builder.WithDataSource(prometheus).WithDataSourceUrl("PROMETHEUS_URL", prometheus.Resource);

    /// <summary>Points the data source of alerts and silences at an Alertmanager.</summary>
    /// <param name="builder">The resource builder.</param>
    /// <param name="alertmanager">The Alertmanager, whose endpoint is <c>http</c>.</param>
    /// <returns>The <see cref="IResourceBuilder{T}"/>.</returns>
    public static IResourceBuilder<GrafanaResource> WithAlertmanager(this IResourceBuilder<GrafanaResource> builder, IResourceBuilder<IResourceWithEndpoints> alertmanager) =>
        builder.WithDataSource(alertmanager).WithDataSourceUrl("ALERTMANAGER_URL", alertmanager.Resource);

    /// <summary>
    /// Points the data source of logs at a Loki, adds the dashboard of logs, and links log lines to their traces.
    /// </summary>
    /// <param name="builder">The resource builder.</param>
    /// <param name="loki">The Loki, whose endpoint is <c>http</c>.</param>
    /// <returns>The <see cref="IResourceBuilder{T}"/>.</returns>
    public static IResourceBuilder<GrafanaResource> WithLoki(this IResourceBuilder<GrafanaResource> builder, IResourceBuilder<IResourceWithEndpoints> loki)
    {
        const string LokiUrl = "LOKI_URL";
        const string Link = "TRACE_LINK";
        builder.WithDataSource(loki, hasLogs: true);
        if (builder.ApplicationBuilder.ExecutionContext.IsRunMode)
        {
            var dashboard = builder.ApplicationBuilder.Configuration["ASPNETCORE_URLS"]?.Split(';')[0];
            return builder
                .WithDataSourceUrl(LokiUrl, loki.Resource)
                .WithEnvironment(Link, dashboard is null ? "" : $"{dashboard}/traces/detail/{TraceId}");
        }

        // No part of a published application keeps traces: without an address lines have no link to theirs.
        return builder.WithComposeForm(PublishedOptionAnnotation.Logs, (service, _) =>
        {
            var environment = service.MappingAt("environment");
            environment.Add(LokiUrl, ComposeFiles.Quoted($"http://{loki.Resource.Name}:{loki.GetEndpoint("http").TargetPort}"));
            environment.Add(Link, ComposeFiles.Quoted($"${{TRACE_URL:+${{TRACE_URL:-}}${TraceId}}}"));
        });
    }

    private static IResourceBuilder<GrafanaResource> WithDataSource(this IResourceBuilder<GrafanaResource> builder, IResourceBuilder<IResourceWithEndpoints> source, bool hasLogs = false)
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentNullException.ThrowIfNull(source);

        return builder
            .WithReferenceRelationship(source.Resource)
            .WithAnnotation(new DataSourceAnnotation(source.Resource, hasLogs));
    }

    private static IResourceBuilder<GrafanaResource> WithDataSourceUrl(this IResourceBuilder<GrafanaResource> builder, string variable, IResourceWithEndpoints source) => builder.WithEnvironment(context =>
    {
        // It may have been left out of the graph by its settings.
        if (builder.ApplicationBuilder.Resources.Contains(source))
        {
            context.EnvironmentVariables[variable] = source.GetEndpoint("http");
        }
    });

    /// <summary>A resource that Grafana reads by <c>datasources/{NAME}.yml</c>.</summary>
    private sealed record DataSourceAnnotation(IResource Source, bool HasLogs) : IResourceAnnotation;

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
