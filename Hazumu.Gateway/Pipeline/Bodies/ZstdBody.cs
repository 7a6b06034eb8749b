using Hazumu.Gateway.Streams;
using ZstdSharp;
using ZstdSharp.Unsafe;

namespace Hazumu.Gateway.Pipeline.Bodies;

/// <summary>
/// Decodes a body that a client has compressed with zstd, as Ollama does on the routes of OpenAI's and Anthropic's dialect
/// (<c>server/cloud_proxy.go</c>).
/// </summary>
internal sealed class ZstdBody : BodyStream
{
    /// <summary>Bytes that a decoded body may have, as in Ollama: a few compressed bytes must not become gigabytes.</summary>
    public const int Limit = 20 * 1024 * 1024;

    /// <summary>Bytes of memory that decoding takes at most.</summary>
    public const int Memory = (1 << LargestWindow) + (512 * 1024);

    // 8 MiB, as in Ollama; also what the format recommends for every decoder (RFC 8878, section 3.1.1.1.2).
    private const int LargestWindow = 23;

    private readonly DecompressionStream _decoder;

    public ZstdBody(Stream source)
    {
        _decoder = new DecompressionStream(source, leaveOpen: true);
        _decoder.SetParameter(ZSTD_dParameter.ZSTD_d_windowLogMax, LargestWindow);
    }

    /// <summary>Whether a request's body is decoded.</summary>
    public static bool IsUsedBy(HttpRequest request) =>
        request.Headers.ContentEncoding is [{ } coding] && coding.Equals("zstd", StringComparison.OrdinalIgnoreCase);

    /// <inheritdoc/>
    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        try
        {
            return await _decoder.ReadAsync(buffer, cancellationToken);
        }
        catch (Exception error) when (error is ZstdException or EndOfStreamException)
        {
            throw new BadHttpRequestException($"The request's body is not valid zstd: {error.Message}.", error);
        }
    }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            _decoder.Dispose();
        }

        base.Dispose(disposing);
    }
}
