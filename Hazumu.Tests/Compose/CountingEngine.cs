using System.Globalization;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Hazumu.Tests.Compose;

/// <summary>An engine in the test's own process that streams for a second, and counts how many requests it runs at once.</summary>
public sealed class CountingEngine : IAsyncDisposable
{
    /// <summary>The one model that it has, in memory always.</summary>
    public const string Model = "counted:latest";

    private const int Chunks = 20;

    private static readonly TimeSpan s_pace = TimeSpan.FromMilliseconds(50);

    private readonly WebApplication _app;
    private int _running;
    private int _most;

    private CountingEngine(WebApplication app) => _app = app;

    /// <summary>The port that it listens on, at every address of this machine: containers have to reach it.</summary>
    public int Port => new Uri(_app.Urls.Single().Replace("[::]", "localhost", StringComparison.Ordinal)).Port;

    /// <summary>The most that it has run at once.</summary>
    public int Most => Volatile.Read(ref _most);

    /// <summary>Starts one.</summary>
    public static async Task<CountingEngine> StartAsync()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        var app = builder.Build();
        app.Urls.Add("http://*:0");

        var engine = new CountingEngine(app);
        object[] models = [new { name = Model, model = Model, size = 1, size_vram = 1, digest = "0", details = new { }, expires_at = DateTimeOffset.MaxValue.AddYears(-1000).ToString("O", CultureInfo.InvariantCulture) }];
        app.MapGet("/", () => "Ollama is running");
        app.MapGet("/api/version", () => new { version = "0.0.0" });
        app.MapGet("/api/tags", () => new { models });
        app.MapGet("/api/ps", () => new { models });
        app.MapPost("/api/generate", engine.GenerateAsync);
        await app.StartAsync();
        return engine;
    }

    /// <inheritdoc/>
    public ValueTask DisposeAsync() => _app.DisposeAsync();

    private async Task GenerateAsync(HttpContext context)
    {
        var running = Interlocked.Increment(ref _running);
        for (var most = Most; running > most; most = Most)
        {
            Interlocked.CompareExchange(ref _most, running, most);
        }

        try
        {
            context.Response.ContentType = "application/x-ndjson";
            for (var chunk = 0; chunk < Chunks; chunk++)
            {
                await context.Response.WriteAsync($$"""{"model":"{{Model}}","response":"a","done":false}""" + "\n", context.RequestAborted);
                await context.Response.Body.FlushAsync(context.RequestAborted);
                await Task.Delay(s_pace, context.RequestAborted);
            }

            await context.Response.WriteAsync($$"""{"model":"{{Model}}","response":"","done":true,"done_reason":"stop","prompt_eval_count":1,"eval_count":{{Chunks}}}""" + "\n", context.RequestAborted);
        }
        catch (OperationCanceledException) when (context.RequestAborted.IsCancellationRequested)
        {
            // The gateway, or its client, has gone.
        }
        finally
        {
            Interlocked.Decrement(ref _running);
        }
    }
}
