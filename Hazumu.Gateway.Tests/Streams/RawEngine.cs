using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using System.Text;
using Hazumu.Testing;

namespace Hazumu.Gateway.Tests.Streams;

/// <summary>
/// An engine whose every byte a test decides, in which step. Like Go's server it learns at once that a client has gone, and closes the
/// connection only when the handler has returned. The gateway's own questions it answers by itself: it has <c>mock</c>, in memory.
/// </summary>
internal sealed class RawEngine : IAsyncDisposable
{
    private readonly TcpListener _listener;
    private readonly Func<RawExchange, Task> _handle;
    private readonly CancellationTokenSource _stop = new();
    private readonly ConcurrentQueue<RawExchange> _exchanges = new();
    private readonly ConcurrentBag<Task> _connections = [];
    private Task _accepting = Task.CompletedTask;

    private RawEngine(Func<RawExchange, Task> handle, IPEndPoint endpoint)
    {
        _handle = handle;
        _listener = new TcpListener(endpoint);
    }

    /// <summary>Where it listens.</summary>
    public Uri Address { get; private set; } = null!;

    /// <summary>Requests that it has seen, but for the gateway's own.</summary>
    public IReadOnlyCollection<RawExchange> Exchanges => _exchanges;

    /// <summary>Starts one.</summary>
    /// <param name="handle">Answers a request. The connection stays open when it has returned, unless it is broken by then.</param>
    /// <param name="endpoint">Where it listens; on a free port of 127.0.0.1 unless given.</param>
    public static RawEngine Start(Func<RawExchange, Task> handle, IPEndPoint? endpoint = null)
    {
        var engine = new RawEngine(handle, endpoint ?? new IPEndPoint(IPAddress.Loopback, 0));
        engine._listener.Start();
        engine.Address = new Uri($"http://{engine._listener.LocalEndpoint}/");
        engine._accepting = engine.AcceptAsync();
        return engine;
    }

    /// <summary>Waits for as many requests, and gives the last of them.</summary>
    public async Task<RawExchange> WaitForAsync(int count = 1)
    {
        await Wait.UntilAsync(() => Assert.True(_exchanges.Count >= count, $"{_exchanges.Count} of {count} requests have come."));
        return _exchanges.ElementAt(count - 1);
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        _listener.Stop();
        await _accepting;
        await Task.WhenAll(_connections);
        _stop.Dispose();
    }

    private async Task AcceptAsync()
    {
        try
        {
            while (true)
            {
                var socket = await _listener.AcceptSocketAsync(_stop.Token);
                _connections.Add(Task.Run(() => ServeAsync(socket)));
            }
        }
        catch (Exception error) when (error is OperationCanceledException or SocketException)
        {
            // It stops.
        }
    }

    private async Task ServeAsync(Socket socket)
    {
        using var connection = socket;
        socket.NoDelay = true;
        var reader = new RawReader(new NetworkStream(socket));
        try
        {
            while (await reader.ReadHeadAsync(_stop.Token) is { } head)
            {
                var exchange = new RawExchange(socket, reader, head.First, head.Headers, _stop.Token);
                if (await AnswerProbeAsync(exchange))
                {
                    continue;
                }

                _exchanges.Enqueue(exchange);
                await exchange.RunAsync(_handle);
                if (exchange.IsOver)
                {
                    return;
                }
            }
        }
        catch (Exception error) when (error is IOException or SocketException or OperationCanceledException or ObjectDisposedException or EndOfStreamException)
        {
            // The other side has broken it off, or the test is over.
        }
    }

    private static async Task<bool> AnswerProbeAsync(RawExchange exchange)
    {
        if (exchange.Target is not ("/api/ps" or "/api/tags" or "/api/version") || exchange["User-Agent"] is not null)
        {
            return false;
        }

        await exchange.AnswerAsync(200, "Content-Type: application/json", exchange.Target == "/api/version"
            ? """{"version":"0.32.15"}"""
            : """{"models":[{"name":"mock:latest","size":1}]}""");
        return true;
    }
}

/// <summary>A request at a <see cref="RawEngine"/>, and its answer.</summary>
internal sealed class RawExchange(Socket socket, RawReader reader, string first, IReadOnlyList<(string Name, string Value)> headers, CancellationToken stop)
{
    private readonly TaskCompletionSource _gone = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private CancellationTokenSource? _watching;
    private Task _watch = Task.CompletedTask;
    private long _sent;

    /// <summary>Its method.</summary>
    public string Method { get; } = first.Split(' ')[0];

    /// <summary>Its target as it came.</summary>
    public string Target { get; } = first.Split(' ')[1];

    /// <summary>Its headers in their order.</summary>
    public IReadOnlyList<(string Name, string Value)> Headers { get; } = headers;

    /// <summary>Its body, once it has been read.</summary>
    public byte[] Body { get; private set; } = [];

    /// <summary>Trailers of its body.</summary>
    public IReadOnlyList<(string Name, string Value)> Trailers { get; private set; } = [];

    /// <summary>Completes when the other side has gone, as seen after the body.</summary>
    public Task Gone => _gone.Task;

    /// <summary>Completes when its handler has returned.</summary>
    public Task Ended => _ended.Task;

    /// <summary>Bytes that the kernel has taken.</summary>
    public long Sent => Interlocked.Read(ref _sent);

    /// <summary>Whether its connection is of no further use.</summary>
    public bool IsOver { get; private set; }

    /// <summary>A header's value; <see langword="null"/> where there is none.</summary>
    public string? this[string name] => Headers.Where(header => header.Name.Equals(name, StringComparison.OrdinalIgnoreCase)).Select(header => header.Value).FirstOrDefault();

    /// <summary>Reads its body.</summary>
    public async Task ReadBodyAsync()
    {
        (Body, _, Trailers) = await reader.ReadBodyAsync(Headers, untilEnd: false, stop);
        Watch();
    }

    /// <summary>Sends text; a character is a byte.</summary>
    public Task SendAsync(string text) => SendAsync(Encoding.Latin1.GetBytes(text));

    /// <summary>Sends bytes.</summary>
    public async Task SendAsync(ReadOnlyMemory<byte> bytes)
    {
        while (!bytes.IsEmpty)
        {
            var sent = await socket.SendAsync(bytes, SocketFlags.None, stop);
            Interlocked.Add(ref _sent, sent);
            bytes = bytes[sent..];
        }
    }

    /// <summary>Sends a chunk.</summary>
    public Task SendChunkAsync(ReadOnlyMemory<byte> bytes) => bytes.IsEmpty
        ? Task.CompletedTask
        : SendAsync((byte[])[.. Encoding.Latin1.GetBytes($"{bytes.Length:x}\r\n"), .. bytes.Span, (byte)'\r', (byte)'\n']);

    /// <summary>Sends the last chunk.</summary>
    public Task EndChunksAsync() => SendAsync("0\r\n\r\n");

    /// <summary>Sends a whole answer.</summary>
    public Task AnswerAsync(int status, string headers, string body) =>
        SendAsync((byte[])[.. Encoding.Latin1.GetBytes($"HTTP/1.1 {status} Said\r\n{headers}\r\nContent-Length: {Encoding.UTF8.GetByteCount(body)}\r\n\r\n"), .. Encoding.UTF8.GetBytes(body)]);

    /// <summary>Begins an answer in chunks.</summary>
    public Task BeginAsync(string contentType, int status = 200) =>
        SendAsync($"HTTP/1.1 {status} Said\r\nContent-Type: {contentType}\r\nTransfer-Encoding: chunked\r\n\r\n");

    /// <summary>Closes the connection in good order.</summary>
    public void Close()
    {
        IsOver = true;
        socket.Shutdown(SocketShutdown.Send);
    }

    /// <summary>Resets the connection.</summary>
    public void Reset()
    {
        IsOver = true;
        socket.LingerState = new(true, 0);
        socket.Close();
    }

    internal async Task RunAsync(Func<RawExchange, Task> handle)
    {
        try
        {
            await handle(this);
        }
        catch (Exception error) when (error is IOException or SocketException or OperationCanceledException or ObjectDisposedException or EndOfStreamException)
        {
            IsOver = true;
        }
        finally
        {
            IsOver |= Gone.IsCompleted;
            if (_watching is not null)
            {
                await _watching.CancelAsync();
                await _watch;
                _watching.Dispose();
            }

            _ended.TrySetResult();
        }
    }

    private void Watch()
    {
        _watching = CancellationTokenSource.CreateLinkedTokenSource(stop);
        var token = _watching.Token;
        _watch = Task.Run(
            async () =>
            {
                try
                {
                    // Nothing may come while a request runs, but the end.
                    var came = await socket.ReceiveAsync(new byte[1], SocketFlags.Peek, token);
                    if (came == 0)
                    {
                        _gone.TrySetResult();
                    }
                }
                catch (OperationCanceledException)
                {
                    // The answer is whole.
                }
                catch (Exception error) when (error is SocketException or ObjectDisposedException)
                {
                    _gone.TrySetResult();
                }
            },
            CancellationToken.None);
    }
}
