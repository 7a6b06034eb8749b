using System.Net;
using Hazumu.Gateway.Configuration;
using Hazumu.Gateway.Keys;
using Hazumu.Gateway.Translation;

namespace Hazumu.Gateway.Upstreams;

/// <summary>One engine. <see cref="Fleet"/> guards its mutable state.</summary>
/// <param name="name">Its name.</param>
/// <param name="url">Its URL.</param>
/// <param name="address">The address that the name resolved to; <see langword="null"/> where connections resolve it themselves.</param>
/// <param name="connections">Its connections.</param>
internal sealed class Instance(string name, Uri url, IPAddress? address, HttpMessageHandler connections) : IDisposable
{
    /// <summary>The name in labels and logs: as configured; with <c>@address</c> where the configured name has several.</summary>
    public string Name { get; } = name;

    /// <summary>The name as the value of <c>Hazumu-Instance</c>.</summary>
    public string HeaderName { get; } = GatewayHeaders.Encode(name);

    /// <summary>The URL, with the host's name.</summary>
    public Uri Url { get; } = url;

    /// <summary>The URLs of its routes.</summary>
    public Targets Targets { get; } = new(url.GetLeftPart(UriPartial.Authority));

    /// <summary>The address that the name resolved to; <see langword="null"/> where connections resolve it themselves.</summary>
    public IPAddress? Address { get; } = address;

    /// <summary>Its connections, without a translation: what the engine itself says of itself is read by these.</summary>
    public HttpMessageInvoker Raw { get; } = new(connections, disposeHandler: false);

    /// <summary>Its connections, for requests of clients.</summary>
    public HttpMessageInvoker Client => field ??= EngineClient.ForClients(this, connections);

    /// <summary>
    /// Its program: as set, otherwise as detected; <see langword="null"/> until it has answered for the first time.
    /// </summary>
    /// <remarks>It may change: another program may answer at the same address after an outage.</remarks>
    public EngineKind? Kind { get; private set; }

    /// <summary>How many requests the engine says that it runs at once with one model; <see langword="null"/> where it does not.</summary>
    public int? ReportedSlots { get; private set; }

    /// <summary>Whether requests waited inside the engine at the last probe.</summary>
    public bool IsQueueing { get; private set; }

    /// <summary>Its settings, as they are now.</summary>
    public EngineOptions Options { get; private set; } = new();

    /// <summary>The models that are used of it.</summary>
    public ModelList Models { get; private set; } = ModelList.All;

    /// <summary>Whether it gets requests.</summary>
    public Circuit Circuit { get; } = new();

    /// <summary>Slots by model.</summary>
    public Dictionary<string, ModelSlots> Slots { get; } = new(StringComparer.Ordinal);

    /// <summary>The models on its disk; <see langword="null"/> until they have been read.</summary>
    public IReadOnlyDictionary<string, StoredModel>? Stored
    {
        get;
        set
        {
            field = value;
            Ids.Replace(from model in value?.Values ?? [] where model.Id is not null select KeyValuePair.Create(model.Name, model.Id));
        }
    }

    /// <summary>The engine's own ids of its models.</summary>
    public ModelIds Ids { get; } = new();

    /// <summary>Requests that run, over all models.</summary>
    public int InUse { get; set; }

    /// <summary>Whether it has left the fleet: running requests go on, no new one comes.</summary>
    public bool IsGone { get; set; }

    /// <summary>The last probe's result; <see langword="null"/> until there was one.</summary>
    public bool? IsUp { get; set; }

    /// <summary>Its version; <see langword="null"/> where the engine reports none.</summary>
    public string? Version { get; private set; }

    /// <summary>How often it has come up: what was in its memory before may be gone.</summary>
    public int Returns { get; set; }

    /// <summary>When what it has in memory was requested that is known now; milliseconds.</summary>
    public long ResidentReadAt { get; set; } = long.MinValue / 2;

    /// <summary>The most models seen in memory at once: at least so many have room.</summary>
    public int MostResident { get; set; }

    /// <summary>Whether requests may go to it now.</summary>
    public bool IsUsable => !IsGone && Circuit.Admits;

    /// <summary>Takes in its settings, which may have changed. The lock is held.</summary>
    public void Configure(EngineOptions options, ModelList models)
    {
        if (options.Kind != Options.Kind)
        {
            Kind = options.Kind;
            ReportedSlots = null;
        }

        (Options, Models) = (options, models);
    }

    /// <summary>Takes in what a probe has read. The lock is held.</summary>
    public void Report(EngineState state) => (Version, ReportedSlots, IsQueueing) = (state.Version, state.Slots, state.IsQueueing);

    /// <summary>
    /// Its program. If it is not known yet, it is detected now, so that a request before the first probe gets an
    /// answer.
    /// </summary>
    /// <exception cref="HttpRequestException">It cannot be reached, or is none of the kinds that are known.</exception>
    public async ValueTask<EngineKind> GetKindAsync(CancellationToken cancellationToken) =>
        Kind ?? await DetectKindAsync(cancellationToken);

    /// <summary>Detects what program it is, unless the settings say so.</summary>
    /// <exception cref="HttpRequestException">It cannot be reached, or is none of the kinds that are known.</exception>
    public async Task<EngineKind> DetectKindAsync(CancellationToken cancellationToken)
    {
        var kind = Options.Kind ?? await EngineKinds.DetectAsync(this, cancellationToken);
        Kind = kind;
        return kind;
    }

    /// <summary>The slots of a model, created when first needed.</summary>
    public ModelSlots SlotsOf(string model)
    {
        if (!Slots.TryGetValue(model, out var slots))
        {
            Slots.Add(model, slots = new ModelSlots(model));
        }

        return slots;
    }

    /// <summary>How many requests it runs at once with a model.</summary>
    /// <param name="model">The model's normalised name.</param>
    /// <param name="parallel"><c>Gateway:Slots</c>; of Ollama, it does not hold for every model.</param>
    public int LimitOf(string model, int parallel) => Options.Slots ?? ReportedSlots ?? LimitByModel(model, parallel);

    private int LimitByModel(string model, int parallel) =>
        parallel > 1 && ((Stored?.TryGetValue(model, out var stored) == true && stored.IsSerial) || (Slots.TryGetValue(model, out var slots) && slots.Concurrency == Concurrency.Serial))
            ? 1
            : parallel;

    /// <summary>Whether it has the model, on disk or in memory; <see langword="null"/> if that was not read yet.</summary>
    public bool? Has(string model) => !Models.Allows(model) ? false
        : Stored is null
        ? Slots.TryGetValue(model, out var slots) && slots.IsResident ? true : null
        : Stored.ContainsKey(model) || (Slots.TryGetValue(model, out var known) && known.IsResident);

    /// <summary>When the model was last changed there; the smallest value where that is not known.</summary>
    public DateTimeOffset ModifiedAt(string model) => Stored?.GetValueOrDefault(model)?.ModifiedAt ?? default;

    /// <inheritdoc/>
    public void Dispose() => connections.Dispose();
}
