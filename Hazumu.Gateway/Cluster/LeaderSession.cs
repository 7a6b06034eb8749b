using Grpc.Core;

namespace Hazumu.Gateway.Cluster;

/// <summary>The connection of one gateway, at the leader that admits for it. Grpc.AspNetCore creates one for each.</summary>
[BindServiceMethod(typeof(ClusterContract), nameof(ClusterContract.Bind))]
internal class LeaderSession(Leadership leadership) : StreamEnd
{
    /// <summary>Later sessions have higher numbers.</summary>
    public long Number { get; set; }

    /// <summary>Serves the gateway until either side ends. Virtual, because Grpc.AspNetCore finds no other methods.</summary>
    public virtual async Task Join(IAsyncStreamReader<ClusterMessage> requests, IServerStreamWriter<ClusterMessage> responses, ServerCallContext context)
    {
        if (!leadership.Accepts(context.RequestHeaders.GetValue(LeaderLink.TokenHeader), context.Peer))
        {
            throw new RpcException(new Status(StatusCode.PermissionDenied, "The token is not this gateway's, or it does not lead."));
        }

        await context.WriteResponseHeadersAsync([]);
        leadership.Add(this);

        // How a connection broke is of no interest here; the other gateway logs that it did.
        await RunAsync(requests, responses, context.CancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _ = leadership.RemoveAsync(this);
    }

    /// <inheritdoc/>
    protected override void Receive(ClusterMessage message) => leadership.Receive(this, message);
}
