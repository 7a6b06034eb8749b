using System.Threading.Channels;
using Grpc.Core;
using Grpc.Net.Client;
using Hazumu.Gateway.Configuration;

namespace Hazumu.Gateway.Cluster;

/// <summary>An end of a stream: sends messages in order, and those that are due together in one frame.</summary>
internal abstract class StreamEnd
{
    private const int MostInFrame = 1_000;

    private readonly Channel<ClusterMessage> _messages = Channel.CreateUnbounded<ClusterMessage>(new UnboundedChannelOptions { SingleReader = true });

    /// <summary>Whether it has ended, or never was.</summary>
    public bool HasEnded { get; protected set; }

    /// <summary>Sends a message; lost if the stream has ended.</summary>
    public void Send(ClusterMessage message) => _messages.Writer.TryWrite(message);

    /// <summary>Ends the stream after everything is sent.</summary>
    public void Close() => _messages.Writer.TryComplete();

    /// <summary>Writes to a stream until it is closed.</summary>
    protected async Task WriteToAsync(IAsyncStreamWriter<IReadOnlyList<ClusterMessage>> stream, CancellationToken cancellationToken)
    {
        while (await _messages.Reader.WaitToReadAsync(cancellationToken))
        {
            var frame = new List<ClusterMessage>();
            while (frame.Count < MostInFrame && _messages.Reader.TryRead(out var message))
            {
                frame.Add(message);
            }

            await stream.WriteAsync(frame, cancellationToken);
        }
    }
}

/// <summary>A connection of this gateway to the leader. It is not made again when it breaks: the next one is another object.</summary>
/// <param name="leader">The leader.</param>
internal sealed class LeaderLink(LeaderRecord leader) : StreamEnd, IDisposable
{
    /// <summary>How often an idle connection is probed, and how long it may be silent then; Kestrel and SocketsHttpHandler allow no less.</summary>
    public static readonly TimeSpan KeepAlive = TimeSpan.FromSeconds(1);

    /// <summary>The metadata with the leader's token.</summary>
    public const string TokenHeader = "hazumu-token";

    private readonly CancellationTokenSource _stop = new();

    /// <summary>The leader.</summary>
    public LeaderRecord Leader => leader;

    /// <summary>Breaks it.</summary>
    public void Dispose() => _stop.Cancel();

    /// <summary>Connects and receives until the connection ends for whatever reason.</summary>
    /// <param name="authorities">The authorities of the leader's certificate, in PEM; <see langword="null"/> for the system's.</param>
    /// <param name="connected">Called when the leader has accepted this gateway.</param>
    /// <param name="received">Called for each message, one at a time.</param>
    /// <returns>Why it ended.</returns>
    public async Task<string> RunAsync(string? authorities, Action connected, Action<ClusterMessage> received)
    {
        try
        {
            using var handler = new SocketsHttpHandler
            {
                UseProxy = false,
                ConnectTimeout = KeepAlive,
                KeepAlivePingDelay = KeepAlive,
                KeepAlivePingTimeout = KeepAlive,
                ActivityHeadersPropagator = null,
                SslOptions = OwnAuthorities.Tls(authorities),
            };
            using var channel = GrpcChannel.ForAddress(leader.Address, new() { HttpHandler = handler, MaxReceiveMessageSize = null });
            var token = new Metadata { { TokenHeader, leader.Token } };
            using var call = channel.CreateCallInvoker().AsyncDuplexStreamingCall(ClusterContract.Join, null, new(token, cancellationToken: _stop.Token));

            // The leader sends its headers when it has accepted the token. What it refuses has no stream to write to.
            await call.ResponseHeadersAsync.WaitAsync(KeepAlive, _stop.Token);
            connected();
            _ = WriteToAsync(call.RequestStream, _stop.Token).ContinueWith(_ => Dispose(), TaskScheduler.Default);
            while (await call.ResponseStream.MoveNext(_stop.Token))
            {
                foreach (var message in call.ResponseStream.Current)
                {
                    received(message);
                }
            }

            return "it stops, or another gateway leads";
        }
        catch (Exception error) when (error is RpcException or HttpRequestException or IOException or OperationCanceledException or TimeoutException or InvalidOperationException)
        {
            return error.Message;
        }
        finally
        {
            HasEnded = true;
            Dispose();
        }
    }
}
