using Hazumu.Gateway.Configuration;
using Hazumu.Gateway.Upstreams;

namespace Hazumu.Gateway.Pipeline.Forwarding;

/// <summary>
/// Checks all running attempts once a second and cancels those without progress: one timer for all, none on the hot
/// path. If an instance is lost, its attempts without a byte of an answer are moved to another one.
/// </summary>
internal sealed class AttemptWatch(Fleet fleet, GatewaySettings settings, TimeProvider time) : IHostedService, IDisposable
{
    private static readonly TimeSpan s_interval = TimeSpan.FromSeconds(1);

    private readonly LinkedList<Attempt> _attempts = new();
    private readonly Lock _lock = new();
    private ITimer? _timer;

    /// <summary>How many run.</summary>
    public int Count
    {
        get
        {
            lock (_lock)
            {
                return _attempts.Count;
            }
        }
    }

    /// <summary>Watches an attempt.</summary>
    public void Add(Attempt attempt)
    {
        lock (_lock)
        {
            _attempts.AddLast(attempt.Node);
        }
    }

    /// <summary>Watches it no longer.</summary>
    public void Remove(Attempt attempt)
    {
        lock (_lock)
        {
            _attempts.Remove(attempt.Node);
        }
    }

    /// <inheritdoc/>
    public Task StartAsync(CancellationToken cancellationToken)
    {
        fleet.Lost += MoveAway;
        _timer = time.CreateTimer(_ => CheckProgress(), null, s_interval, s_interval);
        return Task.CompletedTask;
    }

    /// <inheritdoc/>
    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    /// <inheritdoc/>
    public void Dispose() => _timer?.Dispose();

    private void MoveAway(Instance instance)
    {
        List<Attempt> attempts;
        lock (_lock)
        {
            attempts = [.. _attempts.Where(attempt => attempt.Instance == instance)];
        }

        foreach (var attempt in attempts)
        {
            attempt.OnInstanceLost();
        }
    }

    private void CheckProgress()
    {
        var timeouts = settings.Current.Timeouts;
        var now = time.GetTimestamp();
        List<Attempt> late = [];
        lock (_lock)
        {
            foreach (var attempt in _attempts)
            {
                if (time.GetElapsedTime(attempt.LastProgress, now) > attempt.LimitOf(timeouts))
                {
                    late.Add(attempt);
                }
            }
        }

        // Not under the lock: a cancellation runs the continuations of what it cancels.
        foreach (var attempt in late)
        {
            attempt.CutOff();
        }
    }
}
