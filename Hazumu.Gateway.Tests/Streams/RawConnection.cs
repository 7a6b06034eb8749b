using System.Net.Sockets;
using System.Text;

namespace Hazumu.Gateway.Tests.Streams;

/// <summary>A client's connection, byte by byte: what no well-behaved client would send, and what it gets for that. Each wait is bounded.</summary>
internal sealed class RawConnection : IDisposable
{
    private static readonly TimeSpan s_limit = TimeSpan.FromSeconds(20);

    private readonly Socket _socket;

    private RawConnection(Socket socket)
    {
        _socket = socket;
        Reader = new RawReader(new NetworkStream(socket));
    }

    /// <summary>Reads what comes.</summary>
    public RawReader Reader { get; }

    /// <summary>Connects.</summary>
    /// <param name="address">Where to.</param>
    /// <param name="receiveBuffer">Bytes that the kernel may take in for who does not read; as it likes where zero.</param>
    public static async Task<RawConnection> OpenAsync(Uri address, int receiveBuffer = 0)
    {
        var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        if (receiveBuffer > 0)
        {
            socket.ReceiveBufferSize = receiveBuffer;
        }

        await socket.ConnectAsync(address.Host, address.Port);
        return new RawConnection(socket);
    }

    /// <summary>Sends text; a character is a byte.</summary>
    public Task SendAsync(string text) => SendAsync(Encoding.Latin1.GetBytes(text));

    /// <summary>Sends bytes.</summary>
    public async Task SendAsync(ReadOnlyMemory<byte> bytes)
    {
        using var limit = new CancellationTokenSource(s_limit);
        while (!bytes.IsEmpty)
        {
            bytes = bytes[await _socket.SendAsync(bytes, SocketFlags.None, limit.Token)..];
        }
    }

    /// <summary>Sends a request with a body of JSON.</summary>
    public Task SendAsync(string method, string target, string body, params string[] headers)
    {
        var bytes = Encoding.UTF8.GetBytes(body);
        var head = new StringBuilder($"{method} {target} HTTP/1.1\r\nHost: gateway\r\n");
        if (bytes.Length > 0)
        {
            head.Append($"Content-Type: application/json\r\nContent-Length: {bytes.Length}\r\n");
        }

        foreach (var header in headers)
        {
            head.Append(header).Append("\r\n");
        }

        head.Append("\r\n");
        return SendAsync((byte[])[.. Encoding.Latin1.GetBytes(head.ToString()), .. bytes]);
    }

    /// <summary>Reads an answer; one that only bids to go on (1xx) is passed over.</summary>
    /// <param name="isHead">Whether it answers HEAD: then it has no body, whatever its headers tell.</param>
    public async Task<RawAnswer> ReadAsync(bool isHead = false)
    {
        using var limit = new CancellationTokenSource(s_limit);
        while (true)
        {
            var (first, headers) = await Reader.ReadHeadAsync(limit.Token) ?? throw new EndOfStreamException("The connection ended without an answer.");
            var status = int.Parse(first.AsSpan("HTTP/1.1 ".Length, 3), null);
            if (status >= 200)
            {
                var (body, chunks, trailers) = isHead || status is 204 or 304 ? ([], [], []) : await Reader.ReadBodyAsync(headers, untilEnd: true, limit.Token);
                return new RawAnswer(status, headers, body, chunks, trailers);
            }
        }
    }

    /// <summary>Tells that nothing more will be sent, and goes on reading.</summary>
    public void FinishSending() => _socket.Shutdown(SocketShutdown.Send);

    /// <summary>Breaks off with a reset, as a killed process does.</summary>
    public void Reset()
    {
        _socket.LingerState = new(true, 0);
        _socket.Dispose();
    }

    public void Dispose() => _socket.Dispose();
}
