using System.Buffers;
using Hazumu.Gateway.Pipeline.Operations;
using Hazumu.Gateway.Streams;
using Microsoft.AspNetCore.Http.Features;

namespace Hazumu.Gateway.Pipeline.Requests;

/// <summary>
/// Sends empty chunks to a client that waits for its stream to begin, so that no proxy in between closes the
/// connection. The first chunk commits the status 200; a later error is written into the stream.
/// </summary>
/// <remarks>
/// A chunk is a comment in a stream of events. In a stream of JSON lines, it is a space, which is part of the first
/// line: Ollama's client for Go fails at an empty line (<c>api/client.go</c>, <c>stream</c>), and all clients accept
/// white space before an object. It writes only while the request waits, in the request's own flow, so that nothing
/// else writes at the same time.
/// </remarks>
internal sealed class KeepAlive
{
    private const string EventStream = "text/event-stream";
    private const string Lines = "application/x-ndjson";

    private readonly HttpContext _context;
    private readonly GatewayRequest _request;
    private readonly TimeSpan _interval;

    private KeepAlive(HttpContext context, GatewayRequest request, TimeSpan interval) =>
        (_context, _request, _interval) = (context, request, interval);

    /// <summary>Whether it has sent something, and with it the status 200 and the headers.</summary>
    public bool HasBegun { get; private set; }

    private string ContentType => _request.Operation.Dialect == Dialect.Native ? Lines : EventStream;

    /// <summary>
    /// Keeps a request alive that waits for a stream; <see langword="null"/> for any other, or if the setting is off.
    /// </summary>
    public static KeepAlive? For(HttpContext context, GatewayRequest request, TimeSpan? interval) =>
        interval is { } set && request is { WantsStream: true, Operation: { Handling: Handling.Infer, HasEndMark: true } }
            ? new(context, request, set)
            : null;

    /// <summary>Waits for a task.</summary>
    public async Task<T> WaitAsync<T>(Task<T> task)
    {
        using var end = new CancellationTokenSource();
        while (await Task.WhenAny(task, Task.Delay(_interval, _request.Clock, end.Token)) != task)
        {
            await WriteAsync();
        }

        await end.CancelAsync();
        return await task;
    }

    /// <summary>
    /// Writes an error into the stream, and breaks the stream off: a client that passes over the error must not take it
    /// for a whole answer.
    /// </summary>
    public async ValueTask WriteErrorAsync(GatewayRefusal refusal)
    {
        var output = _context.Response.BodyWriter;
        DialectError.WriteInStream(output, _context, _request.Operation.Dialect, refusal.Message, refusal.Status);
        await output.FlushAsync();
        await Delivery.WaitAsync(_request.Clock);
        _context.Abort();
    }

    private async ValueTask WriteAsync()
    {
        if (HasBegun)
        {
            await SendAsync();
            return;
        }

        // If the engine's headers have arrived and the answer is not a stream, nothing is sent.
        var response = _context.Response;
        var contentType = response.ContentType ?? ContentType;
        if (response is not { ContentLength: null, StatusCode: StatusCodes.Status200OK }
            || !contentType.StartsWith(ContentType, StringComparison.OrdinalIgnoreCase))
        {
            return;
        }

        // Not those of an attempt that may yet fail.
        response.Clear();
        (response.ContentType, HasBegun) = (ContentType, true);
        await SendAsync();

        // For the attempts, nothing has begun yet: they may fail and be repeated.
        var sent = _context.Features.GetRequiredFeature<IHttpResponseFeature>();
        _context.Features.Set<IHttpResponseFeature>(new UnsentHead(sent));
    }

    private async ValueTask SendAsync()
    {
        _context.Response.BodyWriter.Write(ContentType == Lines ? " "u8 : ": keep-alive\n\n"u8);
        await _context.Response.BodyWriter.FlushAsync();
    }

    /// <summary>
    /// Status and headers that are set after those of the client's answer were sent: they go nowhere.
    /// </summary>
    private sealed class UnsentHead(IHttpResponseFeature sent) : IHttpResponseFeature
    {
        public int StatusCode { get; set; } = StatusCodes.Status200OK;

        public string? ReasonPhrase { get; set; }

        public IHeaderDictionary Headers { get; set; } = new HeaderDictionary();

        [Obsolete("As in the interface.")]
        public Stream Body
        {
            get => sent.Body;
            set => sent.Body = value;
        }

        public bool HasStarted => false;

        public void OnStarting(Func<object, Task> callback, object state)
        {
        }

        public void OnCompleted(Func<object, Task> callback, object state) => sent.OnCompleted(callback, state);
    }
}

/// <summary>An instance's connections, by which a client is kept alive that waits for the instance's headers.</summary>
internal sealed class KeepAliveHandler(HttpMessageInvoker client, KeepAlive keepAlive) : HttpMessageHandler
{
    /// <inheritdoc/>
    protected override Task<HttpResponseMessage> SendAsync(
        HttpRequestMessage request, CancellationToken cancellationToken) =>
        keepAlive.WaitAsync(client.SendAsync(request, cancellationToken));
}
