using Hazumu.Gateway.Streams;

namespace Hazumu.Gateway.Pipeline.Forwarding;

/// <summary>A body that is passed on as it comes, and reports progress: an engine may be silent while it still receives.</summary>
internal sealed class UploadStream(Stream body, Action onProgress) : BodyStream
{
    /// <inheritdoc/>
    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        var count = await body.ReadAsync(buffer, cancellationToken);
        onProgress();
        return count;
    }
}
