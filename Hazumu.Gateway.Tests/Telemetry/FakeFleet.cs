using Hazumu.Gateway.Telemetry;

namespace Hazumu.Gateway.Tests.Telemetry;

/// <summary>A fleet that says what a test wants. It knows <c>tiny:latest</c> on <c>ollama</c> unless told otherwise.</summary>
internal sealed class FakeFleet : IFleetGauges
{
    public IEnumerable<InstanceGauge> Instances { get; set; } = [];

    public IEnumerable<SlotGauge> Slots { get; set; } = [];

    public IEnumerable<QueueGauge> Queues { get; set; } = [];

    public IEnumerable<ResidentModelGauge> ResidentModels { get; set; } = [];

    public IEnumerable<StaleModelGauge> StaleModels { get; set; } = [];

    public IEnumerable<PinnedModelGauge> PinnedModels { get; set; } = [];

    public HashSet<string> Models { get; } = ["tiny:latest"];

    public bool Admits { get; set; } = true;

    public int Peers { get; set; }

    public string? FindModel(string name)
    {
        var full = name.Contains(':', StringComparison.Ordinal) ? name : $"{name}:latest";
        return Models.TryGetValue(full, out var model) ? model : null;
    }
}
