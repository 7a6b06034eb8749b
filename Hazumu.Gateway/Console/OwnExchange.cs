using System.IO.Pipelines;
using Hazumu.Gateway.Pipeline.Requests;
using Microsoft.AspNetCore.Http.Features;

namespace Hazumu.Gateway.Console;

/// <summary>
/// The server's side of a request that the console sends through the gateway's own pipeline, without a connection: it is admitted, limited,
/// counted and logged like any client's.
/// </summary>
internal sealed class OwnExchange : HttpResponseFeature, IHttpResponseBodyFeature, IHttpRequestLifetimeFeature, IDisposable
{
    private readonly Pipe _answer = new(new PipeOptions(pauseWriterThreshold: 1024 * 1024, resumeWriterThreshold: 512 * 1024, useSynchronizationContext: false));
    private readonly CancellationTokenSource _aborted;
    private readonly List<(Func<object, Task> Callback, object State)> _starting = [];
    private readonly PipeWriter _writer;
    private readonly Stream _stream;
    private readonly Action<GatewayRequest>? _begun;
    private bool _hasStarted;

    /// <summary>Creates one.</summary>
    /// <param name="begun">Gets what is known of the request when the pipeline has received it.</param>
    /// <param name="cancellationToken">Ends the request, as a client does that goes away.</param>
    public OwnExchange(Action<GatewayRequest>? begun, CancellationToken cancellationToken)
    {
        _begun = begun;
        _aborted = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        RequestAborted = _aborted.Token;
        _writer = new StartingWriter(this);
        _stream = _writer.AsStream(leaveOpen: true);
    }

    /// <summary>What is known of the request; <see langword="null"/> until the pipeline has received it.</summary>
    public GatewayRequest? Request { get; private set; }

    /// <summary>The answer's body.</summary>
    public PipeReader Answer => _answer.Reader;

    /// <inheritdoc/>
    public override bool HasStarted => _hasStarted;

    /// <inheritdoc/>
    Stream IHttpResponseBodyFeature.Stream => _stream;

    /// <inheritdoc/>
    public PipeWriter Writer => _writer;

    /// <inheritdoc/>
    public CancellationToken RequestAborted { get; set; }

    /// <summary>The pipeline has received the request.</summary>
    public void OnBegun(GatewayRequest request)
    {
        Request = request;
        _begun?.Invoke(request);
    }

    /// <inheritdoc/>
    public override void OnStarting(Func<object, Task> callback, object state) => _starting.Add((callback, state));

    /// <inheritdoc/>
    public override void OnCompleted(Func<object, Task> callback, object state)
    {
        // Nothing in the pipeline waits for the end of a connection.
    }

    /// <inheritdoc/>
    public void Abort()
    {
        try
        {
            // Elsewhere: what waits for it must not run in the locks of the one who cancels.
            _ = _aborted.CancelAsync();
        }
        catch (ObjectDisposedException)
        {
            // The request has ended meanwhile.
        }
    }

    /// <inheritdoc/>
    public void DisableBuffering()
    {
        // Nothing is buffered.
    }

    /// <inheritdoc/>
    public async Task StartAsync(CancellationToken cancellationToken = default)
    {
        if (_hasStarted)
        {
            return;
        }

        // The last that was registered comes first, as in Kestrel.
        for (var at = _starting.Count - 1; at >= 0; at--)
        {
            await _starting[at].Callback(_starting[at].State);
        }

        _hasStarted = true;
    }

    /// <inheritdoc/>
    public Task SendFileAsync(string path, long offset, long? count, CancellationToken cancellationToken = default) =>
        throw new NotSupportedException("The gateway sends no files.");

    /// <inheritdoc/>
    public async Task CompleteAsync()
    {
        await StartAsync();
        await _answer.Writer.CompleteAsync();
    }

    /// <inheritdoc/>
    public void Dispose() => _aborted.Dispose();

    // Runs what waits for the start of the answer before the first bytes of it go out.
    private sealed class StartingWriter(OwnExchange exchange) : PipeWriter
    {
        private readonly PipeWriter _next = exchange._answer.Writer;

        public override void Advance(int bytes) => _next.Advance(bytes);

        public override Memory<byte> GetMemory(int sizeHint = 0) => _next.GetMemory(sizeHint);

        public override Span<byte> GetSpan(int sizeHint = 0) => _next.GetSpan(sizeHint);

        public override void CancelPendingFlush() => _next.CancelPendingFlush();

        public override async ValueTask<FlushResult> FlushAsync(CancellationToken cancellationToken = default)
        {
            await exchange.StartAsync(cancellationToken);
            return await _next.FlushAsync(cancellationToken);
        }

        public override void Complete(Exception? exception = null)
        {
            // The console's side completes it, once the pipeline has returned.
        }
    }
}
