using System.Net;
using System.Net.Sockets;
using System.Text;
using Hazumu.Gateway.Configuration;
using Hazumu.Gateway.Translation;

namespace Hazumu.Gateway.Upstreams;

/// <summary>Makes the connections of an instance.</summary>
internal static class EngineClient
{
    /// <summary>A pool of connections to one address.</summary>
    /// <param name="address">The resolved address; <see langword="null"/> to resolve the name at each
    /// connection.</param>
    /// <param name="timeouts">For a connection, and for an engine to close a cancelled request.</param>
    /// <param name="access">Its key and authorities; <see langword="null"/> if it has none of its own.</param>
    public static HttpMessageHandler Create(IPAddress? address, TimeoutOptions timeouts, EngineAccess? access = null)
    {
        var handler = CreateHandler(address, timeouts);
        if (access is not null)
        {
            handler.SslOptions = access.Tls();
        }

        return access?.Authorization is not null ? new KeyHandler(access, handler) : handler;
    }

    /// <summary>
    /// The handler for clients' requests to an instance: a translation if the engine does not have the client's
    /// dialect.
    /// </summary>
    /// <remarks>Detection and probes do not use it, but <see cref="Instance.Raw"/>.</remarks>
    /// <param name="instance">The instance.</param>
    /// <param name="connections">Its connections, from <see cref="Create"/>.</param>
    public static HttpMessageInvoker ForClients(Instance instance, HttpMessageHandler connections) =>
        new(new TranslationHandler(instance.GetKindAsync, instance.Ids, connections, TimeProvider.System), disposeHandler: false);

    private static SocketsHttpHandler CreateHandler(IPAddress? address, TimeoutOptions timeouts) => new()
    {
        UseProxy = false,
        UseCookies = false,
        AllowAutoRedirect = false,
        AutomaticDecompression = DecompressionMethods.None,
        ConnectTimeout = timeouts.Connect,
        PooledConnectionIdleTimeout = TimeSpan.FromSeconds(90),

        // An answer that is given up is not read to its end: the engine should stop.
        ResponseDrainTimeout = TimeSpan.Zero,

        // As they came: a byte is a character, here as in Kestrel's requests and answers.
        RequestHeaderEncodingSelector = static (_, _) => Encoding.Latin1,

        // The server's own activity is passed on; one more for each attempt would show nothing that the phases do not.
        ActivityHeadersPropagator = null,
        ConnectCallback = async (context, cancellationToken) =>
        {
            var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
            try
            {
                // A host that has vanished answers no request, and nothing else limits how long a model may be verified in silence.
                socket.SetSocketOption(SocketOptionLevel.Socket, SocketOptionName.KeepAlive, true);
                socket.SetSocketOption(SocketOptionLevel.Tcp, SocketOptionName.TcpKeepAliveTime, 30);
                socket.SetSocketOption(SocketOptionLevel.Tcp, SocketOptionName.TcpKeepAliveInterval, 10);
                socket.SetSocketOption(SocketOptionLevel.Tcp, SocketOptionName.TcpKeepAliveRetryCount, 3);
                if (address is null)
                {
                    await socket.ConnectAsync(context.DnsEndPoint, cancellationToken);
                }
                else
                {
                    await socket.ConnectAsync(new IPEndPoint(address, context.DnsEndPoint.Port), cancellationToken);
                }

                return new EngineStream(socket, timeouts.UpstreamReleased);
            }
            catch
            {
                socket.Dispose();
                throw;
            }
        },
    };
}
