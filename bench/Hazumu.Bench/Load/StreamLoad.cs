using System.Diagnostics;

namespace Hazumu.Bench.Load;

/// <summary>A number of streams that are always open, each followed by the next as soon as it ends.</summary>
internal sealed class StreamLoad
{
    private readonly LoadLoop _loop;
    private readonly byte[] _request;
    private readonly List<Connection> _connections = [];
    private long _lastChunk;
    private long _longestPause;

    /// <param name="loop">Where it runs.</param>
    /// <param name="form">What requests have in common.</param>
    /// <param name="streams">How many are open.</param>
    /// <param name="tokens">Tokens of a stream. The first one of a connection is shorter, so that the ends are spread over time.</param>
    /// <param name="seed">Makes the same spread again.</param>
    public StreamLoad(LoadLoop loop, RequestTemplate form, int streams, int tokens, int seed)
    {
        _loop = loop;
        _request = form.Stream(BenchModel.Name, tokens);
        var random = new Random(seed);
        for (var i = 0; i < streams; i++)
        {
            _connections.Add(new Connection(this, form.Stream(BenchModel.Name, random.Next(1, tokens + 1))));
        }
    }

    /// <summary>Whether what happens now counts.</summary>
    public bool IsMeasuring { get; set; }

    /// <summary>Time from the engine's sending a chunk to its being here.</summary>
    public Samples ChunkLatency { get; } = new();

    /// <summary>Time from sending a request to the first byte of its answer.</summary>
    public Samples FirstByte { get; } = new();

    /// <summary>The longest time in which no chunk of any stream arrived, in milliseconds.</summary>
    public double LongestPause => _longestPause * 1000.0 / Stopwatch.Frequency;

    /// <summary>Opens the streams, spread over a time in seconds.</summary>
    public void Start(double ramp)
    {
        var now = Stopwatch.GetTimestamp();
        for (var i = 0; i < _connections.Count; i++)
        {
            _loop.At(Seconds.After(now, ramp * i / _connections.Count), _connections[i].Begin);
        }
    }

    private void Add(long received, long sent)
    {
        ChunkLatency.Add(received - sent);
        if (_lastChunk != 0)
        {
            _longestPause = Math.Max(_longestPause, received - _lastChunk);
        }

        _lastChunk = received;
    }

    private sealed class Connection(StreamLoad load, byte[] first) : HttpConnection(load._loop)
    {
        private StampReader _stamps;
        private long _sent;
        private bool _counts;

        public void Begin() => Next(first);

        protected override void OnFirstBytes()
        {
            if (_counts)
            {
                load.FirstByte.Add(ReceivedAt - _sent);
            }
        }

        protected override void OnBody(ReadOnlySpan<byte> bytes)
        {
            while (_stamps.TryRead(ref bytes, out var stamp))
            {
                if (load.IsMeasuring)
                {
                    load.Add(ReceivedAt, stamp);
                }
            }
        }

        protected override void OnAnswered() => Next(load._request);

        protected override void OnBroken() => Loop.At(Seconds.FromNow(0.1), Begin);

        private void Next(byte[] request)
        {
            _stamps = default;
            _counts = load.IsMeasuring;
            _sent = Stopwatch.GetTimestamp();
            Send(request);
        }
    }
}
