using Microsoft.AspNetCore.Http;

namespace Hazumu.Mocks;

/// <summary>Remembers and counts requests.</summary>
internal sealed class RequestLog(Func<MockEngineOptions> options)
{
    private readonly Lock _gate = new();
    private readonly Queue<MockRequest> _remembered = new();
    private readonly long[] _disconnects = new long[(int)MockPhase.Ended + 1];
    private long _number;
    private long _requests;
    private long _tokens;
    private int _inFlight;
    private int _maxInFlight;

    public IReadOnlyList<MockRequest> Remembered
    {
        get
        {
            lock (_gate)
            {
                return [.. _remembered];
            }
        }
    }

    public MockRequest Begin(HttpRequest request)
    {
        var current = options();
        var limit = current.RememberedRequests;
        var seen = new MockRequest(Interlocked.Increment(ref _number), request, current.RememberedBodyBytes, limit > 0);
        lock (_gate)
        {
            _requests++;
            _maxInFlight = Math.Max(_maxInFlight, ++_inFlight);
            if (limit > 0)
            {
                _remembered.Enqueue(seen);
                while (_remembered.Count > limit)
                {
                    _remembered.Dequeue();
                }
            }
        }

        return seen;
    }

    public void End(MockRequest request, MockOutcome outcome)
    {
        lock (_gate)
        {
            _inFlight--;
            _tokens += request.SentTokens;
            if (outcome == MockOutcome.Disconnected)
            {
                _disconnects[(int)request.Phase]++;
            }
        }

        request.Finish(outcome);
    }

    public void Reset()
    {
        lock (_gate)
        {
            _remembered.Clear();
            Array.Clear(_disconnects);
            _requests = _tokens = 0;
            _maxInFlight = _inFlight;
        }
    }

    public MockStatistics Statistics(ModelScheduler scheduler)
    {
        var (coldLoads, evictions, refused, models) = scheduler.Statistics();
        lock (_gate)
        {
            var disconnects = new Dictionary<MockPhase, long>();
            for (var phase = MockPhase.Receiving; phase < MockPhase.Ended; phase++)
            {
                disconnects[phase] = _disconnects[(int)phase];
            }

            return new MockStatistics(
                _requests, _inFlight, _maxInFlight, coldLoads, evictions, refused, _tokens, disconnects, models);
        }
    }
}
