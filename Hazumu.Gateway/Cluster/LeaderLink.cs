using Grpc.Core;
using Grpc.Net.Client;
using Hazumu.Gateway.Configuration;

namespace Hazumu.Gateway.Cluster;

/// <summary>A connection of this gateway to the leader. It is not made again when it breaks: the next one is another object.</summary>
/// <param name="cluster">This gateway.</param>
/// <param name="leader">The leader.</param>
/// <param name="authorities">The authorities of the leader's certificate, in PEM; <see langword="null"/> for the system's.</param>
internal sealed class LeaderLink(ClusterAdmission cluster, LeaderRecord leader, string? authorities) : StreamEnd, IDisposable
{
    /// <summary>How often an idle connection is probed, and how long it may be silent then; Kestrel and SocketsHttpHandler allow no less.</summary>
    public static readonly TimeSpan KeepAlive = TimeSpan.FromSeconds(1);

    /// <summary>The metadata with the leader's token.</summary>
    public const string TokenHeader = "hazumu-token";

    private readonly CancellationTokenSource _stop = new();

    /// <summary>The leader.</summary>
    public LeaderRecord Leader => leader;

    /// <summary>Whether the leader has ever accepted this gateway.</summary>
    public bool WasConnected { get; set; }

    /// <summary>Whether the leader is connected.</summary>
    public bool IsConnected => WasConnected && !HasEnded;

    /// <summary>Breaks it.</summary>
    public void Dispose() => _stop.Cancel();

    /// <summary>Connects and receives until the connection ends for whatever reason.</summary>
    /// <returns>Why it ended.</returns>
    public async Task<string> RunAsync()
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

            // The leader sends its headers when it has accepted the token. A refused connection has no stream to write
            // to.
            await call.ResponseHeadersAsync.WaitAsync(KeepAlive, _stop.Token);
            cluster.Report(this);
            await RunAsync(call.ResponseStream, call.RequestStream, _stop.Token);
            return "it stops, or another gateway leads";
        }
        catch (Exception error) when (error is RpcException or HttpRequestException or IOException or OperationCanceledException or TimeoutException or InvalidOperationException)
        {
            return error.Message;
        }
        finally
        {
            HasEnded = true;
        }
    }

    /// <inheritdoc/>
    protected override void Receive(ClusterMessage message) => cluster.Receive(this, message);
}
