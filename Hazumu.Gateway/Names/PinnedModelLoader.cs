using System.Collections.Immutable;
using System.Text.Json;
using Hazumu.Gateway.Admission;
using Hazumu.Gateway.Configuration;
using Hazumu.Gateway.Upstreams;

namespace Hazumu.Gateway.Names;

/// <summary>
/// Keeps the models of <c>Gateway:PinnedModels</c> in memory: loads each where it is missing, and pulls it first where that is wanted.
/// Of several gateways, the one that admits does so.
/// </summary>
/// <remarks>
/// A model that has to be loaded again and again is loaded after pauses that grow. Two that do not fit into an instance's memory together
/// would evict each other for ever: that is learned when the load of one makes an instance drop the other. The one that is listed first
/// stays then, and the other is not loaded there, until the instance was down or the settings change.
/// </remarks>
internal sealed partial class PinnedModelLoader : BackgroundService
{
    private const long FirstPause = 10_000;
    private const long LongestPause = 600_000;

    // In memory for so long, a model has no pause before its next load.
    private const long SettledAfter = 600_000;
    private const long RenewalPause = 60_000;

    private static readonly TimeSpan s_interval = TimeSpan.FromSeconds(1);

    private readonly PinnedModels _pins;
    private readonly Fleet _fleet;
    private readonly FleetMonitor _monitor;
    private readonly Scheduler _scheduler;
    private readonly GatewaySettings _settings;
    private readonly TimeProvider _time;
    private readonly ILogger<PinnedModelLoader> _logger;
    private readonly Dictionary<Instance, State> _states = [];
    private volatile bool _hasNewSettings;
    private volatile IReadOnlyList<PinReport> _current = [];

    public PinnedModelLoader(
        PinnedModels pins,
        Fleet fleet,
        FleetMonitor monitor,
        Scheduler scheduler,
        GatewaySettings settings,
        TimeProvider time,
        ILogger<PinnedModelLoader> logger)
    {
        (_pins, _fleet, _monitor, _scheduler, _settings, _time, _logger) = (pins, fleet, monitor, scheduler, settings, time, logger);
        settings.Changed += _ => _hasNewSettings = true;
    }

    /// <summary>The pinned models, as of the last look at them.</summary>
    public IReadOnlyList<PinReport> Current => _current;

    /// <inheritdoc/>
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(s_interval, _time);
        try
        {
            while (await timer.WaitForNextTickAsync(stoppingToken))
            {
                _ = StepAsync(stoppingToken);
            }
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            // The gateway stops.
        }
    }

    /// <summary>Looks at the instances, and begins to load what is missing. Not to be called twice at once.</summary>
    /// <returns>Completes when what was begun has ended.</returns>
    internal Task StepAsync(CancellationToken stoppingToken)
    {
        var pins = _pins.All;
        if (pins.Count == 0 && _current.Count == 0)
        {
            return Task.CompletedTask;
        }

        if (_hasNewSettings)
        {
            _hasNewSettings = false;
            _states.Clear();
        }

        var works = _fleet.Read(instances => Plan(pins, instances));
        works.ForEach(work => work.Task = RunAsync(work, stoppingToken));
        return Task.WhenAll(works.Select(work => work.Task));
    }

    // The fleet's lock is held.
    private List<Work> Plan(IReadOnlyList<PinnedModel> pins, ImmutableArray<Instance> instances)
    {
        var clock = _time.GetUtcNow();
        var turn = new Turn([.. pins.Select(pin => (pin, pin.KeptUntil(clock)))], _fleet.Now, clock);
        foreach (var (gone, _) in _states.Where(known => !instances.Contains(known.Key) || known.Key.IsUp != true || known.Key.Returns != known.Value.Returns).ToList())
        {
            _states.Remove(gone);
        }

        foreach (var (instance, state) in _states)
        {
            TakeResults(instance, state, turn);
        }

        foreach (var instance in instances)
        {
            foreach (var slots in instance.Slots.Values)
            {
                slots.IsPinned = turn.IsKept(slots.Model, instance);
            }
        }

        _current = [.. turn.Pins.Select((pin, order) => Keep(pin.Pin, pin.Until, order, instances, turn))];
        return turn.Works;
    }

    private void TakeResults(Instance instance, State state, Turn turn)
    {
        if (state.Pull is { Task.IsCompleted: true } pull)
        {
            var record = state.Of(pull.Model);
            record.Problem = pull.Task.Result.Problem;
            record.NotBefore = record.Problem is null ? 0 : record.NotBefore;
            state.Pull = null;
        }

        if (state.Load is not { Task.IsCompleted: true } load)
        {
            return;
        }

        var (problem, ended) = load.Task.Result;
        state.Of(load.Model).Problem = problem;
        if (problem is null && instance.ResidentReadAt < ended)
        {
            // What the instance has in memory since is not known yet.
            return;
        }

        // Where the model itself is gone, the instance has restarted since.
        var hasLoaded = problem is null && IsListed(instance, load.Model.FullName);
        foreach (var lost in hasLoaded ? load.Beside.Where(model => turn.IsKept(model, instance) && !IsListed(instance, model)) : [])
        {
            var (first, later) = turn.OrderOf(lost) < turn.OrderOf(load.Model.FullName) ? (lost, load.Model.FullName) : (load.Model.FullName, lost);
            state.Conflicts.Add((first, later));
            LogConflict(first, later, instance.Name);
        }

        state.Load = null;
    }

    private PinReport Keep(PinnedModel pin, DateTimeOffset? until, int order, ImmutableArray<Instance> instances, Turn turn)
    {
        if (until is not { } end)
        {
            return PinReport.Create(pin, wanted: 0, [], problem: null);
        }

        var model = pin.Model.FullName;
        List<Instance> up = [.. instances.Where(instance =>
            instance.IsUp == true && instance.IsUsable && pin.IsFor(instance.Name) && instance.Models.Allows(model))];
        var wanted = pin.Options.Instances ?? (pin.Options.Engines.Count > 0 ? Math.Max(1, up.Count) : 1);
        var (loaded, others) = (up.FindAll(instance => IsResident(instance, model)), up.FindAll(instance => !IsResident(instance, model)));
        loaded.ForEach(instance => Renew(instance, pin, end, turn));
        var coming = others.FindAll(instance => StateOf(instance).IsComing(pin.Model));
        var missing = wanted - loaded.Count - coming.Count;
        if (missing > 0 && _scheduler.Mode == AdmissionMode.Open)
        {
            var chosen = others
                .Where(instance => CanBegin(instance, pin, order, turn))
                .OrderBy(instance => instance.Has(model) == true ? 0 : 1)
                .ThenBy(instance => turn.Pins.Count(other => IsResident(instance, other.Pin.Model.FullName) || StateOf(instance).IsComing(other.Pin.Model)))
                .Take(missing);
            foreach (var instance in chosen.ToList())
            {
                Begin(instance, pin, end, turn);
                coming.Add(instance);
            }
        }

        if (loaded.Count + coming.Count < wanted)
        {
            turn.Short.Add(model);
        }

        return PinReport.Create(
            pin, wanted, [.. loaded.Select(instance => instance.Name)], loaded.Count < wanted ? ProblemOf(pin, order, up, others, coming, turn) : null);
    }

    private void Renew(Instance instance, PinnedModel pin, DateTimeOffset until, Turn turn)
    {
        var state = StateOf(instance);
        var record = state.Of(pin.Model);
        record.LoadedSince ??= turn.Now;
        record.Problem = state.Load?.Model == pin.Model ? record.Problem : null;
        if (turn.Now - record.LoadedSince >= SettledAfter)
        {
            (record.Tries, record.NotBefore) = (0, 0);
        }

        // A client may have set another time, or Ollama has loaded it anew for other options.
        var least = until == DateTimeOffset.MaxValue ? turn.Clock.AddDays(1) : until.AddMinutes(-1);
        if (instance.Slots[pin.Model.FullName].Resident?.ExpiresAt < least
            && state.Load is null
            && record.RenewedAt + RenewalPause <= turn.Now
            && LoaderOf(instance) is not null
            && _scheduler.Mode == AdmissionMode.Open)
        {
            record.RenewedAt = turn.Now;
            state.Load = turn.Add(new(instance, pin.Model, WorkKind.Renewal) { KeepFor = turn.TimeUntil(until) });
        }
    }

    private bool CanBegin(Instance instance, PinnedModel pin, int order, Turn turn)
    {
        var state = StateOf(instance);
        var record = state.Of(pin.Model);
        record.LoadedSince = null;
        if (record.NotBefore > turn.Now || _fleet.IsStale(instance, pin.Model.FullName) || LoaderOf(instance) is null)
        {
            return false;
        }

        return instance.Has(pin.Model.FullName) == true
            ? state.Load is null && !instance.Slots.Values.Any(slots => slots.IsLoading) && BlockerOf(instance, order, turn) is null
            : pin.Options.Pull && instance.Stored is not null && state.Pull is null;
    }

    private void Begin(Instance instance, PinnedModel pin, DateTimeOffset until, Turn turn)
    {
        var state = StateOf(instance);
        var record = state.Of(pin.Model);
        record.NotBefore = turn.Now + Math.Min(LongestPause, FirstPause << Math.Min(record.Tries++, 6));
        if (instance.Has(pin.Model.FullName) != true)
        {
            state.Pull = turn.Add(new(instance, pin.Model, WorkKind.Pull));
            return;
        }

        // What has to make room goes first: Ollama might choose another.
        var resident = turn.KeptAt(instance).Where(other => IsResident(instance, other.FullName)).ToList();
        List<ChainModel> leaving = [.. resident.Where(other => state.Conflicts.Contains((pin.Model.FullName, other.FullName)))];
        state.Load = turn.Add(new(instance, pin.Model, WorkKind.Load)
        {
            KeepFor = turn.TimeUntil(until),
            Leaving = leaving,
            Beside = [.. resident.Except(leaving).Select(other => other.FullName)],
        });
    }

    // A model that is listed before this one, does not fit beside it, and is there or has still to be loaded.
    private string? BlockerOf(Instance instance, int order, Turn turn)
    {
        var state = StateOf(instance);
        var model = turn.Pins[order].Pin.Model.FullName;
        return turn.KeptAt(instance)
            .Where(first => state.Conflicts.Contains((first.FullName, model)))
            .FirstOrDefault(first => IsResident(instance, first.FullName) || state.IsComing(first) || turn.Short.Contains(first.FullName))?.Name;
    }

    private string ProblemOf(PinnedModel pin, int order, List<Instance> up, List<Instance> others, List<Instance> coming, Turn turn)
    {
        var model = pin.Model.FullName;
        return up.Count == 0 ? "no engine that may keep it is up"
            : others.Find(instance => StateOf(instance).Of(pin.Model).Problem is not null) is { } failed
                ? $"'{failed.Name}': {StateOf(failed).Of(pin.Model).Problem}"
            : coming.Count > 0 ? StateOf(coming[0]).Pull?.Model == pin.Model ? $"'{coming[0].Name}' pulls it" : $"'{coming[0].Name}' loads it"
            : others.Find(instance => BlockerOf(instance, order, turn) is not null) is { } full
                ? $"'{full.Name}' has no room for it beside '{BlockerOf(full, order, turn)}'"
            : !up.Exists(instance => instance.Has(model) == true) ? "no engine that may keep it has it: pull it, or set 'Pull'"
            : !others.Exists(instance => instance.Has(model) == true) ? "too few engines have it: pull it, or set 'Pull'"
            : "it is loaded again after a pause";
    }

    private async Task<Result> RunAsync(Work work, CancellationToken stoppingToken)
    {
        var (instance, model) = (work.Instance, work.Model);
        var loader = LoaderOf(instance)!;
        var timeouts = _settings.Current.Timeouts;
        var limit = work.Kind == WorkKind.Pull ? timeouts.Management : timeouts.FirstByte;
        using var silence = CancellationTokenSource.CreateLinkedTokenSource(stoppingToken);
        silence.CancelAfter(limit);

        double? seconds = null;
        if (work.Kind == WorkKind.Load)
        {
            // Requests for the model wait for it, as for a load that a request has caused.
            _fleet.BeginLoad(instance, model.FullName);
        }

        try
        {
            if (work.Kind == WorkKind.Pull)
            {
                await loader.PullAsync(instance, model.Name, silence.Token);
                await _monitor.RefreshStoredAsync(silence.Token, isForced: true);
                LogPulled(model.Name, instance.Name);
                return new(null, _fleet.Now);
            }

            foreach (var other in work.Leaving)
            {
                await loader.LoadAsync(instance, other.Name, TimeSpan.Zero, silence.Token);
            }

            var began = _time.GetTimestamp();
            await loader.LoadAsync(instance, model.Name, work.KeepFor, silence.Token);
            if (work.Kind == WorkKind.Load)
            {
                seconds = _time.GetElapsedTime(began).TotalSeconds;
                LogLoaded(model.Name, instance.Name, seconds.Value);
            }

            return new(null, _fleet.Now);
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            return new("the gateway stops", _fleet.Now);
        }
        catch (Exception error) when (error is HttpRequestException or JsonException or IOException or OperationCanceledException)
        {
            var problem = error is OperationCanceledException ? $"no answer within {limit}" : error.Message;
            LogFailed(model.Name, work.Kind == WorkKind.Pull ? "pulled" : "loaded", instance.Name, problem);
            return new(problem, _fleet.Now);
        }
        finally
        {
            if (work.Kind == WorkKind.Load)
            {
                _fleet.EndLoad(instance, model.FullName, seconds);
            }

            _monitor.Refresh(instance);
        }
    }

    private State StateOf(Instance instance)
    {
        if (!_states.TryGetValue(instance, out var state))
        {
            _states.Add(instance, state = new(instance.Returns));
        }

        return state;
    }

    private static IModelLoader? LoaderOf(Instance instance) => instance.Kind is { } kind ? EngineKinds.Of(kind) as IModelLoader : null;

    private static bool IsResident(Instance instance, string model) => instance.Slots.TryGetValue(model, out var slots) && slots.IsResident;

    private static bool IsListed(Instance instance, string model) => instance.Slots.TryGetValue(model, out var slots) && slots.Resident is not null;

    [LoggerMessage(Level = LogLevel.Information, Message = "The pinned model '{Model}' is loaded at '{Instance}' after {Seconds:0.0} s.")]
    private partial void LogLoaded(string model, string instance, double seconds);

    [LoggerMessage(Level = LogLevel.Information, Message = "The pinned model '{Model}' is pulled to '{Instance}'.")]
    private partial void LogPulled(string model, string instance);

    [LoggerMessage(Level = LogLevel.Warning, Message = "The pinned model '{Model}' cannot be {Done} at '{Instance}': {Problem}. It is tried again after a pause.")]
    private partial void LogFailed(string model, string done, string instance, string problem);

    [LoggerMessage(Level = LogLevel.Warning, Message = "The pinned models '{First}' and '{Later}' do not fit into the memory of '{Instance}' together: '{Later}', which is listed later, is not loaded there.")]
    private partial void LogConflict(string first, string later, string instance);

    private enum WorkKind
    {
        Load,
        Renewal,
        Pull,
    }

    /// <summary>How a work has ended.</summary>
    /// <param name="Problem">Why it failed; <see langword="null"/> where it did not.</param>
    /// <param name="Ended">When; milliseconds.</param>
    private sealed record Result(string? Problem, long Ended);

    /// <summary>What an instance is asked to do.</summary>
    private sealed class Work(Instance instance, ChainModel model, WorkKind kind)
    {
        public Instance Instance { get; } = instance;

        public ChainModel Model { get; } = model;

        public WorkKind Kind { get; } = kind;

        /// <summary>How long the model stays; <see langword="null"/> for always.</summary>
        public TimeSpan? KeepFor { get; init; }

        /// <summary>The models that have to leave memory first.</summary>
        public IReadOnlyList<ChainModel> Leaving { get; init; } = [];

        /// <summary>Pinned models that are in memory and are to stay.</summary>
        public IReadOnlyList<string> Beside { get; init; } = [];

        public Task<Result> Task { get; set; } = null!;
    }

    /// <summary>What is known of one model at one instance.</summary>
    private sealed class Record
    {
        /// <summary>Loads and pulls since it was in memory for long.</summary>
        public int Tries { get; set; }

        public long NotBefore { get; set; }

        public long? LoadedSince { get; set; }

        public long RenewedAt { get; set; } = long.MinValue / 2;

        public string? Problem { get; set; }
    }

    /// <summary>What is known of one instance since it is up.</summary>
    /// <param name="returns">How often it had come back up by then.</param>
    private sealed class State(int returns)
    {
        private readonly Dictionary<string, Record> _records = new(StringComparer.Ordinal);

        /// <summary>How often it had come back up when this state began.</summary>
        public int Returns { get; } = returns;

        /// <summary>Models that do not fit into its memory together, the one that is listed first before the other.</summary>
        public HashSet<(string First, string Later)> Conflicts { get; } = [];

        /// <summary>The load that runs, or whose effect is not known yet: one at a time.</summary>
        public Work? Load { get; set; }

        public Work? Pull { get; set; }

        public bool IsComing(ChainModel model) => (Load?.Kind == WorkKind.Load && Load.Model == model) || Pull?.Model == model;

        public Record Of(ChainModel model)
        {
            if (!_records.TryGetValue(model.FullName, out var record))
            {
                _records.Add(model.FullName, record = new());
            }

            return record;
        }
    }

    /// <summary>One look at the instances.</summary>
    private sealed class Turn(IReadOnlyList<(PinnedModel Pin, DateTimeOffset? Until)> pins, long now, DateTimeOffset clock)
    {
        public IReadOnlyList<(PinnedModel Pin, DateTimeOffset? Until)> Pins { get; } = pins;

        public long Now { get; } = now;

        public DateTimeOffset Clock { get; } = clock;

        /// <summary>Models that are on too few instances, and are not being loaded there.</summary>
        public HashSet<string> Short { get; } = new(StringComparer.Ordinal);

        public List<Work> Works { get; } = [];

        public Work Add(Work work)
        {
            Works.Add(work);
            return work;
        }

        public TimeSpan? TimeUntil(DateTimeOffset until) => until == DateTimeOffset.MaxValue ? null : until - Clock;

        public IEnumerable<ChainModel> KeptAt(Instance instance) =>
            Pins.Where(pin => pin.Until is not null && pin.Pin.IsFor(instance.Name)).Select(pin => pin.Pin.Model);

        public bool IsKept(string model, Instance instance) => KeptAt(instance).Any(kept => kept.FullName == model);

        public int OrderOf(string model) => Pins.TakeWhile(pin => pin.Pin.Model.FullName != model).Count();
    }
}
