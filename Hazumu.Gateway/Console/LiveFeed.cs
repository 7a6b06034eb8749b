using Hazumu.Gateway.Admission;
using Hazumu.Gateway.Configuration;
using Hazumu.Gateway.Pipeline.Requests;
using Hazumu.Gateway.Upstreams;

namespace Hazumu.Gateway.Console;

/// <summary>What the gateway does now, copied twice a second while a page shows it, and never otherwise.</summary>
internal sealed class LiveFeed(Fleet fleet, Scheduler scheduler, IAdmission admission, RunningRequests running, GatewaySettings settings, TimeProvider time) : IDisposable
{
    /// <summary>How often it is copied.</summary>
    public static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(500);

    // Thirty seconds.
    private const int LongestHistory = 60;

    private readonly Lock _lock = new();
    private readonly List<Action<LiveState>> _watchers = [];
    private readonly Queue<double> _history = new();
    private ITimer? _timer;
    private long _tokens;
    private long _at;

    /// <summary>Copies the state once.</summary>
    public LiveState Read()
    {
        var requests = running.All.Where(request => request.FullModel is not null).OrderBy(request => request.Started).Select(LiveRequest.Of).ToList();
        lock (_lock)
        {
            return new(
                time.GetUtcNow(),
                admission.IsAdmitting,
                [.. _history],
                fleet.Read(instances => instances.Select(instance => LiveEngine.Of(instance, settings.Current.Slots)).ToList()),
                [.. scheduler.Queues().OrderByDescending(queue => queue.Waiting).Select(queue => new LiveQueue(queue.Model, queue.Waiting, queue.Seconds))],
                requests);
        }
    }

    /// <summary>Has a page get every copy from now on, until the result is disposed of.</summary>
    public IDisposable Watch(Action<LiveState> onChanged)
    {
        lock (_lock)
        {
            _watchers.Add(onChanged);
            if (_timer is null)
            {
                _history.Clear();
                (_tokens, _at) = (CountTokens(), time.GetTimestamp());
                _timer = time.CreateTimer(_ => Tell(), null, Interval, Interval);
            }
        }

        return new Watcher(this, onChanged);
    }

    /// <inheritdoc/>
    public void Dispose() => _timer?.Dispose();

    private void Tell()
    {
        Action<LiveState>[] watchers;
        lock (_lock)
        {
            watchers = [.. _watchers];
            var (tokens, at) = (CountTokens(), time.GetTimestamp());
            var seconds = time.GetElapsedTime(_at, at).TotalSeconds;

            // A request that ends while they are added up may be counted twice, or not at all until the next time.
            _history.Enqueue(seconds > 0 ? Math.Max(0, tokens - _tokens) / seconds : 0);
            (_tokens, _at) = (Math.Max(tokens, _tokens), at);
            if (_history.Count > LongestHistory)
            {
                _history.Dequeue();
            }
        }

        var state = Read();
        foreach (var watcher in watchers)
        {
            watcher(state);
        }
    }

    private long CountTokens() => running.Tokens + running.All.Sum(request => request.CountedOutputTokens);

    private void Leave(Action<LiveState> watcher)
    {
        lock (_lock)
        {
            if (_watchers.Remove(watcher) && _watchers.Count == 0)
            {
                _timer?.Dispose();
                _timer = null;
            }
        }
    }

    private sealed class Watcher(LiveFeed feed, Action<LiveState> onChanged) : IDisposable
    {
        public void Dispose() => feed.Leave(onChanged);
    }
}
