using System.Diagnostics;

namespace Hazumu.Bench.Load;

/// <summary>Connections that each send the next request as soon as the last one is answered.</summary>
internal sealed class ClosedLoad
{
    private readonly LoadLoop _loop;
    private readonly byte[] _request;
    private readonly List<Connection> _connections = [];

    public ClosedLoad(LoadLoop loop, int connections, byte[] request)
    {
        _loop = loop;
        _request = request;
        for (var i = 0; i < connections; i++)
        {
            _connections.Add(new Connection(this));
        }
    }

    /// <summary>Whether what happens now counts.</summary>
    public bool IsMeasuring { get; set; }

    /// <summary>Time from sending a request to having all of its answer.</summary>
    public Samples Latency { get; } = new();

    public void Start() => _connections.ForEach(connection => connection.Next());

    private sealed class Connection(ClosedLoad load) : HttpConnection(load._loop)
    {
        private long _sent;

        public void Next()
        {
            _sent = Stopwatch.GetTimestamp();
            Send(load._request);
        }

        protected override void OnAnswered()
        {
            if (load.IsMeasuring && Status == 200)
            {
                load.Latency.Add(ReceivedAt - _sent);
            }

            Next();
        }

        // Not at once: what breaks again and again must not fill the stack.
        protected override void OnBroken() => Loop.At(Seconds.FromNow(0.1), Next);
    }
}
