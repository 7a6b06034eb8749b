using System.Threading.Channels;
using Grpc.Core;

namespace Hazumu.Gateway.Cluster;

/// <summary>An end of the stream between a gateway and the leader. Messages that are due together are flushed together.</summary>
internal abstract class StreamEnd
{
    private static readonly WriteOptions s_buffered = new(WriteFlags.BufferHint);

    private readonly Channel<ClusterMessage> _messages = Channel.CreateUnbounded<ClusterMessage>(new() { SingleReader = true });

    /// <summary>Whether it has ended.</summary>
    public bool HasEnded { get; protected set; }

    /// <summary>Sends a message, in order; lost if the stream has ended.</summary>
    public void Send(ClusterMessage message) => _messages.Writer.TryWrite(message);

    /// <summary>Ends the stream after everything is sent.</summary>
    public void Close() => _messages.Writer.TryComplete();

    /// <summary>Called for each message, one at a time.</summary>
    protected abstract void Receive(ClusterMessage message);

    /// <summary>Receives and sends until either side ends.</summary>
    /// <exception cref="Exception">The connection has broken.</exception>
    protected async Task RunAsync(IAsyncStreamReader<ClusterMessage> reader, IAsyncStreamWriter<ClusterMessage> writer, CancellationToken cancellationToken)
    {
        using var end = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        Task[] both = [ReadAsync(reader, end.Token), WriteAsync(writer, end.Token)];
        var first = await Task.WhenAny(both);
        HasEnded = true;
        await end.CancelAsync();
        await Task.WhenAll(both).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await first;
    }

    private async Task ReadAsync(IAsyncStreamReader<ClusterMessage> reader, CancellationToken cancellationToken)
    {
        await foreach (var message in reader.ReadAllAsync(cancellationToken))
        {
            Receive(message);
        }
    }

    private async Task WriteAsync(IAsyncStreamWriter<ClusterMessage> writer, CancellationToken cancellationToken)
    {
        await foreach (var message in _messages.Reader.ReadAllAsync(cancellationToken))
        {
            writer.WriteOptions = _messages.Reader.TryPeek(out _) ? s_buffered : null;
            await writer.WriteAsync(message, cancellationToken);
        }
    }
}
