using System.Net;
using System.Text;
using Hazumu.Gateway.Admission;
using Hazumu.Gateway.Cluster;
using Hazumu.Gateway.Configuration;
using Hazumu.Gateway.Console;
using Hazumu.Gateway.Keys;
using Hazumu.Gateway.Names;
using Hazumu.Gateway.Pipeline;
using Hazumu.Gateway.Pipeline.Bodies;
using Hazumu.Gateway.Pipeline.Clients;
using Hazumu.Gateway.Pipeline.Forwarding;
using Hazumu.Gateway.Pipeline.Management;
using Hazumu.Gateway.Pipeline.Steps;
using Hazumu.Gateway.Telemetry;
using Hazumu.Gateway.Upstreams;
using Hazumu.Gateway.Usage;
using Microsoft.AspNetCore.Server.Kestrel.Transport.Sockets;
using Microsoft.Net.Http.Headers;
using OpenTelemetry.Metrics;

namespace Hazumu.Gateway;

/// <summary>Puts the gateway together.</summary>
internal static class GatewayHost
{
    private const string InlineCompletions = "DOTNET_SYSTEM_NET_SOCKETS_INLINE_COMPLETIONS";

    /// <summary>
    /// Has the thread that learns of a socket's data handle it too, instead of waking another: half of what a token costs. Nothing here
    /// blocks such a thread. There is one for each core then, and with fewer, chunks wait for a thread while cores are idle. Call it before
    /// the first socket. A variable that is set already wins.
    /// </summary>
    /// <remarks>Source: dotnet/runtime, SocketAsyncEngine.Unix.cs.</remarks>
    public static void TuneSockets()
    {
        if (Environment.GetEnvironmentVariable(InlineCompletions) is null)
        {
            Environment.SetEnvironmentVariable(InlineCompletions, "1");
        }
    }

    /// <summary>The sources of settings; the later one wins.</summary>
    /// <param name="args">The command line.</param>
    public static ConfigurationBuilder Configure(IReadOnlyList<string> args)
    {
        var builder = new ConfigurationBuilder();
        builder.SetBasePath(AppContext.BaseDirectory);
        builder.AddJsonFile("appsettings.json", optional: true);
        builder.AddJsonFile($"appsettings.{EnvironmentName}.json", optional: true);

        var given = new ConfigurationBuilder().AddEnvironmentVariables().AddCommandLine([.. args]).Build();
        if (given[$"{GatewayOptions.SectionName}:{nameof(GatewayOptions.SettingsFile)}"] is { Length: > 0 } file)
        {
            CheckSettingsFile(file);
            builder.AddJsonFile(Path.GetFullPath(file), optional: false);
        }

        builder.AddEnvironmentVariables();
        builder.AddCommandLine([.. args]);
        return builder;
    }

    /// <summary>Builds the application.</summary>
    /// <param name="args">The command line.</param>
    /// <param name="customise">Changes by a test.</param>
    /// <exception cref="StartupProblemException">A setting is unknown or not allowed, or a file cannot be read.</exception>
    /// <exception cref="KeyFileException">Keys are not valid.</exception>
    public static WebApplication Build(string[] args, Action<WebApplicationBuilder>? customise = null)
    {
        var sources = Configure(args);
        var settings = ReadFirst(sources);

        // Reloading is GatewaySettings'; the framework's would throw in the background at a broken file.
        var builder = WebApplication.CreateBuilder(new WebApplicationOptions { Args = [.. args, "--hostBuilder:reloadConfigOnChange=false"], ContentRootPath = AppContext.BaseDirectory });
        builder.AddServiceDefaults();
        OutputLoggerProvider.Replace(builder.Services);
        AddServer(builder, settings);
        AddServices(builder.Services, sources, settings);

        // Errors during start and stop are thrown to Program, which reports them in one sentence; the host would add
        // the stack of every service.
        var isRunning = false;
        builder.Logging.AddFilter("Microsoft.Extensions.Hosting.Internal.Host", level => isRunning && level >= LogLevel.Information);

        // A line of an error at each probe, for as long as an instance is away: the fleet says it once, when it goes and when it is back.
        builder.Logging.AddFilter("Microsoft.Extensions.Diagnostics.HealthChecks", LogLevel.None);
        customise?.Invoke(builder);

        var app = builder.Build();
        app.Lifetime.ApplicationStarted.Register(() => isRunning = true);
        app.Lifetime.ApplicationStopping.Register(() => isRunning = false);
        app.MapDefaultEndpoints();

        // Health and metrics are endpoints; everything else goes through, whatever its path.
        var gateway = app.Services.GetRequiredService<RequestPipeline>();
        var browsers = app.Services.GetRequiredService<BrowserRules>();
        var management = app.Services.GetRequiredService<GatewaySettings>().Current.Management.Port;
        if (management is not null)
        {
            app.MapGet("/models", ModelReport.Create);
        }

        if (settings.Console.Enabled)
        {
            app.UseConsole(management);
        }

        app.Use(next => context =>
            ManagementPort.IsOwn(context, management) ? browsers.ProtectAsync(context, next)
            : context.Connection.LocalPort == management ? ManagementPort.RefuseAsync(context)
            : gateway.HandleAsync(context));
        Connect(app.Services, app.Lifetime);
        return app;
    }

    private static string EnvironmentName =>
        Environment.GetEnvironmentVariable("ASPNETCORE_ENVIRONMENT") ?? Environment.GetEnvironmentVariable("DOTNET_ENVIRONMENT") ?? Environments.Production;

    private static GatewayOptions ReadFirst(ConfigurationBuilder sources)
    {
        try
        {
            var settings = GatewaySettings.Read(sources.Build());
            EngineModels.Check(settings);
            UsageStore.Check(settings.Usage);
            Budgets.Check(settings);
            return settings;
        }
        catch (Exception error) when (error is InvalidDataException or IOException or UnauthorizedAccessException)
        {
            throw new StartupProblemException($"{error.Message} {error.InnerException?.Message}".TrimEnd());
        }
    }

    private static void CheckSettingsFile(string file)
    {
        try
        {
            RegularFile.Check(file);
        }
        catch (IOException problem)
        {
            throw new StartupProblemException($"'{GatewayOptions.SectionName}:{nameof(GatewayOptions.SettingsFile)}' cannot be read: {problem.Message}");
        }
    }

    private static void AddServer(WebApplicationBuilder builder, GatewayOptions settings)
    {
        builder.WebHost.ConfigureKestrel(kestrel =>
        {
            kestrel.AddServerHeader = false;

            // Headers pass as they came, whatever they are encoded in. Not the length: with an encoding of ours Kestrel closes the connection
            // of a length with more than 20 digits without an answer (HttpRequestHeaders.AppendContentLengthCustomEncoding, .NET 10.0).
            kestrel.RequestHeaderEncodingSelector = static name => name == HeaderNames.ContentLength ? null : Encoding.Latin1;
            kestrel.ResponseHeaderEncodingSelector = static _ => Encoding.Latin1;

            // Blobs have gigabytes. A client that reads slowly is cut by AttemptWatch, not because a terminal was paused for seconds.
            kestrel.Limits.MaxRequestBodySize = null;
            kestrel.Limits.MinResponseDataRate = null;

            // Go's server takes a megabyte of headers with the request's line in it; that for each connection would be memory for the taking.
            kestrel.Limits.MaxRequestLineSize = 64 * 1024;
            kestrel.Limits.MaxRequestHeadersTotalSize = 128 * 1024;
            kestrel.Limits.MaxRequestHeaderCount = 1_000;
            kestrel.Limits.MaxRequestBufferSize = 256 * 1024;
            kestrel.Limits.Http2.MaxRequestHeaderFieldSize = 128 * 1024;

            // Not Kestrel's own limit, which counts the management port's connections too.
            var connections = kestrel.ApplicationServices.GetRequiredService<ClientConnections>();
            kestrel.ConfigureEndpointDefaults(endpoint =>
            {
                if (endpoint.IPEndPoint?.Port != settings.Management.Port)
                {
                    endpoint.Use(connections.Limit);
                }
            });
        });
        if (settings.Management.Port is { } port)
        {
            ManagementPort.Listen(builder, port);
        }

        builder.Services.Configure<SocketTransportOptions>(sockets =>
        {
            sockets.UnsafePreferInlineScheduling = Environment.GetEnvironmentVariable(InlineCompletions) == "1";

            // One system call less for each request, for 4 KB held by each connection that is open.
            sockets.WaitForDataBeforeAllocatingBuffer = false;
        });
        builder.Services.Configure<HostOptions>(host => host.ShutdownTimeout = settings.Timeouts.Drain);
    }

    private static void AddServices(IServiceCollection services, ConfigurationBuilder sources, GatewayOptions settings)
    {
        services.AddSingleton(TimeProvider.System);
        services.AddSingleton(provider => new GatewaySettings(
            sources.Build,
            sources.Sources.OfType<FileConfigurationSource>().Select(source => source.FileProvider?.GetFileInfo(source.Path!).PhysicalPath).OfType<string>(),
            provider.GetRequiredService<ILogger<GatewaySettings>>()));
        services.AddHostedService(provider => provider.GetRequiredService<GatewaySettings>());

        // The gateway's own metrics say more, and none is free: each is a measurement or more for every request.
        services.ConfigureOpenTelemetryMeterProvider(metrics => metrics.AddView(instrument =>
            instrument.Meter.Name is "System.Net.Http" or "System.Net.NameResolution" || instrument.Name is "http.server.request.duration" or "http.server.active_requests"
                ? MetricStreamConfiguration.Drop
                : null));

        services.AddKeys(settings.Keys, settings.Issuers);
        services.AddSingleton(new EndUsers(settings.EndUsers));
        services.AddGatewayTelemetry();
        services.AddSingleton<IFleetGauges, FleetGauges>();

        var calendar = new UsageCalendar(settings.Usage);
        services.AddSingleton(calendar);
        services.AddSingleton(_ => new UsageStore(settings.Usage, calendar));
        services.AddSingleton<UsageWriter>();
        services.AddHostedService(provider => provider.GetRequiredService<UsageWriter>());
        services.AddSingleton<UsageRecording>();
        services.AddSingleton<Budgets>();
        services.AddSingleton<BudgetLedger>();
        services.AddSingleton<BudgetLoader>();
        services.AddHostedService(provider => provider.GetRequiredService<BudgetLoader>());

        services.AddSingleton<ModelNames>();
        services.AddSingleton<PinnedModels>();
        services.AddSingleton<Fleet>();
        services.AddSingleton<NameResolver>(Dns.GetHostAddressesAsync);
        services.AddSingleton<FleetMonitor>();
        services.AddHostedService(provider => provider.GetRequiredService<FleetMonitor>());
        services.AddSingleton<Scheduler>();
        services.AddHostedService(provider => provider.GetRequiredService<Scheduler>());
        AddAdmission(services, settings.Cluster);
        services.AddSingleton<PinnedModelLoader>();
        services.AddHostedService(provider => provider.GetRequiredService<PinnedModelLoader>());
        services.AddSingleton<AttemptWatch>();
        services.AddHostedService(provider => provider.GetRequiredService<AttemptWatch>());

        services.AddSingleton<ClientConnections>();
        // Before the framework's own filter, which believes X-Forwarded-For.
        services.Insert(0, ServiceDescriptor.Singleton<IStartupFilter, TrustedProxies>());
        services.AddSingleton<AddressLimit>();
        services.AddCors();
        services.AddSingleton<BrowserRules>();
        services.AddHttpForwarder();
        services.AddSingleton<RetryBudget>();
        services.AddSingleton<BodyBudget>();
        services.AddSingleton<InstanceBroadcast>();
        services.AddSingleton<ManagementHandler>();
        services.AddSingleton<MergedReads>();
        services.AddSingleton<UsageReads>();
        services.AddSingleton<BudgetHeaders>();
        services.AddSingleton<Receive>();
        services.AddSingleton<Authenticate>();
        services.AddSingleton<NameEndUser>();
        services.AddSingleton<ReadHead>();
        services.AddSingleton<Admit>();
        services.AddSingleton<Forward>();
        services.AddSingleton<Complete>();
        services.AddSingleton<RequestPipeline>();
        services.AddHealthChecks().AddCheck<FleetHealthCheck>("instances");
        if (settings.Console.Enabled)
        {
            services.AddConsole();
        }
    }

    private static void AddAdmission(IServiceCollection services, ClusterOptions cluster)
    {
        if (string.IsNullOrEmpty(cluster.Store))
        {
            services.AddSingleton<IAdmission, LocalAdmission>();
            return;
        }

        ClusterStore.Check(cluster);
        services.AddSingleton<ClusterAdmission>();
        services.AddSingleton<IAdmission>(provider => provider.GetRequiredService<ClusterAdmission>());
        services.AddHostedService(provider => provider.GetRequiredService<ClusterAdmission>());
    }

    private static void Connect(IServiceProvider services, IHostApplicationLifetime lifetime)
    {
        var keys = services.GetRequiredService<KeyStore>();
        var settings = services.GetRequiredService<GatewaySettings>();
        settings.Checking += EngineModels.Check;
        settings.Checking += Budgets.Check;

        // All is read before any of it is taken: a later check may still reject the settings.
        var issuers = services.GetRequiredService<TokenIssuers>();
        Action takeKeys = () => { };
        TokenIssuer[] read = [];
        settings.Checking += options => (takeKeys, read) = (keys.Prepare(options.Keys), issuers.Prepare(options.Issuers));
        settings.Changed += _ =>
        {
            takeKeys();
            issuers.Use(read);
        };

        // Rejects queued requests immediately; Kestrel drains those that run.
        lifetime.ApplicationStopping.Register(services.GetRequiredService<IAdmission>().Stop);
    }
}
