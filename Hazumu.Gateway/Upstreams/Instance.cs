using System.Net;

namespace Hazumu.Gateway.Upstreams;

/// <summary>One Ollama server. What changes is guarded by <see cref="Fleet"/>.</summary>
internal sealed class Instance(string name, Uri url, IPAddress? address, HttpMessageInvoker client) : IDisposable
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

    /// <summary>Its connections.</summary>
    public HttpMessageInvoker Client { get; } = client;

    /// <summary>Whether it gets requests.</summary>
    public Circuit Circuit { get; } = new();

    /// <summary>Slots by model.</summary>
    public Dictionary<string, ModelSlots> Slots { get; } = new(StringComparer.Ordinal);

    /// <summary>What it has on disk; <see langword="null"/> until that was read.</summary>
    public IReadOnlyDictionary<string, StoredModel>? Stored { get; set; }

    /// <summary>Requests that run, over all models.</summary>
    public int InUse { get; set; }

    /// <summary>Whether it has left the fleet: running requests go on, no new one comes.</summary>
    public bool IsGone { get; set; }

    /// <summary>The last probe's result; <see langword="null"/> until there was one.</summary>
    public bool? IsUp { get; set; }

    /// <summary>Its version, from <c>/api/version</c>.</summary>
    public string? Version { get; set; }

    /// <summary>The most models seen in memory at once: at least so many have room.</summary>
    public int MostResident { get; set; }

    /// <summary>Whether requests may go to it now.</summary>
    public bool IsUsable => !IsGone && Circuit.Admits;

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
    /// <param name="parallel">Its <c>OLLAMA_NUM_PARALLEL</c>, which does not hold for every model.</param>
    public int LimitOf(string model, int parallel) =>
        parallel > 1 && ((Stored?.TryGetValue(model, out var stored) == true && stored.IsSerial) || (Slots.TryGetValue(model, out var slots) && slots.Concurrency == Concurrency.Serial))
            ? 1
            : parallel;

    /// <summary>Whether it has the model, on disk or in memory; <see langword="null"/> if that was not read yet.</summary>
    public bool? Has(string model) => Stored is null
        ? Slots.TryGetValue(model, out var slots) && slots.IsResident ? true : null
        : Stored.ContainsKey(model) || (Slots.TryGetValue(model, out var known) && known.IsResident);

    /// <summary>When the model was last changed there; the smallest value where that is not known.</summary>
    public DateTimeOffset ModifiedAt(string model) => Stored?.GetValueOrDefault(model)?.ModifiedAt ?? default;

    /// <inheritdoc/>
    public void Dispose() => Client.Dispose();
}
