using System.Collections.Concurrent;
using System.Diagnostics.Metrics;
using System.Net;
using System.Security.Cryptography.X509Certificates;
using Hazumu.Gateway.Configuration;
using Hazumu.Gateway.Telemetry;
using Hazumu.Gateway.Tests.Streams;
using Hazumu.Gateway.Tests.Telemetry;
using Hazumu.Gateway.Upstreams;
using Hazumu.Testing;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using OpenTelemetry.Metrics;

namespace Hazumu.Gateway.Tests;

/// <summary>
/// The gateway in this process, on a free port of loopback, in front of some engines. It knows them by the time it is here, and at its
/// end there must be no error in its log: whatever a test did to it, that would be a bug.
/// </summary>
internal sealed class TestGateway : IAsyncDisposable, IGatewayUnderTest
{
    private readonly WebApplication _app;
    private readonly Lines _log;
    private readonly SeparateMeterFactory _meters;
    private bool _isDisposed;

    private TestGateway(WebApplication app, Lines log, SeparateMeterFactory meters)
    {
        _app = app;
        _log = log;
        _meters = meters;
        Measured = new Measurements(app.Services.GetRequiredService<IMeterFactory>());
    }

    /// <inheritdoc/>
    public Uri Address { get; private set; } = null!;

    /// <inheritdoc/>
    public HttpClient Http { get; private set; } = null!;

    /// <summary>What it has measured.</summary>
    public Measurements Measured { get; }

    /// <summary>What it knows of the engines.</summary>
    public Fleet Fleet => Service<Fleet>();

    /// <summary>Lines of its log, with their level.</summary>
    public IReadOnlyCollection<string> Logged => _log.All;

    /// <summary>One of its services.</summary>
    public T Service<T>()
        where T : notnull => _app.Services.GetRequiredService<T>();

    /// <summary>Starts one in front of one engine, the instance <c>engine</c>.</summary>
    /// <param name="engine">The engine.</param>
    /// <param name="arguments">Further arguments of its command line: <c>--Gateway:Slots=2</c>.</param>
    public static Task<TestGateway> StartAsync(Uri engine, params string[] arguments) => StartAsync([("engine", engine)], arguments);

    /// <summary>Starts one in front of some engines.</summary>
    /// <param name="instances">The engines and their names.</param>
    /// <param name="arguments">Further arguments of its command line. An endpoint among them takes the place of the free port.</param>
    public static Task<TestGateway> StartAsync(IEnumerable<(string Name, Uri Engine)> instances, params string[] arguments) => StartAsync(instances, null, arguments);

    /// <summary>Starts one with other services than its own.</summary>
    /// <param name="instances">The engines and their names.</param>
    /// <param name="services">Changes the services.</param>
    /// <param name="arguments">Further arguments of its command line.</param>
    public static async Task<TestGateway> StartAsync(IEnumerable<(string Name, Uri Engine)> instances, Action<IServiceCollection>? services, params string[] arguments)
    {
        var log = new Lines();
        var meters = new SeparateMeterFactory();
        var app = GatewayHost.Build(
            [.. GatewayArguments.Of(instances, arguments), "--Gateway:Telemetry:AccessLog:Enabled=false"],
            builder =>
            {
                builder.Logging.ClearProviders().AddProvider(log);
                builder.Services.AddSingleton<IMeterFactory>(meters);
                builder.Services.ConfigureOpenTelemetryMeterProvider(provider => provider.AddMeter(meters.NameOf(TelemetryOptions.MeterName)));
                services?.Invoke(builder.Services);
            });
        var gateway = new TestGateway(app, log, meters);
        try
        {
            await app.StartAsync();
            gateway.Address = new Uri(app.Urls.First());
            gateway.Http = Client(gateway.Address);
            await Wait.UntilAsync(() =>
            {
                Assert.True(!gateway.Fleet.Instances.IsEmpty || !instances.Any(), "No instance has joined.");
                Assert.All(gateway.Fleet.Instances, instance => Assert.True(instance.IsUp == false || instance.Stored is not null));
            });
            return gateway;
        }
        catch
        {
            await app.DisposeAsync();
            throw;
        }
    }

    /// <summary>A client that neither follows, nor unpacks, nor gives up.</summary>
    /// <param name="address">Where to.</param>
    /// <param name="version">HTTP/1.1 unless given.</param>
    /// <param name="certificate">The server's certificate, where that is of its own making.</param>
    public static HttpClient Client(Uri address, Version? version = null, X509Certificate2? certificate = null) => new(new SocketsHttpHandler
    {
        AllowAutoRedirect = false,
        AutomaticDecompression = DecompressionMethods.None,
        UseCookies = false,
        UseProxy = false,
        Expect100ContinueTimeout = TimeSpan.FromSeconds(5),
        SslOptions = new() { RemoteCertificateValidationCallback = (_, shown, _, _) => shown?.GetCertHashString() == certificate?.Thumbprint },
    })
    {
        BaseAddress = address,
        Timeout = TimeSpan.FromSeconds(60),
        DefaultRequestVersion = version ?? HttpVersion.Version11,
        DefaultVersionPolicy = HttpVersionPolicy.RequestVersionExact,
    };

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        if (_isDisposed)
        {
            return;
        }

        _isDisposed = true;
        Http.Dispose();
        using (var now = new CancellationTokenSource(TimeSpan.FromSeconds(2)))
        {
            try
            {
                await _app.StopAsync(now.Token);
            }
            catch (OperationCanceledException)
            {
                // What the test has left running is cut off; the test's own failure must not be hidden behind that.
            }
        }

        await _app.DisposeAsync();
        Measured.Dispose();
        _meters.Dispose();

        // Told by the framework, and not ours to change: a client's connection that is reset in the middle of its body.
        var errors = Logged.Where(line => line.StartsWith(nameof(LogLevel.Error), StringComparison.Ordinal) || line.StartsWith(nameof(LogLevel.Critical), StringComparison.Ordinal))
            .Where(line => !line.Contains("automatic draining of the request body failed", StringComparison.Ordinal)).ToList();
        Assert.True(errors.Count == 0, string.Join('\n', errors));
    }

    private sealed class Lines : ILoggerProvider, ILogger
    {
        private readonly ConcurrentQueue<string> _lines = new();

        public IReadOnlyCollection<string> All => _lines;

        public ILogger CreateLogger(string categoryName) => this;

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => logLevel >= LogLevel.Information;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            if (IsEnabled(logLevel))
            {
                _lines.Enqueue($"{logLevel}: {formatter(state, exception)} {exception}".TrimEnd());
            }
        }

        public void Dispose()
        {
        }
    }
}
