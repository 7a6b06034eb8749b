using Hazumu.Gateway.Admission;
using Hazumu.Gateway.Configuration;
using Hazumu.Gateway.Keys;
using Hazumu.Gateway.Names;
using Hazumu.Gateway.Upstreams;

namespace Hazumu.Gateway.Telemetry;

/// <summary>
/// The fleet for metrics: copies taken under its lock. Of several gateways, only the one that admits exports it, so
/// that sums over all are correct.
/// </summary>
internal sealed class FleetGauges(
    Fleet fleet, Scheduler scheduler, IAdmission admission, PinnedModelLoader pinned, GatewaySettings settings) : IFleetGauges
{
    /// <inheritdoc/>
    public IEnumerable<InstanceGauge> Instances => Copy<InstanceGauge>(instance =>
    [
        new(
            instance.Name,
            instance.IsUp == true,
            (int)instance.Circuit.State,
            instance.Kind is { } kind ? SettingsReader.NameOf(kind) : null,
            instance.Version),
    ]);

    /// <inheritdoc/>
    public IEnumerable<SlotGauge> Slots => Copy(instance => instance.Slots.Values
        // A model that does not exist holds a slot too, until the engine has said so.
        .Where(slots => slots.IsResident || (slots.InUse > 0 && instance.Has(slots.Model) != false))
        .Select(slots => new SlotGauge(instance.Name, slots.Model, slots.InUse, instance.LimitOf(slots.Model, settings.Current.Slots))));

    /// <inheritdoc/>
    public IEnumerable<QueueGauge> Queues => scheduler.WaitingByModel().Select(queue => new QueueGauge(queue.Model, queue.Waiting));

    /// <inheritdoc/>
    public IEnumerable<ResidentModelGauge> ResidentModels => Copy(instance => instance.Slots.Values
        .Select(slots => slots.Resident)
        .OfType<ResidentModel>()
        .Select(model => new ResidentModelGauge(
            instance.Name, model.Name, model.Size, model.SizeVram, model.ExpiresAt, model.ContextLength)));

    /// <inheritdoc/>
    public IEnumerable<StaleModelGauge> StaleModels =>
        admission.IsAdmitting ? fleet.StaleModels().Select(stale => new StaleModelGauge(stale.Instance.Name, stale.Model)) : [];

    /// <inheritdoc/>
    public IEnumerable<PinnedModelGauge> PinnedModels => admission.IsAdmitting
        ? pinned.Current.Select(pin => new PinnedModelGauge(ModelName.FullNameOf(pin.Model), pin.Missing))
        : [];

    /// <inheritdoc/>
    public bool Admits => admission.IsAdmitting;

    /// <inheritdoc/>
    public int Peers => admission.Peers;

    /// <inheritdoc/>
    public string? FindModel(string name)
    {
        var model = ModelName.FullNameOf(name);
        return fleet.Knows(model) ? model : null;
    }

    private List<T> Copy<T>(Func<Instance, IEnumerable<T>> read) =>
        admission.IsAdmitting ? fleet.Read(instances => instances.SelectMany(read).ToList()) : [];
}
