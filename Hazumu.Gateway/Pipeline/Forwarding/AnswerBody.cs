using System.Buffers;
using System.IO.Pipelines;
using Hazumu.Gateway.Pipeline.Requests;
using Hazumu.Gateway.Streams;

namespace Hazumu.Gateway.Pipeline.Forwarding;

/// <summary>
/// The body of an engine's answer on its way to the client: it passes the tap, and the filter that takes out a usage which the client did not
/// request.
/// </summary>
internal sealed class AnswerBody : IDisposable
{
    // An error is some sentences; it is held until it is whole.
    private const int LargestError = 64 * 1024;

    private readonly GatewayRequest _request;
    private readonly PipeWriter _output;
    private readonly int _status;
    private readonly StreamTap _tap;
    private readonly UsageFilter? _filter;
    private readonly bool _hasEndMark;
    private readonly ArrayBufferWriter<byte>? _error;
    private bool _isAtLineEnd = true;
    private bool _isErrorTooLarge;

    public AnswerBody(GatewayRequest request, HttpResponseMessage response, PipeWriter output)
    {
        _request = request;
        _output = output;
        _status = (int)response.StatusCode;
        IsError = _status >= 400;
        var content = response.Content.Headers;
        var mediaType = content.ContentEncoding.Count == 0 ? content.ContentType?.MediaType : null;
        _error = IsError && request.KeepAlive is { HasBegun: true } ? new() : null;
        _tap = StreamTap.For(mediaType, request.Operation.Dialect, request.AddedUsage);
        _filter = request.AddedUsage && mediaType == "text/event-stream" ? new UsageFilter() : null;
        _hasEndMark = request.Operation.HasEndMark && mediaType is "application/x-ndjson" or "text/event-stream";
    }

    /// <summary>Whether the engine's status is 400 or more.</summary>
    public bool IsError { get; }

    /// <summary>Whether it is an error that the client gets within a stream that has begun.</summary>
    public bool IsErrorInStream => _error is not null;

    /// <summary>Bytes of the engine's that were written since the last flush.</summary>
    public int Unflushed { get; private set; }

    /// <summary>Whether the answer has ended in good order and is not complete: to the client it reads like a whole one.</summary>
    public bool IsTruncated => _hasEndMark && !IsError && _request.Facts is { IsComplete: false, HasError: false, FinishReason: null };

    /// <summary>Writes a chunk, which goes out with the next flush.</summary>
    public void Write(ReadOnlySpan<byte> chunk)
    {
        _request.Chunks++;
        _isAtLineEnd = chunk[^1] == (byte)'\n';
        _tap.Observe(chunk, ref _request.Facts);
        if (_error is not null)
        {
            _isErrorTooLarge |= _error.WrittenCount + chunk.Length > LargestError;
            if (!_isErrorTooLarge)
            {
                _error.Write(chunk);
            }
        }
        else if (_filter is null)
        {
            _output.Write(chunk);
            _request.ResponseBytes += chunk.Length;
        }
        else
        {
            _filter.Write(chunk, _output);
            _request.ResponseBytes = _filter.Written;
        }

        Unflushed += chunk.Length;
    }

    /// <summary>Sends what was written.</summary>
    public ValueTask<FlushResult> FlushAsync(CancellationToken cancellationToken)
    {
        Unflushed = 0;
        return _output.FlushAsync(cancellationToken);
    }

    /// <summary>Writes what the filter holds back.</summary>
    public void WriteHeldBack()
    {
        if (_filter is not null)
        {
            _filter.Flush(_output);
            _request.ResponseBytes = _filter.Written;
        }
    }

    /// <summary>The answer has ended in good order.</summary>
    public void Complete()
    {
        WriteHeldBack();
        _tap.Complete(ref _request.Facts);
        if (_error is not null)
        {
            var error = _isErrorTooLarge
                ? ErrorBody.Write(
                    _request.Operation.Dialect,
                    _status,
                    $"The model server answered with the status {_status} and more than {LargestError} bytes.",
                    _request.Id)
                : _error;
            _request.ResponseBytes += DialectError.WriteInStream(_output, _request.Operation.Dialect, error.WrittenSpan);
        }
    }

    /// <summary>Writes an error in place of the last object of a truncated answer, where the client can read it.</summary>
    public void WriteTruncation(HttpContext context)
    {
        if (_isAtLineEnd && context.Response.ContentLength is null)
        {
            _request.ResponseBytes += DialectError.WriteInStream(_output, context, _request.Operation.Dialect, "The model server ended its answer before it was complete.");
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _filter?.Dispose();
}
