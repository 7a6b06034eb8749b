using System.Buffers;
using System.Globalization;
using System.Net;
using System.Runtime.ExceptionServices;
using Hazumu.Gateway.Admission;
using Hazumu.Gateway.Configuration;
using Hazumu.Gateway.Pipeline.Bodies;
using Hazumu.Gateway.Pipeline.Requests;
using Hazumu.Gateway.Translation;
using Hazumu.Gateway.Upstreams;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Net.Http.Headers;
using Yarp.ReverseProxy.Forwarder;

namespace Hazumu.Gateway.Pipeline.Forwarding;

/// <summary>
/// One try at one instance, by YARP's forwarder, which makes the request and copies headers; the answer's body is
/// copied here, through the tap.
/// </summary>
/// <remarks>
/// YARP's own copying waits for data with a read of zero bytes before each read, so that it holds no buffer while it
/// waits; that costs two more system calls for each token. Here, a small buffer is held, and available pieces are sent
/// together.
/// </remarks>
#pragma warning disable CA1001 // The source is never disposed: a late look of the watch may still cancel it, and it holds nothing but memory.
internal sealed class Attempt : HttpTransformer
#pragma warning restore CA1001
{
    // A token and what is around it; each open stream holds one.
    private const int SmallBuffer = 512;
    private const int LargeBuffer = 64 * 1024;

    // Timeouts are AttemptWatch's: YARP has one for all phases (dotnet/yarp#2950).
    private static readonly ForwarderRequestConfig s_config = new() { ActivityTimeout = Timeout.InfiniteTimeSpan, Version = HttpVersion.Version11, VersionPolicy = HttpVersionPolicy.RequestVersionOrLower };

    private readonly GatewayRequest _request;
    private readonly RequestBody? _body;
    private readonly Lease? _lease;
    private readonly Retries? _retries;
    private readonly CancellationTokenSource _cancel = new();
    private readonly UpstreamRelease _release = new();

    // How it went; and apart from that, since a cancellation may come at any time, as what it was cancelled, plus one.
    private AttemptEnd? _end;
    private int _cancelledAs;
    private bool _isWriting;

    /// <summary>Prepares an attempt.</summary>
    /// <param name="request">The request's state.</param>
    /// <param name="instance">The instance.</param>
    /// <param name="lease">The slot, if it needs one.</param>
    /// <param name="body">The body, if it was read; otherwise it is streamed.</param>
    /// <param name="retries">The further attempts that may follow; <see langword="null"/> if none may.</param>
    public Attempt(GatewayRequest request, Instance instance, Lease? lease, RequestBody? body, Retries? retries = null)
    {
        _request = request;
        _lease = lease;
        _body = body;
        _retries = retries;
        LastProgress = request.Clock.GetTimestamp();
        Instance = instance;
        Node = new LinkedListNode<Attempt>(this);
    }

    /// <summary>The instance of the attempt.</summary>
    public Instance Instance { get; }

    /// <summary>Its place among the watched.</summary>
    public LinkedListNode<Attempt> Node { get; }

    /// <summary>When something last moved.</summary>
    public long LastProgress { get; private set; }

    /// <summary>Whether the answer's first byte is here.</summary>
    public bool HasBegun { get; private set; }

    /// <summary>Whether the engine has answered 503.</summary>
    public bool IsBusy { get; private set; }

    /// <summary>Completes when the engine has released a request that was broken off.</summary>
    public Task UpstreamReleased => _release.Task;

    /// <summary>Makes the attempt.</summary>
    public async ValueTask<AttemptEnd> RunAsync(HttpContext context, IHttpForwarder forwarder, AttemptWatch watch)
    {
        var aborted = context.RequestAborted;
        await using var registration = aborted.UnsafeRegister(static attempt => ((Attempt)attempt!).Cancel(AttemptEnd.ClientGone), this);

        if (_body is null && context.Features.Get<IHttpRequestBodyDetectionFeature>()?.CanHaveBody != false)
        {
            context.Request.Body = new UploadStream(context.Request.Body, OnProgress);
        }

        // So that it is this attempt that breaks the connection off, and learns when the engine has closed it.
        context.RequestAborted = _cancel.Token;
        _release.Attach();
        watch.Add(this);
        ForwarderError error;
        try
        {
            _request.BeginAttempt(Instance.Name, _lease?.IsCold == true);
            var client = _request.KeepAlive is { } keepAlive ? new HttpMessageInvoker(new KeepAliveHandler(Instance.Client, keepAlive)) : Instance.Client;
            error = await forwarder.SendAsync(context, Instance.Targets.Prefix, client, s_config, this);
        }
        finally
        {
            watch.Remove(this);
            context.RequestAborted = aborted;
            // Not before: the first request to an engine may be what detects it.
            _request.Engine = Instance.Kind;
        }

        if (_end is null && !context.Response.HasStarted)
        {
            Restore(context);
        }

        var failure = context.GetForwarderErrorFeature()?.Exception;
        var isBug = error == ForwarderError.ResponseHeaders || (error == ForwarderError.Request && Judgement.EndOf(failure) == AttemptEnd.GatewayFailed);
        if (_end is null && isBug && failure is not null)
        {
            // A bug, to be logged with its stack.
            ExceptionDispatchInfo.Throw(failure);
        }

        return _end ?? CancelledAs ?? (error == ForwarderError.None
            ? throw new InvalidOperationException("The forwarder has sent nothing and reports no error.")
            : Judgement.EndOf(error, failure));
    }

    /// <summary>How long nothing may move now.</summary>
    public TimeSpan LimitOf(TimeoutOptions timeouts) =>
        _isWriting ? timeouts.Stall
        : _request.Operation.IsLong ? timeouts.Management
        : HasBegun ? timeouts.Stall : timeouts.FirstByte;

    /// <summary>Breaks it off because nothing moves.</summary>
    public void CutOff() => Cancel(
        HasBegun ? _isWriting ? AttemptEnd.ClientGone : AttemptEnd.Stalled
        : _request.WantsStream ? AttemptEnd.TimedOut : AttemptEnd.TimedOutUnstreamed);

    /// <summary>Breaks it off because its instance cannot be reached, where the answer has not begun and another instance can be tried.</summary>
    public void OnInstanceLost()
    {
        if (!HasBegun && _retries?.CanMove == true)
        {
            Cancel(AttemptEnd.InstanceLost);
        }
    }

    /// <summary>Something of the request has moved.</summary>
    public void OnProgress() => LastProgress = _request.Clock.GetTimestamp();

    /// <inheritdoc/>
    public override async ValueTask TransformRequestAsync(HttpContext httpContext, HttpRequestMessage proxyRequest, string destinationPrefix, CancellationToken cancellationToken)
    {
        await base.TransformRequestAsync(httpContext, proxyRequest, destinationPrefix, cancellationToken);

        proxyRequest.RequestUri = Instance.Targets.Find(httpContext.Request.Path, httpContext.Request.QueryString);

        // The engine's own name, not the gateway's: Ollama refuses names that it does not know where it listens on loopback.
        proxyRequest.Headers.Host = null;
        proxyRequest.Headers.Remove(GatewayHeaders.Instance);
        if (Instance.Kind != EngineKind.Ollama)
        {
            proxyRequest.Options.Set(TranslationHandler.Progress, OnProgress);
        }

        if (_request.KeepAlive is not null)
        {
            // The headers may be sent before the engine chooses an encoding.
            proxyRequest.Headers.Remove(HeaderNames.AcceptEncoding);
        }
    }

    /// <inheritdoc/>
    /// <remarks>Always false: whatever there was to send has been sent here, or must not be.</remarks>
    public override async ValueTask<bool> TransformResponseAsync(HttpContext httpContext, HttpResponseMessage? proxyResponse, CancellationToken cancellationToken)
    {
        if (proxyResponse is null)
        {
            return false;
        }

        LastProgress = _request.HeadersReceived = _request.Clock.GetTimestamp();
        IsBusy = proxyResponse.StatusCode == HttpStatusCode.ServiceUnavailable;
        if (IsBusy && _retries?.TryMove() == true)
        {
            Restore(httpContext);
            _end = AttemptEnd.Busy;
            return false;
        }

        if (_retries?.TryFallBack(proxyResponse.StatusCode) == true)
        {
            Restore(httpContext);
            _end = AttemptEnd.Declined;
            return false;
        }

        if ((int)proxyResponse.StatusCode < 200 || HasInvalidLength(proxyResponse))
        {
            // 101: no request that is passed on requests another protocol of an engine.
            Restore(httpContext);
            _end = AttemptEnd.Unreadable;
            return false;
        }

        httpContext.Response.Headers[GatewayHeaders.Instance] = Instance.HeaderName;
        if (_lease is not null)
        {
            httpContext.Response.Headers[GatewayHeaders.QueuePosition] = _request.QueuePosition.ToString(CultureInfo.InvariantCulture);
        }

        if (_request.Served is { } served)
        {
            httpContext.Response.Headers[GatewayHeaders.Model] = GatewayHeaders.Encode(served.Name);
        }

        AnswerHeaders.RemoveInvalid(proxyResponse);
        await base.TransformResponseAsync(httpContext, proxyResponse, cancellationToken);
        if (proxyResponse.StatusCode is HttpStatusCode.NoContent or HttpStatusCode.ResetContent)
        {
            // Neither has a body (RFC 9110, section 15.3); Kestrel would wait for one that the length announces.
            httpContext.Response.ContentLength = null;
            httpContext.Response.Headers.TransferEncoding = default;
            _request.FirstByte = _request.LastByte = LastProgress;
            _end = AttemptEnd.Answered;
            return false;
        }

        _end = await CopyBodyAsync(httpContext, proxyResponse, cancellationToken);
        if (_end != AttemptEnd.Answered)
        {
            _release.BreakOff(proxyResponse);
        }

        return false;
    }

    // HttpClient passes a length that is no number, and several of them, as no length; Kestrel throws where such a header is copied.
    private static bool HasInvalidLength(HttpResponseMessage response) =>
        response.Content.Headers.NonValidated.TryGetValues(HeaderNames.ContentLength, out var lengths)
        && (lengths.Count != 1 || !ulong.TryParse(lengths.ToString(), NumberStyles.None, CultureInfo.InvariantCulture, out _));

    private async ValueTask<AttemptEnd> CopyBodyAsync(HttpContext context, HttpResponseMessage response, CancellationToken cancellationToken)
    {
        using var body = new AnswerBody(_request, response, context.Response.BodyWriter);
        try
        {
            // Disposed of with the response.
            var source = await response.Content.ReadAsStreamAsync(cancellationToken);
            if (!await CopyAsync(source, body, cancellationToken))
            {
                return AttemptEnd.ClientGone;
            }

            body.Complete();
            if (body.IsErrorInStream)
            {
                await SendRestAsync(body, cancellationToken);
                return Finish(context, AttemptEnd.Answered);
            }

            if (body.IsTruncated)
            {
                // The error says why; clients that pass over it, as OllamaSharp and OpenAI's for .NET do, see the stream break off.
                body.WriteTruncation(context);
                await SendRestAsync(body, cancellationToken);
                return Finish(context, AttemptEnd.Truncated);
            }

            await TransformResponseTrailersAsync(context, response, cancellationToken);
            return AttemptEnd.Answered;
        }
        catch (Exception error) when (IsBreak(error))
        {
            if (CancelledAs is { } cancelled)
            {
                return Finish(context, cancelled);
            }

            if (HasBegun || context.Response.HasStarted)
            {
                body.WriteHeldBack();
                await SendRestAsync(body, cancellationToken);
                return Finish(context, AttemptEnd.BrokenOff);
            }

            Restore(context);
            return Judgement.EndOf(error);
        }
    }

    /// <returns>Whether the client is there to the end.</returns>
    private async ValueTask<bool> CopyAsync(Stream source, AnswerBody body, CancellationToken cancellationToken)
    {
        var buffer = ArrayPool<byte>.Shared.Rent(SmallBuffer);
        try
        {
            while (true)
            {
                var reading = source.ReadAsync(buffer, cancellationToken);
                if (!reading.IsCompleted && body.Unflushed > 0 && !await FlushAsync(body, cancellationToken))
                {
                    Cancel(AttemptEnd.ClientGone);
                    await Swallow(reading);
                    return false;
                }

                var count = _request.KeepAlive is { } keepAlive && !HasBegun ? await keepAlive.WaitAsync(reading.AsTask()) : await reading;
                LastProgress = _request.LastByte = _request.Clock.GetTimestamp();
                if (count == 0)
                {
                    return true;
                }

                if (!HasBegun)
                {
                    OnFirstByte(body);
                }

                body.Write(buffer.AsSpan(0, count));
                if (body.Unflushed >= LargeBuffer && !await FlushAsync(body, cancellationToken))
                {
                    return false;
                }

                if (count == buffer.Length && count < LargeBuffer)
                {
                    // More than tokens: a whole answer, a file, or a vector.
                    var larger = Math.Min(buffer.Length * 8, LargeBuffer);
                    ArrayPool<byte>.Shared.Return(buffer);
                    buffer = ArrayPool<byte>.Shared.Rent(larger);
                }
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    private void OnFirstByte(AnswerBody body)
    {
        HasBegun = true;
        _request.FirstByte = LastProgress;
        _body?.ReleaseIfSent();
        if (!body.IsError)
        {
            _lease?.OnFirstByte();
        }
    }

    private async ValueTask<bool> FlushAsync(AnswerBody body, CancellationToken cancellationToken)
    {
        _isWriting = true;
        var result = await body.FlushAsync(cancellationToken);
        _isWriting = false;
        return result is { IsCompleted: false, IsCanceled: false };
    }

    // The bytes that arrived before the engine broke off belong to the client.
    private async ValueTask SendRestAsync(AnswerBody body, CancellationToken cancellationToken)
    {
        try
        {
            await FlushAsync(body, cancellationToken);
            await Delivery.WaitAsync(_request.Clock, cancellationToken);
        }
        catch (Exception error) when (IsBreak(error))
        {
            // The client has gone.
        }
    }

    // The client must not take what it has for the whole answer: its connection, or its HTTP/2 stream, is broken off too.
    private AttemptEnd Finish(HttpContext context, AttemptEnd end)
    {
        var isBefore = end is AttemptEnd.TimedOut or AttemptEnd.TimedOutUnstreamed or AttemptEnd.InstanceLost;
        if (isBefore && !HasBegun && !context.Response.HasStarted)
        {
            Restore(context);
            return end;
        }

        if (context.Features.Get<IHttpResetFeature>() is { } http2)
        {
            http2.Reset(errorCode: 2); // INTERNAL_ERROR, RFC 9113, section 7
        }
        else
        {
            context.Abort();
        }

        return isBefore ? AttemptEnd.BrokenOff : end;
    }

    private static async ValueTask Swallow(ValueTask<int> reading)
    {
        try
        {
            await reading;
        }
        catch (Exception error) when (IsBreak(error))
        {
            // It was broken off for the reason that is being reported already.
        }
    }

    private static bool IsBreak(Exception error) => error is IOException or HttpRequestException or OperationCanceledException or ObjectDisposedException;

    // As if this attempt had not been: what YARP has copied so far is taken back.
    private static void Restore(HttpContext context)
    {
        context.Response.Clear();
        context.Features.Get<IHttpResponseFeature>()!.ReasonPhrase = null;
    }

    private AttemptEnd? CancelledAs => Volatile.Read(ref _cancelledAs) is > 0 and var end ? (AttemptEnd)(end - 1) : null;

    private void Cancel(AttemptEnd end)
    {
        if (Interlocked.CompareExchange(ref _cancelledAs, (int)end + 1, 0) == 0)
        {
            _release.BreakOff(_cancel);
        }
    }
}
