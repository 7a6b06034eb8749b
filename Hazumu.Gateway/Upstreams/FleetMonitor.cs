using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using System.Text.Json;
using System.Threading.Channels;
using Hazumu.Gateway.Configuration;
using Hazumu.Gateway.Keys;

namespace Hazumu.Gateway.Upstreams;

/// <summary>Finds a host's addresses, as <see cref="Dns.GetHostAddressesAsync(string, CancellationToken)"/> does.</summary>
internal delegate Task<IPAddress[]> NameResolver(string host, CancellationToken cancellationToken);

/// <summary>
/// Keeps the fleet true: resolves the instances' names, probes each instance, and reads what it has in memory and on disk.
/// </summary>
internal sealed partial class FleetMonitor(Fleet fleet, GatewaySettings settings, TimeProvider time, NameResolver names, ILogger<FleetMonitor> logger) : BackgroundService
{
    // An instance that is down is probed more often: what waits for it should not wait for the next round.
    private static readonly TimeSpan s_downInterval = TimeSpan.FromMilliseconds(500);
    private static readonly TimeSpan s_probeTimeout = TimeSpan.FromSeconds(5);

    // Requests wait for the end of a load.
    private static readonly TimeSpan s_loadInterval = TimeSpan.FromMilliseconds(250);

    private readonly Dictionary<(string Name, string Url, IPAddress? Address, EngineAccess? Access), Instance> _known = [];
    private readonly Dictionary<string, EngineAccess?> _access = new(StringComparer.OrdinalIgnoreCase);
    private readonly ConcurrentDictionary<Instance, Times> _times = new();
    private readonly Channel<bool> _wake = Channel.CreateBounded<bool>(new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite });
    private readonly Channel<bool> _loads = Channel.CreateBounded<bool>(new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite });
    private readonly SemaphoreSlim _discovery = new(1, 1);
    private readonly HashSet<string> _unresolved = [];
    private readonly HashSet<string> _unreadable = [];

    /// <summary>Says that an instance's models have changed, or that it seems to be elsewhere now.</summary>
    public void Refresh(Instance? instance = null)
    {
        foreach (var known in instance is null ? fleet.Instances : [instance])
        {
            if (_times.TryGetValue(known, out var times))
            {
                times.NextProbe = 0;
                times.NextModels = 0;
            }
        }

        _wake.Writer.TryWrite(true);
    }

    /// <summary>Reads what every instance has on disk, for a model that none is known to have; at most once a second.</summary>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <param name="isForced">Reads it also where that was done within the last second.</param>
    public async Task RefreshStoredAsync(CancellationToken cancellationToken, bool isForced = false)
    {
        await Task.WhenAll(fleet.Instances.Select(async instance =>
        {
            var times = TimesOf(instance);
            var now = fleet.Now;
            if (instance.IsUsable && (isForced || now - times.ModelsRead > 1_000))
            {
                times.ModelsRead = now;
                using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
                limit.CancelAfter(s_probeTimeout);
                try
                {
                    await ReadModelsAsync(instance, times, limit.Token);
                }
                catch (Exception error) when (IsEngineError(error, cancellationToken))
                {
                    // The probe reports an instance that does not answer; the request finds out by itself.
                }
            }
        }));
    }

    /// <summary>Resolves and probes all instances once; the first requests then know where to go.</summary>
    public async Task CheckAsync(CancellationToken cancellationToken)
    {
        await DiscoverAsync(cancellationToken);
        await Task.WhenAll(fleet.Instances.Where(IsDue).Select(instance => CheckAsync(instance, cancellationToken)));
    }

    /// <inheritdoc/>
    protected override Task ExecuteAsync(CancellationToken stoppingToken)
    {
        settings.Changed += _ => Refresh();
        fleet.LoadBegan += () => _loads.Writer.TryWrite(true);
        return Task.WhenAll(ProbeAllAsync(stoppingToken), WatchLoadsAsync(stoppingToken));
    }

    private async Task ProbeAllAsync(CancellationToken stoppingToken)
    {
        while (!stoppingToken.IsCancellationRequested)
        {
            try
            {
                await DiscoverAsync(stoppingToken);

                // Each at its own pace: one that hangs does not hold up the others.
                foreach (var instance in fleet.Instances.Where(IsDue))
                {
                    _ = CheckAsync(instance, stoppingToken);
                }

                using var pause = CancellationTokenSource.CreateLinkedTokenSource(stoppingToken);
                var next = NextRound();
                await Task.WhenAny(Task.Delay(next, time, pause.Token), _wake.Reader.WaitToReadAsync(pause.Token).AsTask());
                await pause.CancelAsync();
                _wake.Reader.TryRead(out _);
            }
            catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
            {
                return;
            }
        }
    }

    private async Task WatchLoadsAsync(CancellationToken stoppingToken)
    {
        try
        {
            while (true)
            {
                await _loads.Reader.ReadAsync(stoppingToken);
                while (fleet.Loading() is { Count: > 0 } loading)
                {
                    foreach (var instance in loading)
                    {
                        _ = ReadMemoryAsync(instance, stoppingToken);
                    }

                    await Task.Delay(s_loadInterval, time, stoppingToken);
                }
            }
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            // The gateway stops.
        }
    }

    private async Task ReadMemoryAsync(Instance instance, CancellationToken cancellationToken)
    {
        var times = TimesOf(instance);
        if (!times.TryBeginRead())
        {
            return;
        }

        try
        {
            var requestedAt = fleet.Now;
            using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
            limit.CancelAfter(s_probeTimeout);
            var kind = await instance.GetKindAsync(limit.Token);
            if ((await EngineKinds.Of(kind).ProbeAsync(instance, limit.Token)).Resident is { } resident)
            {
                fleet.OnResident(instance, resident, requestedAt);
            }
        }
        catch (Exception error) when (IsEngineError(error, cancellationToken))
        {
            // The probe reports an instance that does not answer.
        }
        catch (OperationCanceledException)
        {
            // The gateway stops.
        }
        finally
        {
            times.EndRead();
        }
    }

    private TimeSpan NextRound() =>
        fleet.Instances.Any(IsUnsettled) && s_downInterval < settings.Current.Fleet.ProbeInterval ? s_downInterval : settings.Current.Fleet.ProbeInterval;

    // Down, or up again but still on trial.
    private static bool IsUnsettled(Instance instance) => instance.IsUp != true || instance.Circuit.State != CircuitState.Closed;

    private bool IsDue(Instance instance)
    {
        var times = TimesOf(instance);
        return !times.IsBusy && fleet.Now >= times.NextProbe;
    }

    private async Task CheckAsync(Instance instance, CancellationToken cancellationToken)
    {
        var times = TimesOf(instance);
        if (!times.TryBegin())
        {
            return;
        }

        try
        {
            var requestedAt = fleet.Now;
            using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
            limit.CancelAfter(s_probeTimeout);

            var kind = instance is { Kind: { } known, IsUp: true } ? known : await instance.DetectKindAsync(limit.Token);
            var state = await EngineKinds.Of(kind).ProbeAsync(instance, limit.Token);
            if (instance.Stored is null || requestedAt >= times.NextModels)
            {
                await ReadModelsAsync(instance, times, limit.Token);
            }

            fleet.OnState(instance, state);
            fleet.OnResident(instance, state.Resident ?? [.. (instance.Stored?.Keys ?? []).Select(name => new ResidentModel(name))], requestedAt);
            Report(instance, isUp: true, "");
            times.NextProbe = IsUnsettled(instance) ? 0 : requestedAt + (long)settings.Current.Fleet.ProbeInterval.TotalMilliseconds - 50;
        }
        catch (Exception error) when (IsEngineError(error, cancellationToken))
        {
            Report(instance, isUp: false, error is OperationCanceledException ? $"no answer within {s_probeTimeout.TotalSeconds:0} s" : error.Message);
            times.NextProbe = 0;
        }
        catch (OperationCanceledException)
        {
            // The gateway stops.
        }
        finally
        {
            times.End();
        }
    }

    private async Task ReadModelsAsync(Instance instance, Times times, CancellationToken cancellationToken)
    {
        var kind = await instance.GetKindAsync(cancellationToken);
        var stored = await EngineKinds.Of(kind).GetModelsAsync(instance, cancellationToken);
        times.ModelsRead = fleet.Now;
        times.NextModels = fleet.Now + (long)settings.Current.Fleet.ModelsInterval.TotalMilliseconds;
        fleet.OnStored(instance, stored);
    }

    private void Report(Instance instance, bool isUp, string reason)
    {
        if (!fleet.OnProbe(instance, isUp))
        {
            return;
        }

        if (isUp)
        {
            LogUp(instance.Name, instance.Url);
        }
        else
        {
            LogDown(instance.Name, instance.Url, reason);
        }
    }

    private async Task DiscoverAsync(CancellationToken cancellationToken)
    {
        await _discovery.WaitAsync(cancellationToken);
        try
        {
            var found = new List<Instance>();
            foreach (var (name, engine) in settings.Current.Engines)
            {
                var text = engine.Url!;
                var url = new Uri(text);
                var access = AccessOf(name, engine);
                var addresses = await ResolveAsync(name, url, cancellationToken);
                if (addresses is null)
                {
                    // A name that cannot be resolved just now keeps its instances: their connections and probes show whether they are there.
                    found.AddRange(_known.Where(known => known.Key.Name == name && known.Key.Url == text).Select(known => known.Value));
                    addresses = found.Exists(instance => IsOf(instance, name)) ? [] : [null];
                }

                foreach (var address in addresses)
                {
                    found.Add(GetOrMake(name, text, url, address, addresses.Length > 1, access));
                }

                Configure(found.Where(instance => IsOf(instance, name)), engine, EngineModels.Of(name, engine));
            }

            if (!found.ToHashSet().SetEquals(fleet.Instances))
            {
                Replace(found);
            }
        }
        finally
        {
            _discovery.Release();
        }
    }

    private void Configure(IEnumerable<Instance> instances, EngineOptions engine, ModelList models)
    {
        lock (fleet.Gate)
        {
            foreach (var instance in instances)
            {
                instance.Configure(engine, models);
            }
        }
    }

    private static bool IsOf(Instance instance, string name) => instance.Name == name || instance.Name.StartsWith(name + "@", StringComparison.Ordinal);

    private Instance GetOrMake(string name, string text, Uri url, IPAddress? address, bool isOneOfSeveral, EngineAccess? access)
    {
        if (!_known.TryGetValue((name, text, address, access), out var instance))
        {
            instance = new Instance(isOneOfSeveral ? $"{name}@{address}" : name, url, address, EngineClient.Create(address, settings.Current.Timeouts, access));
            _known.Add((name, text, address, access), instance);
        }

        return instance;
    }

    // Read at each round: secrets are replaced while the gateway runs. A file that cannot be read now keeps its
    // previous content.
    private EngineAccess? AccessOf(string name, EngineOptions engine)
    {
        var known = _access.GetValueOrDefault(name);
        try
        {
            known = _access[name] = EngineAccess.Read(name, engine, known);
            _unreadable.Remove(name);
        }
        catch (StartupProblemException problem)
        {
            if (_unreadable.Add(name))
            {
                LogUnreadable(name, problem.Message);
            }
        }

        return known;
    }

    private void Replace(List<Instance> found)
    {
        var before = fleet.Instances;
        fleet.SetInstances(found);
        foreach (var gone in before.Except(found))
        {
            LogGone(gone.Name, gone.Url);
            _times.TryRemove(gone, out _);
            foreach (var known in _known.Where(known => known.Value == gone).ToList())
            {
                _known.Remove(known.Key);
            }

            // Its running requests go on: its connections close when they are idle and no request holds it any longer.
        }

        foreach (var added in found.Except(before))
        {
            LogAdded(added.Name, added.Address is null ? added.Url.ToString() : $"{added.Url}, address {added.Address}");
        }
    }

    // One address, or none that matters, stays with the name: then a connection resolves it, and a container that comes back elsewhere is found.
    private async Task<IPAddress?[]?> ResolveAsync(string name, Uri url, CancellationToken cancellationToken)
    {
        if (url.HostNameType != UriHostNameType.Dns || url.IsLoopback)
        {
            return new IPAddress?[] { null };
        }

        try
        {
            var all = await names(url.IdnHost, cancellationToken);
            var family = all.Any(address => address.AddressFamily == AddressFamily.InterNetwork) ? AddressFamily.InterNetwork : AddressFamily.InterNetworkV6;
            var addresses = all.Where(address => address.AddressFamily == family).Distinct().OrderBy(address => address.ToString(), StringComparer.Ordinal).ToArray();
            _unresolved.Remove(name);
            return addresses.Length > 1 ? addresses : new IPAddress?[] { null };
        }
        catch (SocketException error)
        {
            if (_unresolved.Add(name))
            {
                LogUnresolved(name, url.Host, error.Message);
            }

            return null;
        }
    }

    private Times TimesOf(Instance instance) => _times.GetOrAdd(instance, _ => new Times());

    private static bool IsEngineError(Exception error, CancellationToken stopping) =>
        error is HttpRequestException or JsonException or IOException || (error is OperationCanceledException && !stopping.IsCancellationRequested);

    [LoggerMessage(Level = LogLevel.Information, Message = "Instance '{Instance}' ({Url}) is up.")]
    private partial void LogUp(string instance, Uri url);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Instance '{Instance}' ({Url}) does not answer: {Reason}")]
    private partial void LogDown(string instance, Uri url, string reason);

    [LoggerMessage(Level = LogLevel.Information, Message = "Instance '{Instance}' ({Place}) has joined.")]
    private partial void LogAdded(string instance, string place);

    [LoggerMessage(Level = LogLevel.Information, Message = "Instance '{Instance}' ({Url}) was removed; its running requests continue.")]
    private partial void LogGone(string instance, Uri url);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Instance '{Instance}': the name '{Host}' cannot be resolved ({Reason}); the gateway tries again.")]
    private partial void LogUnresolved(string instance, string host, string reason);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Instance '{Instance}': {Problem} The instance stays as it was.")]
    private partial void LogUnreadable(string instance, string problem);

    private sealed class Times
    {
        private int _isBusy;
        private int _isReading;

        public long NextProbe { get; set; }

        public long NextModels { get; set; }

        public long ModelsRead { get; set; } = long.MinValue / 2;

        public bool IsBusy => Volatile.Read(ref _isBusy) != 0;

        public bool TryBegin() => Interlocked.Exchange(ref _isBusy, 1) == 0;

        public void End() => Volatile.Write(ref _isBusy, 0);

        public bool TryBeginRead() => Interlocked.Exchange(ref _isReading, 1) == 0;

        public void EndRead() => Volatile.Write(ref _isReading, 0);
    }
}
