using System.Diagnostics;
using System.Diagnostics.Metrics;
using System.Net;
using Hazumu.Gateway.Configuration;
using Hazumu.Gateway.Keys;
using Hazumu.Gateway.Pipeline.Operations;
using Hazumu.Gateway.Pipeline.Requests;
using Hazumu.Gateway.Streams;

namespace Hazumu.Gateway.Telemetry;

/// <summary>Every metric of the gateway. <c>docs/metrics.md</c> lists them.</summary>
/// <remarks>
/// A measurement has eight attributes at most: <see cref="TagList"/> and OpenTelemetry allocate for more. Attributes come in one
/// order everywhere, since OpenTelemetry keeps an entry for every order it sees.
/// </remarks>
internal sealed class GatewayMetrics
{
    private static readonly int s_dialects = Enum.GetValues<Dialect>().Length;

    private readonly Histogram<double> _requestDuration;
    private readonly Histogram<double> _timeToFirstToken;
    private readonly Histogram<double> _timePerOutputToken;
    private readonly Histogram<long> _tokenUsage;
    private readonly Counter<long> _inputTokens;
    private readonly Counter<long> _outputTokens;
    private readonly Counter<long> _cachedTokens;

    private readonly Histogram<double> _phase;
    private readonly Counter<long> _requests;
    private readonly Counter<long> _errors;
    private readonly Counter<long> _disconnects;
    private readonly Counter<long> _retries;
    private readonly Counter<long> _coldStarts;
    private readonly Counter<long> _promptCacheHits;
    private readonly Counter<long> _keyTokens;
    private readonly Counter<long> _overBudget;
    private readonly Counter<long> _named;
    private readonly Counter<long> _logDropped;

    private readonly IFleetGauges _fleet;
    private readonly TimeProvider _time;
    private readonly ModelLabels _models;
    private readonly BoundedLabels _keys;
    private readonly BoundedLabels _instances;
    private readonly RefusedAddresses _refused;
    private readonly long[] _inFlight = new long[s_dialects];

    public GatewayMetrics(IMeterFactory meters, IFleetGauges fleet, TelemetrySettings settings, TimeProvider time)
    {
        _fleet = fleet;
        _time = time;
        _models = new ModelLabels(() => settings.Current.MaxModels);
        _keys = new BoundedLabels(() => settings.Current.MaxKeys);
        _instances = new BoundedLabels(() => settings.Current.MaxInstances);
        _refused = new RefusedAddresses(time);

        var meter = meters.Create(TelemetryOptions.MeterName);

        _requestDuration = Seconds(meter, "gen_ai.server.request.duration", "Time from a request's body until its answer's last byte.", Buckets.RequestDuration);
        _timeToFirstToken = Seconds(meter, "gen_ai.server.time_to_first_token", "Time from a request's body until the first byte of its stream, of successful requests.", Buckets.TimeToFirstToken);
        _timePerOutputToken = Seconds(meter, "gen_ai.server.time_per_output_token", "Time per output token after the first, of successful streams.", Buckets.TimePerOutputToken);
        _tokenUsage = meter.CreateHistogram(
            "gen_ai.client.token.usage",
            "{token}",
            "Tokens of a request, as the engine counts them.",
            tags: null,
            new InstrumentAdvice<long> { HistogramBucketBoundaries = Buckets.Tokens });
        _inputTokens = meter.CreateCounter<long>("gen_ai.client.inference.usage.input_tokens", "{token}", "Tokens of prompts, those from the cache included.");
        _outputTokens = meter.CreateCounter<long>("gen_ai.client.inference.usage.output_tokens", "{token}", "Tokens that models generated.");
        _cachedTokens = meter.CreateCounter<long>("gen_ai.client.inference.usage.cache_read.input_tokens", "{token}", "Tokens of prompts that came from the cache.");

        _phase = Seconds(meter, "hazumu.gateway.request.phase", "Time that a phase of a request took.", Buckets.Phase);
        _requests = meter.CreateCounter<long>("hazumu.gateway.requests", "{request}", "Finished requests.");
        _errors = meter.CreateCounter<long>("hazumu.gateway.errors", "{request}", "Requests that failed or were refused.");
        _disconnects = meter.CreateCounter<long>("hazumu.gateway.disconnects", "{request}", "Requests whose client disconnected.");
        _retries = meter.CreateCounter<long>("hazumu.gateway.retries", "{attempt}", "Attempts after a request's first.");
        _coldStarts = meter.CreateCounter<long>("hazumu.gateway.cold_starts", "{request}", "Requests that were sent to an instance without their model in memory.");
        _promptCacheHits = meter.CreateCounter<long>("hazumu.gateway.prompt_cache.hits", "{request}", "Requests of whose prompt a part came from the cache.");
        _named = meter.CreateCounter<long>(
            "hazumu.gateway.named_requests",
            "{request}",
            "Requests for a configured name that were sent to an instance.");
        _keyTokens = meter.CreateCounter<long>("hazumu.gateway.key.tokens", "{token}", "Tokens per key.");
        _overBudget = meter.CreateCounter<long>("hazumu.gateway.over_budget", "{request}", "Requests over a budget: refused, or served where it is a shadow budget.");
        _logDropped = meter.CreateCounter<long>("hazumu.gateway.access_log.dropped", "{line}", "Lines of the access log and of the program's log that were lost because the reader of standard output is too slow or gone.");

        meter.CreateObservableUpDownCounter("hazumu.gateway.in_flight", InFlight, "{request}", "Requests in progress, including queued ones.");
        meter.CreateObservableGauge("hazumu.gateway.refusals.most", MostRefusals, "{request}", "Refusals within five minutes of the address that had most of them.");
        meter.CreateObservableUpDownCounter("hazumu.gateway.queued", Queued, "{request}", "Requests that wait for a slot.");
        meter.CreateObservableUpDownCounter("hazumu.gateway.slots", () => Slots(slot => slot.Total), "{slot}", "Slots.");
        meter.CreateObservableUpDownCounter("hazumu.gateway.slots.used", () => Slots(slot => slot.Used), "{slot}", "Slots in use.");
        meter.CreateObservableGauge("hazumu.gateway.instance.up", () => PerInstance(instance => instance.IsUp ? 1 : 0), description: "Whether an instance answers: 1, else 0.");
        meter.CreateObservableGauge("hazumu.gateway.circuit.state", () => PerInstance(instance => instance.Circuit), description: "An instance's circuit: 0 closed, 1 half-open, 2 open.");
        meter.CreateObservableGauge("hazumu.gateway.admits", () => fleet.Admits ? 1 : 0, description: "Whether this gateway admits requests for all that share the instances: 1, else 0.");
        meter.CreateObservableUpDownCounter("hazumu.gateway.peers", () => fleet.Peers, "{gateway}", "Other gateways that are connected.");
        meter.CreateObservableGauge(
            "hazumu.gateway.engine.info", EngineInfo, description: "1 for each instance: the program that it is, and its version.");
        meter.CreateObservableGauge(
            "hazumu.gateway.model.size", () => PerResident(model => model.SizeBytes, Enumerable.Sum), "By", "Memory of a model that is loaded.");
        meter.CreateObservableGauge(
            "hazumu.gateway.model.vram", () => PerResident(model => model.VramBytes, Enumerable.Sum), "By", "GPU memory of a model that is loaded.");
        meter.CreateObservableGauge(
            "hazumu.gateway.model.context",
            () => PerResident(model => model.ContextTokens, Enumerable.Min),
            "{token}",
            "Tokens that a prompt and its answer may have together.");
        meter.CreateObservableGauge(
            "hazumu.gateway.model.expiry",
            () => PerResident(UntilExpiry, Enumerable.Min),
            "s",
            "Time until a loaded model is unloaded if no request for it comes.");
        meter.CreateObservableGauge(
            "hazumu.gateway.model.partly_on_cpu",
            () => PerResident(IsPartlyOnCpu, Enumerable.Max),
            description: "Whether a loaded model is partly or wholly outside GPU memory: 1, else 0.");
        meter.CreateObservableGauge("hazumu.gateway.model.stale", StaleModels, description: "1 for each instance that has an older version of a model than another instance.");
        meter.CreateObservableUpDownCounter(
            "hazumu.gateway.pinned.missing", PinnedMissing, "{instance}", "Instances on which a pinned model is to be in memory and is not.");
    }

    /// <summary>Counts a request as under way; <see cref="Record"/> ends that.</summary>
    public void Begin(GatewayRequest request) => Interlocked.Increment(ref _inFlight[(int)request.Operation.Dialect]);

    /// <summary>Counts a finished request as no longer in progress.</summary>
    public void End(GatewayRequest request) => Interlocked.Decrement(ref _inFlight[(int)request.Operation.Dialect]);

    /// <summary>Counts a request that has ended as a refusal of its client's address, if it was refused.</summary>
    /// <remarks>
    /// A request without any credential tries no key and is not counted: LiteLLM's <c>ollama/</c> provider sends <c>/api/show</c> without its
    /// key after each chat.
    /// </remarks>
    public void CountRefusal(GatewayRequest request, IPAddress? client)
    {
        if (request.Refusal != Refusal.Missing)
        {
            _refused.Count(request.Outcome, client);
        }
    }

    /// <summary>Counts lines of standard output that were lost.</summary>
    public void LogDropped(int lines) => _logDropped.Add(lines);

    /// <summary>Measures a finished request.</summary>
    public void Record(GatewayRequest request, in RequestPhases phases)
    {
        var labels = LabelsOf(request);
        CountRequest(request, in labels);

        if (request.Operation.Handling == Handling.Infer)
        {
            MeasureInference(request, in phases, in labels);
            MeasurePhases(request, in phases, in labels);
        }
    }

    private static Histogram<double> Seconds(Meter meter, string name, string description, double[] boundaries) =>
        meter.CreateHistogram(name, "s", description, tags: null, new InstrumentAdvice<double> { HistogramBucketBoundaries = boundaries });

    private IEnumerable<Measurement<int>> MostRefusals() =>
        RefusedAddresses.Outcomes.Select(outcome => new Measurement<int>(_refused.Most(outcome), new KeyValuePair<string, object?>(Attributes.Outcome, Attributes.NameOf(outcome))));

    private Labels LabelsOf(GatewayRequest request)
    {
        var named = request.Served?.Name ?? request.Model;
        var name = named is { Length: > 0 } ? _fleet.FindModel(named) : null;
        // A model that has just come may be unknown to the fleet, but it answered.
        var model = _models.Label(name ?? named, name is not null || request.Outcome == Outcome.Success);

        return new Labels(
            model,
            request.Instance is { } instance ? _instances.Label(instance) : null,
            request.Outcome == Outcome.Success ? null : Attributes.NameOf(request.Outcome));
    }

    private void CountRequest(GatewayRequest request, in Labels labels)
    {
        var operation = request.Operation;
        var key = _keys.Label(request.Caller.Name);
        var dialect = Attributes.NameOf(operation.Dialect);

        _requests.Add(1, new TagList
        {
            { Attributes.Dialect, dialect },
            { Attributes.Key, key },
            { Attributes.Operation, operation.Name },
            { Attributes.Outcome, Attributes.NameOf(request.Outcome) },
        });

        if (request.Outcome == Outcome.ClientDisconnect)
        {
            var phase = request.Sent == 0 ? Attributes.Queue : request.FirstByte == 0 ? Attributes.Prefill : Attributes.Decode;
            _disconnects.Add(1, Tags(in labels, Attributes.Phase, phase));
        }
        else if (labels.Error is { } error)
        {
            var tags = Tags(in labels, Attributes.ErrorType, error);
            tags.Add(Attributes.Dialect, dialect);
            tags.Add(Attributes.Operation, operation.Name);
            _errors.Add(1, tags);
        }

        if (request is { Chain: { } chain, Attempts: > 0 })
        {
            _named.Add(1, new TagList
            {
                { Attributes.Name, _models.Label(chain.Name, isKnown: true) },
                { Attributes.Model, labels.Model },
                { Attributes.Reason, Attributes.NameOf(request.Fallback) },
            });
        }

        if (request.ExceededBudget is { } budget)
        {
            _overBudget.Add(1, new TagList { { Attributes.Budget, budget.Name }, { Attributes.Key, key }, { Attributes.Shadow, budget.IsShadow ? Attributes.True : Attributes.False } });
        }

        if (request.Attempts > 1)
        {
            _retries.Add(request.Attempts - 1, Tags(in labels));
        }

        if (request.Facts.HasUsage || request.CountedOutputTokens > 0)
        {
            _keyTokens.Add(request.Facts.InputTokens, new TagList { { Attributes.Key, key }, { Attributes.Type, Attributes.Input } });
            _keyTokens.Add(request.CountedOutputTokens, new TagList { { Attributes.Key, key }, { Attributes.Type, Attributes.Output } });
        }
    }

    private void MeasureInference(GatewayRequest request, in RequestPhases phases, in Labels labels)
    {
        ref var facts = ref request.Facts;
        var tags = GenAITags(request, in labels);
        var cold = request.IsCold ? Attributes.True : Attributes.False;

        var timed = tags;
        timed.Add(Attributes.Cold, cold);
        if (labels.Error is null)
        {
            if (phases.FirstToken is { } firstToken)
            {
                _timeToFirstToken.Record(firstToken, in timed);
            }

            if (phases.PerOutputToken is { } perOutputToken)
            {
                _timePerOutputToken.Record(perOutputToken, in timed);
            }
        }
        else
        {
            timed.Add(Attributes.ErrorType, labels.Error);
        }

        _requestDuration.Record(phases.Served, in timed);

        // A request that reached no engine used no tokens.
        if (request.Sent == 0)
        {
            return;
        }

        if (facts.HasUsage)
        {
            var typed = tags;
            typed.Add(Attributes.TokenType, Attributes.Input);
            _tokenUsage.Record(facts.InputTokens, in typed);
            typed = tags;
            typed.Add(Attributes.TokenType, Attributes.Output);
            _tokenUsage.Record(facts.OutputTokens, in typed);
        }

        // The conventions require a zero if the engine reported nothing.
        var counted = tags;
        counted.Add(Attributes.TokenModality, Attributes.UnknownModality);
        _inputTokens.Add(facts.InputTokens, in counted);
        _outputTokens.Add(facts.OutputTokens, in counted);
        _cachedTokens.Add(facts.CachedTokens, in counted);
    }

    private void MeasurePhases(GatewayRequest request, in RequestPhases phases, in Labels labels)
    {
        var cold = request.IsCold ? Attributes.True : Attributes.False;
        Measure(Attributes.Queue, phases.Queue, in labels);
        Measure(Attributes.Overhead, phases.Overhead, in labels);

        // Streams that broke off would make the engine look fast.
        if (labels.Error is null)
        {
            Measure(Attributes.Load, phases.Load, in labels);
            Measure(Attributes.Prefill, phases.Prefill, in labels);
            Measure(Attributes.Decode, phases.Decode, in labels);
        }

        if (request.Sent == 0)
        {
            return;
        }

        if (request.IsCold)
        {
            _coldStarts.Add(1, Tags(in labels));
        }

        if (request.Facts.CachedTokens > 0)
        {
            _promptCacheHits.Add(1, Tags(in labels));
        }

        void Measure(string phase, double? seconds, in Labels labels)
        {
            if (seconds is { } value)
            {
                var tags = Tags(in labels, Attributes.Phase, phase);
                tags.Add(Attributes.Cold, cold);
                _phase.Record(value, in tags);
            }
        }
    }

    private TagList GenAITags(GatewayRequest request, in Labels labels)
    {
        var tags = new TagList
        {
            { Attributes.OperationName, request.Operation.GenAiName },
            { Attributes.ProviderName, Attributes.ProviderOf(request) },
        };

        if (labels.Model.Length > 0)
        {
            tags.Add(Attributes.RequestModel, labels.Model);
        }

        if (request.Facts.ResponseModel is { Length: > 0 } answered)
        {
            tags.Add(Attributes.ResponseModel, answered == request.Model ? labels.Model : _models.Label(_fleet.FindModel(answered) ?? answered, isKnown: true));
        }

        // Not server.address and server.port, which the conventions recommend: an instance has one name in all metrics.
        if (labels.Instance is not null)
        {
            tags.Add(Attributes.Instance, labels.Instance);
        }

        return tags;
    }

    private static TagList Tags(in Labels labels)
    {
        var tags = default(TagList);
        if (labels.Instance is not null)
        {
            tags.Add(Attributes.Instance, labels.Instance);
        }

        if (labels.Model.Length > 0)
        {
            tags.Add(Attributes.Model, labels.Model);
        }

        return tags;
    }

    private static TagList Tags(in Labels labels, string key, string value)
    {
        var tags = Tags(in labels);
        tags.Add(key, value);
        return tags;
    }

    private IEnumerable<Measurement<long>> InFlight()
    {
        for (var dialect = 0; dialect < s_dialects; dialect++)
        {
            yield return new Measurement<long>(
                Interlocked.Read(ref _inFlight[dialect]),
                new TagList { { Attributes.Dialect, Attributes.NameOf((Dialect)dialect) } });
        }
    }

    // Series with the same label after folding are one measurement: OpenTelemetry would keep only the last one.
    private IEnumerable<Measurement<long>> Queued() => _fleet.Queues
        .GroupBy(queue => _models.Label(queue.Model, isKnown: true))
        .Select(queues => new Measurement<long>(queues.Sum(queue => queue.Waiting), new TagList { { Attributes.Model, queues.Key } }));

    private IEnumerable<Measurement<long>> Slots(Func<SlotGauge, int> count) => _fleet.Slots
        .GroupBy(slot => LabelsOf(slot.Instance, slot.Model))
        .Select(slots => new Measurement<long>(slots.Sum(count), Tags(slots.Key)));

    private IEnumerable<Measurement<int>> PerInstance(Func<InstanceGauge, int> value) => _fleet.Instances
        .Select(instance => new Measurement<int>(value(instance), new TagList { { Attributes.Instance, _instances.Label(instance.Instance) } }));

    private IEnumerable<Measurement<int>> EngineInfo() => _fleet.Instances
        .Where(instance => instance.Kind is not null)
        .DistinctBy(instance => _instances.Label(instance.Instance))
        .Select(instance => new Measurement<int>(1, new TagList
        {
            { Attributes.Instance, _instances.Label(instance.Instance) },
            { Attributes.Kind, instance.Kind },
            { Attributes.Version, instance.Version ?? "" },
        }));

    // A value that an engine does not report has no measurement.
    private IEnumerable<Measurement<T>> PerResident<T>(Func<ResidentModelGauge, T?> value, Func<IEnumerable<T>, T> fold)
        where T : struct => _fleet.ResidentModels
        .Where(model => value(model) is not null)
        .GroupBy(model => LabelsOf(model.Instance, model.Model))
        .Select(models => new Measurement<T>(fold(models.Select(model => value(model)!.Value)), Tags(models.Key)));

    private IEnumerable<Measurement<int>> StaleModels() => _fleet.StaleModels
        .Select(stale => LabelsOf(stale.Instance, stale.Model))
        .Distinct()
        .Select(labels => new Measurement<int>(1, Tags(labels)));

    private IEnumerable<Measurement<int>> PinnedMissing() => _fleet.PinnedModels
        .GroupBy(pinned => _models.Label(pinned.Model, isKnown: true))
        .Select(pinned => new Measurement<int>(pinned.Sum(model => model.Missing), new TagList { { Attributes.Model, pinned.Key } }));

    private double? UntilExpiry(ResidentModelGauge model) =>
        model.ExpiresAt is { } expiry ? Math.Max(0, (expiry - _time.GetUtcNow()).TotalSeconds) : null;

    private static int? IsPartlyOnCpu(ResidentModelGauge model) => model is { SizeBytes: { } all, VramBytes: { } vram } ? vram < all ? 1 : 0 : null;

    private Labels LabelsOf(string instance, string model) => new(_models.Label(model, isKnown: true), _instances.Label(instance), null);

    /// <summary>The labels of one request that several metrics share.</summary>
    /// <param name="Model">The model's label; empty where none is named.</param>
    /// <param name="Instance">The instance's label, if one was chosen.</param>
    /// <param name="Error">The kind of error, if it is one.</param>
    private readonly record struct Labels(string Model, string? Instance, string? Error);
}
