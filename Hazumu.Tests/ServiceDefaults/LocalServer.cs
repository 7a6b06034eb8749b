using System.Diagnostics.Metrics;
using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Hazumu.Tests.ServiceDefaults;

/// <summary>A small ASP.NET Core application on Kestrel, on a free port of 127.0.0.1.</summary>
internal sealed class LocalServer : IAsyncDisposable
{
    private static readonly TimeSpan s_limit = TimeSpan.FromSeconds(30);

    private bool _stopped;

    private LocalServer(WebApplication app)
    {
        App = app;
        Url = app.Urls.Single();
        Client = new HttpClient { BaseAddress = new Uri(Url), Timeout = s_limit };
    }

    public WebApplication App { get; }

    /// <summary>A client of the server that has nothing to do with the server's own clients.</summary>
    public HttpClient Client { get; }

    /// <summary>Where the server listens: <c>http://127.0.0.1:43211</c>.</summary>
    public string Url { get; }

    /// <summary>Starts a service with our defaults.</summary>
    /// <param name="settings">Configuration, above what the process environment says.</param>
    /// <param name="configure">More for the builder, after the defaults.</param>
    /// <param name="map">More for the application, after the default endpoints.</param>
    /// <param name="name">The application's name.</param>
    public static Task<LocalServer> StartServiceAsync(
        IReadOnlyDictionary<string, string?>? settings = null,
        Action<WebApplicationBuilder>? configure = null,
        Action<WebApplication>? map = null,
        string name = "Hazumu.Sample") =>
        StartAsync(
            name,
            settings,
            builder =>
            {
                builder.AddServiceDefaults();
                configure?.Invoke(builder);
            },
            app =>
            {
                app.MapDefaultEndpoints();
                map?.Invoke(app);
            });

    /// <summary>Starts a server without our defaults.</summary>
    public static Task<LocalServer> StartPlainAsync(Action<WebApplication> map) => StartAsync("plain", null, _ => { }, map);

    /// <summary>A builder that neither the process environment's OTLP settings nor the console reach.</summary>
    public static WebApplicationBuilder CreateBuilder(string name, IReadOnlyDictionary<string, string?>? settings = null)
    {
        var builder = WebApplication.CreateBuilder(new WebApplicationOptions
        {
            ApplicationName = name,
            EnvironmentName = Environments.Production,
            ContentRootPath = AppContext.BaseDirectory,
        });
        builder.Logging.ClearProviders();
        builder.Services.AddSingleton<IMeterFactory>(new LastingMeterFactory());
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, 0));

        var otlp = builder.Configuration.AsEnumerable()
            .Where(setting => setting.Key.StartsWith("OTEL_", StringComparison.OrdinalIgnoreCase))
            .Select(setting => KeyValuePair.Create(setting.Key, (string?)null))
            .ToList();
        builder.Configuration.AddInMemoryCollection(otlp);
        builder.Configuration.AddInMemoryCollection(settings);
        return builder;
    }

    /// <summary>Stops the server, and so sends what its telemetry still holds back.</summary>
    public async Task StopAsync()
    {
        if (_stopped)
        {
            return;
        }

        _stopped = true;
        using var limit = new CancellationTokenSource(s_limit);
        await App.StopAsync(limit.Token);
        await App.DisposeAsync().AsTask().WaitAsync(s_limit);
    }

    public async ValueTask DisposeAsync()
    {
        Client.Dispose();
        await StopAsync();
    }

    private static async Task<LocalServer> StartAsync(
        string name,
        IReadOnlyDictionary<string, string?>? settings,
        Action<WebApplicationBuilder> configure,
        Action<WebApplication> map)
    {
        var builder = CreateBuilder(name, settings);
        configure(builder);

        var app = builder.Build();
        map(app);

        using var limit = new CancellationTokenSource(s_limit);
        await app.StartAsync(limit.Token);
        return new LocalServer(app);
    }
}
