using Hazumu.Gateway.Admission;
using Hazumu.Gateway.Upstreams;

namespace Hazumu.Gateway.Names;

/// <summary>
/// The models that the gateway serves now: <c>GET /models</c> on the management port, which <c>hazumu models</c> shows.
/// </summary>
/// <param name="Names">The names of <c>Gateway:ModelNames</c>.</param>
/// <param name="Pinned">The models of <c>Gateway:PinnedModels</c>.</param>
/// <param name="Instances">The instances and their models.</param>
/// <param name="Waiting">Requests that wait, by model.</param>
internal sealed record ModelReport(
    IEnumerable<NameReport> Names,
    IEnumerable<PinReport> Pinned,
    IEnumerable<InstanceReport> Instances,
    IReadOnlyDictionary<string, int> Waiting)
{
    /// <summary>Describes the gateway as it is now.</summary>
    public static ModelReport Create(ModelNames names, PinnedModelLoader pinned, Fleet fleet, Scheduler scheduler) => new(
        [.. names.All.OrderBy(chain => chain.Name, StringComparer.Ordinal).Select(NameReport.Create)],
        pinned.Current,
        fleet.Read(instances => instances.Select(InstanceReport.Create).ToList()),
        scheduler.WaitingByModel().ToDictionary(queue => queue.Model, queue => queue.Waiting));
}

/// <summary>A name that clients may use.</summary>
/// <param name="Name">The name.</param>
/// <param name="Models">Its chain.</param>
/// <param name="QueueLongerThan">Requests that may wait for a model before the next one is taken.</param>
/// <param name="IsListed">Whether it is listed among the models.</param>
internal sealed record NameReport(string Name, IEnumerable<string> Models, int? QueueLongerThan, bool IsListed)
{
    /// <summary>Describes a name.</summary>
    public static NameReport Create(NamedChain chain) =>
        new(chain.Name, chain.Models.Select(model => model.Name), chain.QueueLongerThan, chain.IsListed);
}

/// <summary>An instance.</summary>
/// <param name="Name">Its name.</param>
/// <param name="IsUp">Whether requests go to it.</param>
/// <param name="Models">Its models.</param>
internal sealed record InstanceReport(string Name, bool IsUp, IEnumerable<HeldModelReport> Models)
{
    /// <summary>Describes an instance. The fleet's lock is held.</summary>
    public static InstanceReport Create(Instance instance) => new(
        instance.Name,
        instance.IsUp == true && instance.Circuit.State != CircuitState.Open,
        [.. (instance.Stored?.Keys ?? [])
            .Union(instance.Slots.Values.Where(slots => slots.IsResident).Select(slots => slots.Model))
            .Order(StringComparer.Ordinal)
            .Select(model => HeldModelReport.Create(model, instance.Slots.GetValueOrDefault(model)))]);
}

/// <summary>A model of an instance.</summary>
/// <param name="Name">Its full name.</param>
/// <param name="IsInMemory">Whether it is in memory.</param>
/// <param name="Running">Requests that run.</param>
internal sealed record HeldModelReport(string Name, bool IsInMemory, int Running)
{
    /// <summary>Describes a model.</summary>
    public static HeldModelReport Create(string model, ModelSlots? slots) =>
        new(model, slots?.IsResident == true, slots?.InUse ?? 0);
}
