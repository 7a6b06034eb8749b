using System.Diagnostics;

namespace Hazumu.Bench.Load;

/// <summary>Requests that come at given times, whether or not those before are answered.</summary>
internal sealed class OpenLoad(LoadLoop loop)
{
    private readonly Stack<Connection> _free = new();
    private long _first;

    /// <summary>Time from a request's arrival to its first token.</summary>
    public Samples FirstToken { get; } = new();

    /// <summary>Tokens a second of each answer, the wait for its first one included.</summary>
    public List<double> Rates { get; } = [];

    public long Tokens { get; private set; }

    public int Sent { get; private set; }

    public int Answered { get; private set; }

    public int Broken { get; private set; }

    /// <summary>Seconds from the first arrival to the last answer.</summary>
    public double Duration { get; private set; }

    public bool IsOver(int requests) => Answered + Broken >= requests;

    /// <summary>Lets requests arrive.</summary>
    public void Start(IReadOnlyList<Arrival> arrivals)
    {
        _first = Stopwatch.GetTimestamp();
        foreach (var arrival in arrivals)
        {
            var time = Seconds.After(_first, arrival.Time);
            loop.At(time, () => Send(time, arrival));
        }
    }

    private void Send(long time, Arrival arrival)
    {
        Sent++;
        var connection = _free.Count > 0 ? _free.Pop() : new Connection(this, loop);
        connection.Begin(time, new RequestTemplate().Stream(arrival.Model, arrival.Tokens, Sent));
    }

    private sealed class Connection(OpenLoad load, LoadLoop loop) : HttpConnection(loop)
    {
        private StampReader _stamps;
        private long _arrived;
        private int _tokens;

        public void Begin(long arrived, byte[] request)
        {
            _arrived = arrived;
            _tokens = 0;
            _stamps = default;
            Send(request);
        }

        protected override void OnBody(ReadOnlySpan<byte> bytes)
        {
            while (_stamps.TryRead(ref bytes, out _))
            {
                if (_tokens++ == 0)
                {
                    load.FirstToken.Add(ReceivedAt - _arrived);
                }
            }
        }

        protected override void OnAnswered()
        {
            if (Status == 200)
            {
                load.Answered++;
                load.Tokens += _tokens;
                load.Rates.Add(_tokens / Stopwatch.GetElapsedTime(_arrived, ReceivedAt).TotalSeconds);
            }
            else
            {
                load.Broken++;
            }

            End();
        }

        protected override void OnBroken()
        {
            load.Broken++;
            End();
        }

        private void End()
        {
            load.Duration = Stopwatch.GetElapsedTime(load._first).TotalSeconds;
            load._free.Push(this);
        }
    }
}
