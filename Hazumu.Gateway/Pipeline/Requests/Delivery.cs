namespace Hazumu.Gateway.Pipeline.Requests;

/// <summary>Gives the server time to send what is written, before the connection is broken off.</summary>
/// <remarks>
/// Kestrel completes a flush before it has written to the socket, and an abort discards the unwritten bytes
/// (<c>SocketConnection.Shutdown</c>), the head of the answer too.
/// </remarks>
internal static class Delivery
{
    private static readonly TimeSpan s_time = TimeSpan.FromMilliseconds(200);

    /// <summary>Waits until what is flushed is sent.</summary>
    public static Task WaitAsync(TimeProvider clock, CancellationToken cancellationToken = default) => Task.Delay(s_time, clock, cancellationToken);
}
