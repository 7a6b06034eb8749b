using System.Buffers;
using System.IO.Pipelines;
using System.Net;
using System.Text.Json;
using System.Text.Json.Nodes;
using Hazumu.Gateway.Keys;
using Hazumu.Gateway.Pipeline;
using Hazumu.Gateway.Pipeline.Requests;
using Hazumu.Gateway.Telemetry;
using Hazumu.Gateway.Upstreams;
using Microsoft.AspNetCore.Http.Features;

namespace Hazumu.Gateway.Console;

/// <summary>A request of the console's.</summary>
/// <param name="Method">The method.</param>
/// <param name="Path">The path, of Ollama's API.</param>
/// <param name="Body">The body.</param>
/// <param name="Instance">The instance that it is for; <see langword="null"/> if the gateway chooses.</param>
internal sealed record OwnRequest(string Method, string Path, JsonObject Body, string? Instance = null);

/// <summary>How a request of the console's ended.</summary>
/// <param name="Status">The status; 499 if it was cancelled.</param>
/// <param name="Problem">The error message; <see langword="null"/> if there was none.</param>
/// <param name="Phases">Where its time went.</param>
/// <param name="Request">What the gateway knows of it.</param>
internal sealed record OwnAnswer(int Status, string? Problem, RequestPhases Phases, GatewayRequest? Request);

/// <summary>Sends requests of the console's through the gateway's own pipeline, for the caller who is signed in.</summary>
internal sealed class OwnRequests(RequestPipeline pipeline, IServiceScopeFactory scopes)
{
    private const int LongestLine = 1024 * 1024;

    /// <summary>Sends a request.</summary>
    /// <param name="caller">The caller.</param>
    /// <param name="address">The address of the caller's browser.</param>
    /// <param name="request">The request.</param>
    /// <param name="onBegun">Gets what the gateway knows of the request while it runs; <see langword="null"/> if nobody wants it.</param>
    /// <param name="onLine">Gets each object of the answer as it comes.</param>
    /// <param name="cancellationToken">Ends it, as a client does that goes away.</param>
    public async Task<OwnAnswer> SendAsync(
        Caller caller, IPAddress? address, OwnRequest request, Action<GatewayRequest>? onBegun, Func<JsonElement, Task> onLine, CancellationToken cancellationToken)
    {
        await using var scope = scopes.CreateAsyncScope();
        using var exchange = new OwnExchange(onBegun, cancellationToken);
        var context = Create(request, address, exchange, scope.ServiceProvider);

        // On a thread of the pool: the caller's renders the page.
        var handling = Task.Run(() => HandleAsync(context, caller, exchange), CancellationToken.None);
        string? problem;
        try
        {
            problem = await ReadAsync(exchange.Answer, onLine);
        }
        finally
        {
            // A page that is gone reads no more.
            await exchange.Answer.CompleteAsync();
            await handling;
        }

        var status = exchange.Request?.StatusCode ?? context.Response.StatusCode;
        return new(
            status,
            problem ?? (status >= 400 && status != StatusCodes.Status499ClientClosedRequest ? $"The answer has the status {status}." : null),
            exchange.Request is { Ended: not 0 } ended ? RequestPhases.Of(ended) : default,
            exchange.Request);
    }

    private async Task HandleAsync(HttpContext context, Caller caller, OwnExchange exchange)
    {
        try
        {
            await pipeline.HandleAsync(context, caller);
        }
        finally
        {
            await exchange.CompleteAsync();
        }
    }

    /// <returns>The error message of the answer; <see langword="null"/> if it has none.</returns>
    private static async Task<string?> ReadAsync(PipeReader answer, Func<JsonElement, Task> onLine)
    {
        string? problem = null;
        while (true)
        {
            var read = await answer.ReadAsync();
            var rest = read.Buffer;
            while (TryTakeLine(ref rest, read.IsCompleted, out var line))
            {
                using var document = Parse(line);
                if (document?.RootElement is { ValueKind: JsonValueKind.Object } element)
                {
                    problem = ErrorOf(element) ?? problem;
                    await onLine(element);
                }
            }

            answer.AdvanceTo(rest.Start, rest.End);
            if (read.IsCompleted || rest.Length > LongestLine)
            {
                return problem;
            }
        }
    }

    private static DefaultHttpContext Create(OwnRequest request, IPAddress? address, OwnExchange exchange, IServiceProvider services)
    {
        var body = JsonSerializer.SerializeToUtf8Bytes(request.Body);
        var features = new FeatureCollection();
        features.Set<IHttpRequestFeature>(new HttpRequestFeature
        {
            Method = request.Method,
            Scheme = Uri.UriSchemeHttp,
            Protocol = "HTTP/1.1",
            Path = request.Path,
            RawTarget = request.Path,
            Body = new MemoryStream(body, writable: false),
        });
        features.Set<IHttpResponseFeature>(exchange);
        features.Set<IHttpResponseBodyFeature>(exchange);
        features.Set<IHttpRequestLifetimeFeature>(exchange);
        features.Set<IHttpConnectionFeature>(new HttpConnectionFeature { RemoteIpAddress = address });
        var context = new DefaultHttpContext(features) { RequestServices = services };
        context.Request.Host = new HostString("localhost");
        context.Request.ContentType = "application/json";
        context.Request.ContentLength = body.Length;
        context.Request.Headers.UserAgent = "hazumu-console";
        if (request.Instance is { } instance)
        {
            context.Request.Headers[GatewayHeaders.Instance] = GatewayHeaders.Encode(instance);
        }

        return context;
    }

    private static bool TryTakeLine(ref ReadOnlySequence<byte> rest, bool isEnd, out ReadOnlySequence<byte> line)
    {
        if (rest.PositionOf((byte)'\n') is { } end)
        {
            line = rest.Slice(0, end);
            rest = rest.Slice(rest.GetPosition(1, end));
            return true;
        }

        // An answer in one piece has no line break.
        line = rest;
        rest = isEnd ? rest.Slice(rest.End) : rest;
        return isEnd && !line.IsEmpty;
    }

    private static JsonDocument? Parse(ReadOnlySequence<byte> line)
    {
        try
        {
            return line.IsEmpty ? null : JsonDocument.Parse(line);
        }
        catch (JsonException)
        {
            // No object: the status says what became of the request.
            return null;
        }
    }

    private static string? ErrorOf(JsonElement element) =>
        element.TryGetProperty("error", out var error)
            ? error.ValueKind == JsonValueKind.Object && error.TryGetProperty("message", out var message) ? message.ToString() : error.ToString()
            : null;
}
