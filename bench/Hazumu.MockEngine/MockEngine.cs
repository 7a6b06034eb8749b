using System.Collections.Concurrent;
using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Transport.Sockets;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace Hazumu.Mocks;

/// <summary>
/// An engine that speaks like Ollama, on a port of loopback: its routes in three dialects, its memory, slots and queue, its errors; with
/// the times, tokens and failures that it is told.
/// </summary>
public sealed class MockEngine : IAsyncDisposable
{
    private readonly ConcurrentDictionary<ConnectionContext, bool> _connections = new();
    private readonly ConcurrentDictionary<string, MockScript> _scripts = new(StringComparer.Ordinal);
    private readonly FaultList _faults = new();
    private readonly Library _library = new();
    private readonly Pacer _pacer;
    private readonly RequestLog _log;
    private readonly ModelScheduler _scheduler;
    private readonly WebApplication _app;
    private volatile MockEngineOptions _options;
    private bool _stopped;

    private MockEngine(MockEngineOptions options)
    {
        _options = options;
        _library.Replace(options.Models);
        _faults.Replace(options.Faults);
        _pacer = new Pacer(options.Lean);
        _log = new RequestLog(() => _options);
        _scheduler = new ModelScheduler(() => _options);
        Answers = new AnswerShapes(options);
        _app = Build(options, new EngineHandler(this, _library, _faults, _scheduler, _log, _pacer, _scripts));
    }

    /// <summary>Where it listens: <c>http://127.0.0.1:port/</c>.</summary>
    public Uri Address { get; private set; } = null!;

    /// <summary>How it behaves. Set it to change that: <c>engine.Options = engine.Options with { ... }</c>; running requests keep what they have read.</summary>
    public MockEngineOptions Options
    {
        get => _options;
        set
        {
            ArgumentNullException.ThrowIfNull(value);
            var before = _options;
            _options = value;
            Answers = new AnswerShapes(value);
            if (!ReferenceEquals(before.Models, value.Models))
            {
                _library.Replace(value.Models);
            }

            if (!ReferenceEquals(before.Faults, value.Faults))
            {
                _faults.Replace(value.Faults);
            }
        }
    }

    /// <summary>What it has counted.</summary>
    public MockStatistics Statistics => _log.Statistics(_scheduler);

    /// <summary>The requests that it remembers, the oldest first.</summary>
    public IReadOnlyList<MockRequest> Requests => _log.Remembered;

    /// <summary>Names of the models on its disk.</summary>
    public IReadOnlyList<string> Models => [.. _library.Models.Select(model => model.Name)];

    /// <summary>Names of the models in its memory.</summary>
    public IReadOnlyList<string> LoadedModels => [.. _scheduler.Loaded().Select(loaded => loaded.Model.Name)];

    internal AnswerShapes Answers { get; private set; }

    /// <summary>Starts an engine.</summary>
    public static async Task<MockEngine> StartAsync(MockEngineOptions? options = null, CancellationToken cancellation = default)
    {
        var engine = new MockEngine(options ?? new MockEngineOptions());
        await engine._app.StartAsync(cancellation).ConfigureAwait(false);
        engine.Address = new Uri(engine._app.Services.GetRequiredService<IServer>()
            .Features.GetRequiredFeature<IServerAddressesFeature>().Addresses.First());
        return engine;
    }

    /// <summary>Runs an engine until the process is asked to end, and writes where it listens. It remembers no requests unless told, so that it can run for long.</summary>
    /// <param name="json">The members of <see cref="MockEngineOptions"/>, durations in seconds.</param>
    public static async Task RunAsync(string json)
    {
        ArgumentNullException.ThrowIfNull(json);
        var options = ControlRoutes.Read(json);
        await using var engine = await StartAsync(
            json.Contains("rememberedRequests", StringComparison.Ordinal) ? options : options with { RememberedRequests = 0 })
            .ConfigureAwait(false);
        await Console.Out.WriteLineAsync($"Listening on {engine.Address}").ConfigureAwait(false);
        await engine._app.WaitForShutdownAsync().ConfigureAwait(false);
    }

    /// <summary>Makes something go wrong, after whatever was injected before and has not struck yet.</summary>
    public void Inject(MockFault fault)
    {
        ArgumentNullException.ThrowIfNull(fault);
        _faults.Add(fault);
    }

    /// <summary>Takes back every fault that has not struck.</summary>
    public void ClearFaults() => _faults.Replace([]);

    /// <summary>Answers every request of a path with a script, instead of what the engine does there; <see langword="null"/> ends that.</summary>
    public void Script(string path, MockScript? script)
    {
        if (script is null)
        {
            _scripts.TryRemove(path, out _);
        }
        else
        {
            _scripts[path] = script;
        }
    }

    /// <summary>Forgets requests and counts; models stay where they are.</summary>
    public void ResetStatistics()
    {
        _log.Reset();
        _scheduler.Reset();
    }

    /// <summary>Puts every idle model out of memory.</summary>
    public void UnloadAll() => _scheduler.UnloadIdle();

    /// <summary>Waits until a condition holds.</summary>
    /// <exception cref="TimeoutException">It did not within <paramref name="timeout"/>, 10 s unless given.</exception>
    public async Task WaitUntilAsync(Func<MockEngine, bool> condition, TimeSpan? timeout = null)
    {
        ArgumentNullException.ThrowIfNull(condition);
        var limit = timeout ?? TimeSpan.FromSeconds(10);
        var deadline = Environment.TickCount64 + (long)limit.TotalMilliseconds;
        while (!condition(this))
        {
            if (Environment.TickCount64 > deadline)
            {
                throw new TimeoutException($"The condition did not hold within {limit}. {Statistics}");
            }

            await Task.Delay(2).ConfigureAwait(false);
        }
    }

    /// <summary>Waits until as many requests as told, that fit, have been seen, and gives the last of them.</summary>
    /// <exception cref="TimeoutException">They were not within <paramref name="timeout"/>, 10 s unless given.</exception>
    public async Task<MockRequest> WaitForRequestAsync(
        Func<MockRequest, bool>? fits = null, int count = 1, TimeSpan? timeout = null)
    {
        MockRequest? found = null;
        await WaitUntilAsync(
            engine => (found = engine.Requests.Where(request => fits?.Invoke(request) ?? true).ElementAtOrDefault(count - 1)) is not null,
            timeout).ConfigureAwait(false);
        return found!;
    }

    /// <summary>
    /// Dies as a killed process does: open connections are cut, new ones refused. To come back, start another engine with
    /// <see cref="MockEngineOptions.Port"/> set to the port of <see cref="Address"/>; its memory is empty then.
    /// </summary>
    public async Task KillAsync()
    {
        if (_stopped)
        {
            return;
        }

        _stopped = true;
        // What listens goes first, so that no connection comes in behind the cut.
        var stop = _app.StopAsync(new CancellationToken(canceled: true));
        foreach (var connection in _connections.Keys)
        {
            connection.Abort();
        }

        await stop.ConfigureAwait(false);
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await KillAsync().ConfigureAwait(false);
        await _app.DisposeAsync().ConfigureAwait(false);
        _pacer.Dispose();
    }

    private WebApplication Build(MockEngineOptions options, EngineHandler handler)
    {
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.Services.Configure<HostOptions>(host => host.ShutdownTimeout = TimeSpan.Zero);
        if (options.Lean)
        {
            builder.Services.Configure<SocketTransportOptions>(socket => socket.UnsafePreferInlineScheduling = true);
        }

        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel =>
        {
            kestrel.AddServerHeader = false;
            kestrel.Limits.MaxRequestBodySize = null;

            // About what Go takes.
            kestrel.Limits.MaxRequestLineSize = 512 * 1024;
            kestrel.Limits.MaxRequestHeadersTotalSize = 512 * 1024;
            kestrel.Limits.MaxRequestHeaderCount = 10_000;
            kestrel.Limits.MinRequestBodyDataRate = null;
            kestrel.Limits.MinResponseDataRate = null;
            if (options.Anywhere)
            {
                kestrel.ListenAnyIP(options.Port, Listen);
                return;
            }

            for (var address = 1; address <= options.Addresses; address++)
            {
                kestrel.Listen(new IPAddress([127, 0, 0, (byte)address]), options.Port, Listen);
            }
        });

        var app = builder.Build();
        app.Run(handler.HandleAsync);
        return app;
    }

    private void Listen(ListenOptions listen)
    {
        listen.Protocols = HttpProtocols.Http1;
        listen.Use(next => async connection =>
        {
            _connections.TryAdd(connection, true);
            try
            {
                await next(connection).ConfigureAwait(false);
            }
            finally
            {
                _connections.TryRemove(connection, out _);
            }
        });
    }
}
