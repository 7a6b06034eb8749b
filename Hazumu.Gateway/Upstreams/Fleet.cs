using System.Collections.Frozen;
using System.Collections.Immutable;
using Hazumu.Gateway.Configuration;

namespace Hazumu.Gateway.Upstreams;

/// <summary>All instances, and what is known of each. One lock guards everything that changes; nothing is awaited under it.</summary>
/// <remarks>Refreshed beside the way of a request, never on it: the monitor refreshes it, requests only read it.</remarks>
internal sealed class Fleet(GatewaySettings settings, TimeProvider time)
{
    // Longer than it takes Ollama to list a model that has just answered.
    private const long TrustMilliseconds = 2_000;

    private ImmutableArray<Instance> _instances = [];
    private FrozenSet<string> _diverged = [];

    /// <summary>Guards the fleet, its instances and the queue. Beside the fleet itself, only the scheduler takes it.</summary>
    public Lock Gate { get; } = new();

    /// <summary>How often each model is requested.</summary>
    public DemandRates Rates { get; } = new();

    /// <summary>The instances, in the order of their names.</summary>
    public ImmutableArray<Instance> Instances => _instances;

    /// <summary>Said when a slot, a model or an instance has come or gone; not under the lock.</summary>
    public event Action? Changed;

    /// <summary>Raised under the lock when an instance begins to load a model: its memory is worth reading sooner than usual.</summary>
    public event Action? LoadBegan;

    /// <summary>Said when a probe has failed of an instance whose circuit is open; not under the lock.</summary>
    public event Action<Instance>? Lost;

    /// <summary>Milliseconds of a clock that only goes forward.</summary>
    public long Now => (long)time.GetElapsedTime(0).TotalMilliseconds;

    /// <summary>Replaces the instances. Those that are gone get no new request.</summary>
    public void SetInstances(IEnumerable<Instance> instances)
    {
        lock (Gate)
        {
            var next = instances.OrderBy(instance => instance.Name, StringComparer.Ordinal).ToImmutableArray();
            foreach (var instance in _instances)
            {
                instance.IsGone = !next.Contains(instance);
            }

            _instances = next;
            FindDiverged();
        }

        OnChanged();
    }

    /// <summary>Reads the instances while nothing changes them.</summary>
    public T Read<T>(Func<ImmutableArray<Instance>, T> read)
    {
        lock (Gate)
        {
            return read(_instances);
        }
    }

    /// <summary>An instance by its name; <see langword="null"/> where it is not known.</summary>
    public Instance? Find(string? name)
    {
        foreach (var instance in _instances)
        {
            if (instance.Name == name)
            {
                return instance;
            }
        }

        return null;
    }

    /// <summary>The instances that requests can go to and that are known to have a model, the one with its newest version first.</summary>
    public List<Instance> Holding(string model)
    {
        lock (Gate)
        {
            return [.. _instances.Where(instance => instance.Circuit.State != CircuitState.Open && instance.Has(model) == true).OrderByDescending(instance => instance.ModifiedAt(model))];
        }
    }

    /// <summary>Whether another instance than this one can be tried for a model.</summary>
    /// <param name="instance">The instance.</param>
    /// <param name="model">The model's full name.</param>
    /// <param name="avoids">Whether an attempt has just failed at an instance.</param>
    public bool HasOther(Instance instance, string model, Func<Instance, long, bool> avoids)
    {
        lock (Gate)
        {
            foreach (var other in _instances)
            {
                if (other != instance && other.IsUsable && other.Has(model) != false && !avoids(other, Now))
                {
                    return true;
                }
            }

            return false;
        }
    }

    /// <summary>Whether no instance has a model, as far as is known. The lock is held.</summary>
    public bool IsMissing(string model)
    {
        foreach (var instance in _instances)
        {
            if (instance.Has(model) != false)
            {
                return false;
            }
        }

        return true;
    }

    /// <summary>Whether a model can be served now: an instance has it that requests can go to.</summary>
    public bool CanServe(string model)
    {
        lock (Gate)
        {
            return !IsMissing(model) && OutageSince(model) is null;
        }
    }

    /// <summary>Whether any instance is known to have a model.</summary>
    public bool Knows(string model)
    {
        lock (Gate)
        {
            foreach (var instance in _instances)
            {
                if (instance.Has(model) == true)
                {
                    return true;
                }
            }

            return false;
        }
    }

    /// <summary>Whether the settings of every instance leave a model out.</summary>
    public bool Excludes(string model)
    {
        lock (Gate)
        {
            return !_instances.IsEmpty && _instances.All(instance => !instance.Models.Allows(model));
        }
    }

    /// <summary>
    /// Whether an instance has an older version of a model than another one that requests can go to: clients would get old and new
    /// answers in turn. The lock is held.
    /// </summary>
    public bool IsStale(Instance instance, string model)
    {
        if (!_diverged.Contains(model) || instance.Stored?.GetValueOrDefault(model) is not { } own)
        {
            return false;
        }

        StoredModel? newest = null;
        foreach (var other in _instances)
        {
            if (other.Circuit.State != CircuitState.Open && other.Stored?.GetValueOrDefault(model) is { Digest: not null } stored && (newest is null || stored.ModifiedAt > newest.ModifiedAt))
            {
                newest = stored;
            }
        }

        return newest is not null && newest.Digest != own.Digest;
    }

    /// <summary>Every instance and model whose version is older than another instance's.</summary>
    public List<(Instance Instance, string Model)> StaleModels() =>
        Read(instances => _diverged.SelectMany(model => instances.Where(instance => IsStale(instance, model)).Select(instance => (instance, model))).ToList());

    /// <summary>Whether any instance is known to send a model's prompts to another host.</summary>
    public bool IsRemote(string model)
    {
        lock (Gate)
        {
            foreach (var instance in _instances)
            {
                if (instance.Stored?.TryGetValue(model, out var stored) == true && stored.IsRemote)
                {
                    return true;
                }
            }

            return false;
        }
    }

    /// <summary>A probe was answered or not.</summary>
    /// <returns>Whether the instance is up where it was not, or the other way round.</returns>
    public bool OnProbe(Instance instance, bool isUp)
    {
        bool hasChanged;
        bool isLost;
        lock (Gate)
        {
            hasChanged = instance.IsUp != isUp;
            instance.IsUp = isUp;
            if (isUp)
            {
                if (hasChanged)
                {
                    instance.Returns++;
                    instance.Circuit.OnReturn();
                }

                instance.Circuit.OnSuccess(isProbe: true, Now);
            }
            else
            {
                OnFailure(instance, isProbe: true);

                // The loaded models are gone with the process, or will be reported again.
                foreach (var slots in instance.Slots.Values)
                {
                    slots.IsResident = false;
                    slots.Resident = null;
                    slots.ForgetConcurrency();
                }
            }

            isLost = !isUp && instance.Circuit.State == CircuitState.Open;
        }

        OnChanged();
        if (isLost)
        {
            Lost?.Invoke(instance);
        }

        return hasChanged;
    }

    /// <summary>Takes in what a probe has read of an instance's slots and version.</summary>
    public void OnState(Instance instance, EngineState state)
    {
        lock (Gate)
        {
            instance.Report(state);
        }
    }

    /// <summary>Takes in what an instance has in memory.</summary>
    /// <param name="instance">The instance.</param>
    /// <param name="models">The models.</param>
    /// <param name="requestedAt">When it was requested: an answer that came since is newer.</param>
    public void OnResident(Instance instance, IReadOnlyCollection<ResidentModel> models, long requestedAt)
    {
        lock (Gate)
        {
            foreach (var slots in instance.Slots.Values)
            {
                if (slots.ResidentSeen + TrustMilliseconds < requestedAt)
                {
                    slots.IsResident = false;
                }

                slots.Resident = null;
            }

            foreach (var model in models)
            {
                var slots = instance.SlotsOf(model.Name);
                slots.Resident = model;
                if (slots.SawResident(requestedAt, Now))
                {
                    // An instance that loads a model works: what waits for a trial need not wait for its whole answer.
                    instance.Circuit.OnLoaded();
                }
            }

            instance.ResidentReadAt = requestedAt;
            instance.MostResident = Math.Max(instance.MostResident, models.Count);
            Forget(instance);
        }

        OnChanged();
    }

    /// <summary>Takes in what an instance has on disk.</summary>
    public void OnStored(Instance instance, IReadOnlyDictionary<string, StoredModel> models)
    {
        lock (Gate)
        {
            instance.Stored = models;
            FindDiverged();
            Forget(instance);
        }

        OnChanged();
    }

    /// <summary>An instance begins to load a model. The lock is held.</summary>
    public void BeginLoad(ModelSlots slots)
    {
        slots.BeginLoad(Now);
        LoadBegan?.Invoke();
    }

    /// <summary>An instance begins to load a model that no request is for. <see cref="EndLoad"/> must follow.</summary>
    public void BeginLoad(Instance instance, string model)
    {
        lock (Gate)
        {
            BeginLoad(instance.SlotsOf(model));
        }
    }

    /// <summary>Such a load has ended.</summary>
    /// <param name="instance">Where.</param>
    /// <param name="model">The model.</param>
    /// <param name="seconds">How long it took; <see langword="null"/> where it came to nothing.</param>
    public void EndLoad(Instance instance, string model, double? seconds)
    {
        lock (Gate)
        {
            var slots = instance.SlotsOf(model);
            slots.EndLoad();
            if (seconds is { } time)
            {
                (slots.IsResident, slots.ResidentSeen) = (true, Now);
                slots.SawLoad(time);
            }
        }

        OnChanged();
    }

    /// <summary>The instances that load a model.</summary>
    public List<Instance> Loading()
    {
        lock (Gate)
        {
            return [.. _instances.Where(instance => instance.Slots.Values.Any(slots => slots.IsLoading))];
        }
    }

    /// <summary>Counts a failure. The lock is held.</summary>
    public void OnFailure(Instance instance, bool isProbe = false)
    {
        var options = settings.Current.Fleet;
        instance.Circuit.OnFailure(options.FailureThreshold, options.OpenFor, Now, isProbe);
    }

    /// <summary>
    /// Since when no instance can be reached that has a model, or may have it where none is known to; <see langword="null"/> where one can.
    /// The lock is held.
    /// </summary>
    public long? OutageSince(string model)
    {
        var isKnown = false;
        foreach (var instance in _instances)
        {
            isKnown |= instance.Has(model) == true;
        }

        var since = long.MinValue / 2;
        foreach (var instance in _instances)
        {
            if (isKnown && instance.Has(model) == false)
            {
                continue;
            }

            if (instance.Circuit.State != CircuitState.Open)
            {
                return null;
            }

            since = Math.Max(since, instance.Circuit.OpenSince);
        }

        return since;
    }

    /// <summary>Re-evaluates the queued requests.</summary>
    public void OnChanged() => Changed?.Invoke();

    private void FindDiverged() => _diverged = _instances
        .SelectMany(instance => instance.Stored?.Values ?? [])
        .Where(stored => stored.Digest is not null)
        .GroupBy(stored => stored.Name, StringComparer.Ordinal)
        .Where(versions => versions.DistinctBy(version => version.Digest).Skip(1).Any())
        .Select(versions => versions.Key)
        .ToFrozenSet(StringComparer.Ordinal);

    // Names of models come from clients: those that no instance has must not pile up.
    private static void Forget(Instance instance)
    {
        foreach (var slots in instance.Slots.Values.Where(slots => slots is { InUse: 0, IsResident: false } && instance.Stored?.ContainsKey(slots.Model) == false).ToList())
        {
            instance.Slots.Remove(slots.Model);
        }
    }
}
