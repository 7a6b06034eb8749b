using System.Diagnostics;

namespace Hazumu.Tests.Faults;

/// <summary>Injects a fault, watches what comes of it, and cures it.</summary>
public sealed class FaultRun
{
    private const string Critical = "critical";

    private static readonly TimeSpan s_alertLimit = TimeSpan.FromMinutes(4);
    private static readonly TimeSpan s_clearLimit = TimeSpan.FromMinutes(8);

    private readonly FaultBackend _graph;
    private readonly InjectedFault _fault;
    private readonly Dictionary<(string Name, string Severity), DateTimeOffset> _fired = [];
    private HashSet<string> _firing = [];

    private FaultRun(FaultBackend graph, InjectedFault fault) => (_graph, _fault) = (graph, fault);

    /// <summary>Runs from calm to calm.</summary>
    /// <param name="graph">The graph.</param>
    /// <param name="fault">The fault.</param>
    /// <param name="duration">How long the fault lasts at least, so that what follows from it has time to fire.</param>
    /// <param name="quiet">How long all must have been calm at the end.</param>
    public static async Task<FaultResult> RunAsync(FaultBackend graph, InjectedFault fault, TimeSpan duration, TimeSpan quiet)
    {
        ArgumentNullException.ThrowIfNull(graph);
        ArgumentNullException.ThrowIfNull(fault);

        await graph.CalmAsync(TimeSpan.Zero);
        return await new FaultRun(graph, fault).MeasureAsync(duration, quiet);
    }

    private async Task<FaultResult> MeasureAsync(TimeSpan duration, TimeSpan quiet)
    {
        var (answered, failed) = (_graph.Load.Answered, _graph.Load.Failed);
        var begin = DateTimeOffset.UtcNow;
        DateTimeOffset cure;
        DateTimeOffset? cured = null;
        try
        {
            await _fault.InjectAsync(_graph);
            cured = _fault.CuresItself ? DateTimeOffset.UtcNow : null;
            await WatchAsync(s_alertLimit, () => Arrival(begin) is not null && DateTimeOffset.UtcNow - begin > duration);
        }
        finally
        {
            (answered, failed) = (_graph.Load.Answered - answered, _graph.Load.Failed - failed);
            cure = cured ?? DateTimeOffset.UtcNow;
            await _fault.CureAsync(_graph);
        }

        DateTimeOffset? cleared = null;
        if (Arrival(begin) is not null)
        {
            await WatchAsync(s_clearLimit, () => (cleared = End(cure)) is not null);
        }

        var calm = _graph.CalmAsync(quiet);
        await WatchAsync(TimeSpan.MaxValue, () => calm.IsCompleted);
        await calm;
        if (_fault.VerifyAsync is { } verify)
        {
            await verify(_graph);
        }

        var paged = _graph.Webhook.All.Where(told => told.At >= begin && told is { IsFiring: true, Severity: Critical }).Select(told => told.Name).ToHashSet();
        var arrival = Arrival(begin);
        return new(
            _fault.Name,
            _fault.Expectation == Expectation.Silence ? null : (arrival - begin)?.TotalSeconds,
            [.. paged.Where(name => name != _fault.Alert || _fault.Expectation != Expectation.Page).Order()],
            [.. _fired.Where(alert => alert.Key.Name != _fault.Alert && !paged.Contains(alert.Key.Name)).OrderBy(alert => alert.Value).Select(alert => $"{alert.Key.Name} ({alert.Key.Severity}, after {(alert.Value - begin).TotalSeconds:0} s)")],
            _fault.Expectation == Expectation.Silence ? null : (cleared - cure)?.TotalSeconds,
            answered + failed,
            failed,
            DateOnly.FromDateTime(begin.UtcDateTime));
    }

    // A page is there when it has arrived; what wakes nobody when it fires.
    private DateTimeOffset? Arrival(DateTimeOffset begin) => _fault.Expectation switch
    {
        Expectation.Page => _graph.Webhook.All.FirstOrDefault(told => told.At >= begin && told.Name == _fault.Alert && told is { IsFiring: true, Severity: Critical })?.At,
        Expectation.Warning => _fired.TryGetValue((_fault.Alert, "warning"), out var at) ? at : null,
        _ => begin,
    };

    private DateTimeOffset? End(DateTimeOffset cure)
    {
        if (_firing.Contains(_fault.Alert))
        {
            return null;
        }

        if (_fault.Expectation != Expectation.Page)
        {
            return DateTimeOffset.UtcNow;
        }

        var last = _graph.Webhook.All.Where(told => told.Name == _fault.Alert).GroupBy(told => told.Labels).Select(alert => alert.Last()).ToList();
        return last.Exists(told => told.IsFiring) ? null : last.Select(told => (DateTimeOffset?)told.At).Where(at => at >= cure).Max();
    }

    private async Task WatchAsync(TimeSpan limit, Func<bool> isEnough)
    {
        var watch = Stopwatch.StartNew();
        while (!isEnough() && watch.Elapsed < limit)
        {
            await Task.Delay(TimeSpan.FromSeconds(1));
            IReadOnlyList<(string Name, string Severity)> firing;
            try
            {
                firing = await _graph.FiringAsync();
            }
            catch (HttpRequestException)
            {
                // It is Prometheus itself that is being restarted: the next look tells.
                continue;
            }

            _firing = [.. firing.Select(alert => alert.Name)];
            foreach (var alert in firing)
            {
                _fired.TryAdd(alert, DateTimeOffset.UtcNow);
            }
        }
    }
}
