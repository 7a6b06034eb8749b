using System.Buffers;
using System.Net.WebSockets;
using System.Text.Json;
using System.Threading.Channels;

namespace Hazumu.Gateway.Replicas;

/// <summary>A connection between two peers: messages in order, both ways. What is there to send at the same time goes out together.</summary>
internal sealed class PeerChannel(WebSocket socket)
{
    /// <summary>How often a peer is asked whether it is there, where there is nothing else to say.</summary>
    public static readonly TimeSpan KeepAlive = TimeSpan.FromSeconds(1);

    /// <summary>How long it may be silent then.</summary>
    public static readonly TimeSpan Patience = TimeSpan.FromSeconds(2);

    private const int LargestFrame = 64 * 1024;

    // A message has names and numbers; whoever sends more is no peer.
    private const int LargestMessage = 1024 * 1024;

    private readonly Channel<PeerMessage> _outgoing = Channel.CreateUnbounded<PeerMessage>(new UnboundedChannelOptions { SingleReader = true });

    /// <summary>Whether the other side has said that it goes.</summary>
    public bool HasSaidGoodbye { get; private set; }

    /// <summary>Sends a message, unless the connection is over.</summary>
    public void Send(PeerMessage message) => _outgoing.Writer.TryWrite(message);

    /// <summary>Sends what there is to send and ends the connection.</summary>
    public void Close() => _outgoing.Writer.TryComplete();

    /// <summary>Breaks the connection off.</summary>
    public void Cut() => socket.Abort();

    /// <summary>Sends and receives until the connection is over, for whatever reason.</summary>
    /// <param name="received">Called for each message, one at a time; it must not wait for anything.</param>
    /// <param name="cancellationToken">Breaks the connection off.</param>
    public async Task RunAsync(Action<PeerMessage> received, CancellationToken cancellationToken)
    {
        using var over = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var sending = SendAsync(over.Token);
        try
        {
            await ReceiveAsync(received, over.Token);
        }
        catch (Exception error) when (error is WebSocketException or OperationCanceledException or IOException or JsonException or ObjectDisposedException)
        {
            // The connection broke, here or where it was sent on, or what came is no message; that it is over is all that there is to know.
        }
        finally
        {
            Close();
            over.CancelAfter(Patience);
            await sending;
            await over.CancelAsync();
            socket.Abort();
        }
    }

    private async Task SendAsync(CancellationToken cancellationToken)
    {
        var frame = new ArrayBufferWriter<byte>();
        await using var json = new Utf8JsonWriter(frame);
        try
        {
            while (await _outgoing.Reader.WaitToReadAsync(cancellationToken))
            {
                frame.ResetWrittenCount();
                while (frame.WrittenCount < LargestFrame && _outgoing.Reader.TryRead(out var message))
                {
                    json.Reset();
                    JsonSerializer.Serialize(json, message, PeerJson.Default.PeerMessage);
                    frame.Write("\n"u8);
                }

                await socket.SendAsync(frame.WrittenMemory, WebSocketMessageType.Text, endOfMessage: true, cancellationToken);
            }

            await socket.CloseOutputAsync(WebSocketCloseStatus.EndpointUnavailable, null, cancellationToken);
        }
        catch (Exception error) when (error is WebSocketException or OperationCanceledException or IOException or ObjectDisposedException)
        {
            // As above: whoever receives learns of it too.
            socket.Abort();
        }
    }

    private async Task ReceiveAsync(Action<PeerMessage> received, CancellationToken cancellationToken)
    {
        var buffer = new byte[4 * 1024];
        var length = 0;
        while (true)
        {
            var result = await socket.ReceiveAsync(buffer.AsMemory(length), cancellationToken);
            if (result.MessageType == WebSocketMessageType.Close)
            {
                HasSaidGoodbye = true;
                return;
            }

            length += result.Count;
            if (result.EndOfMessage)
            {
                Read(buffer.AsSpan(0, length), received);
                length = 0;
            }
            else if (length == buffer.Length)
            {
                Array.Resize(ref buffer, length < LargestMessage ? length * 2 : throw new WebSocketException("The message is too large."));
            }
        }
    }

    private static void Read(ReadOnlySpan<byte> lines, Action<PeerMessage> received)
    {
        while (!lines.IsEmpty)
        {
            var end = lines.IndexOf((byte)'\n');
            var line = end < 0 ? lines : lines[..end];
            lines = end < 0 ? default : lines[(end + 1)..];
            if (JsonSerializer.Deserialize(line, PeerJson.Default.PeerMessage) is { } message)
            {
                received(message);
            }
        }
    }
}
