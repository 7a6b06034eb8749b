using System.Collections.Concurrent;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace Hazumu.Gateway.Tests.Upstreams;

/// <summary>Answers each path as a recording of a real engine does, and 404 where there is none.</summary>
internal sealed class StubEngine : IAsyncDisposable
{
    private readonly WebApplication _app;

    private StubEngine(WebApplication app) => _app = app;

    /// <summary>Where it listens.</summary>
    public Uri Address => new(_app.Urls.First());

    /// <summary>Status and body by path; may change while it runs.</summary>
    public ConcurrentDictionary<string, (int Status, string Body)> Answers { get; } = new(StringComparer.Ordinal);

    /// <summary>The paths that were requested, in order.</summary>
    public ConcurrentQueue<string> Requested { get; } = new();

    /// <summary>Starts one.</summary>
    public static async Task<StubEngine> StartAsync(params (string Path, int Status, string Body)[] answers)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        var engine = new StubEngine(builder.Build());
        foreach (var (path, status, body) in answers)
        {
            engine.Answers[path] = (status, body);
        }

        engine._app.Run(engine.AnswerAsync);
        await engine._app.StartAsync();
        return engine;
    }

    public async ValueTask DisposeAsync() => await _app.DisposeAsync();

    private Task AnswerAsync(HttpContext context)
    {
        var path = context.Request.Path.Value!;
        Requested.Enqueue(path);
        var (status, body) = Answers.GetValueOrDefault(path, (404, """{"error":{"message":"Not Found"}}"""));
        context.Response.StatusCode = status;
        return context.Response.WriteAsync(body);
    }
}
