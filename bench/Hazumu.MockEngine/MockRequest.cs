using System.Buffers;
using Microsoft.AspNetCore.Http;

namespace Hazumu.Mocks;

/// <summary>A request that the engine has seen. Its state may be read while it runs.</summary>
public sealed class MockRequest
{
    private readonly ArrayBufferWriter<byte>? _body;
    private readonly ArrayBufferWriter<byte>? _sent;
    private readonly int _bodyLimit;
    private readonly TaskCompletionSource? _ended;
    private long _bodyBytes;
    private long _sentBytes;
    private volatile int _phase;
    private volatile int _outcome;

    internal MockRequest(long number, HttpRequest request, int bodyLimit, bool remembered)
    {
        Number = number;
        Method = request.Method;
        Path = request.Path.Value ?? "/";
        if (!remembered)
        {
            return;
        }

        Query = request.QueryString.Value ?? "";
        Protocol = request.Protocol;
        Headers = request.Headers.ToDictionary(
            header => header.Key, header => header.Value.ToString(), StringComparer.OrdinalIgnoreCase);
        _ended = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        _bodyLimit = bodyLimit;
        if (bodyLimit > 0)
        {
            _body = new ArrayBufferWriter<byte>();
            _sent = new ArrayBufferWriter<byte>();
        }
    }

    /// <summary>Its place in the order of arrival, from 1.</summary>
    public long Number { get; }

    /// <summary>Its method.</summary>
    public string Method { get; }

    /// <summary>Its decoded path.</summary>
    public string Path { get; }

    /// <summary>Its query, with the question mark; empty without one.</summary>
    public string Query { get; } = "";

    /// <summary>Its protocol, <c>HTTP/1.1</c>.</summary>
    public string Protocol { get; } = "";

    /// <summary>Its headers; several values of one are joined by commas.</summary>
    public IReadOnlyDictionary<string, string> Headers { get; } = new Dictionary<string, string>();

    /// <summary>The model it named, as it named it.</summary>
    public string? Model { get; internal set; }

    /// <summary>How far it has come.</summary>
    public MockPhase Phase
    {
        get => (MockPhase)_phase;
        internal set => _phase = (int)value;
    }

    /// <summary>How it ended.</summary>
    public MockOutcome Outcome => (MockOutcome)_outcome;

    /// <summary>The phase in which the client went away.</summary>
    public MockPhase? DisconnectedIn { get; private set; }

    /// <summary>Status that was sent; 0 before that.</summary>
    public int Status { get; internal set; }

    /// <summary>Whether its model had to be loaded for it.</summary>
    public bool WasCold { get; internal set; }

    /// <summary>Tokens that were sent.</summary>
    public int SentTokens { get; internal set; }

    /// <summary>Bytes of its body so far.</summary>
    public long BodyBytes => Interlocked.Read(ref _bodyBytes);

    /// <summary>Bytes of the answer's body so far.</summary>
    public long SentBytes => Interlocked.Read(ref _sentBytes);

    /// <summary>Its body, up to <see cref="MockEngineOptions.RememberedBodyBytes"/>.</summary>
    public byte[] Body => Copy(_body);

    /// <summary>The answer's body, up to <see cref="MockEngineOptions.RememberedBodyBytes"/>.</summary>
    public byte[] Sent => Copy(_sent);

    /// <summary>Completes when it is over; its slot is free by then.</summary>
    public Task Ended => _ended?.Task ?? throw new InvalidOperationException("The request is not remembered.");

    internal void Received(ReadOnlySpan<byte> bytes)
    {
        Interlocked.Add(ref _bodyBytes, bytes.Length);
        Keep(_body, bytes);
    }

    internal void Sending(ReadOnlySpan<byte> bytes)
    {
        Interlocked.Add(ref _sentBytes, bytes.Length);
        Keep(_sent, bytes);
    }

    internal void Finish(MockOutcome outcome)
    {
        if (outcome == MockOutcome.Disconnected)
        {
            DisconnectedIn = Phase;
        }

        _outcome = (int)outcome;
        Phase = MockPhase.Ended;
        _ended?.TrySetResult();
    }

    private static byte[] Copy(ArrayBufferWriter<byte>? kept)
    {
        if (kept is null)
        {
            return [];
        }

        lock (kept)
        {
            return kept.WrittenSpan.ToArray();
        }
    }

    private void Keep(ArrayBufferWriter<byte>? kept, ReadOnlySpan<byte> bytes)
    {
        if (kept is null)
        {
            return;
        }

        lock (kept)
        {
            kept.Write(bytes[..Math.Min(bytes.Length, _bodyLimit - kept.WrittenCount)]);
        }
    }
}
