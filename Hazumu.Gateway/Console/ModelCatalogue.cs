using Hazumu.Gateway.Names;
using Hazumu.Gateway.Upstreams;

namespace Hazumu.Gateway.Console;

/// <summary>The models of all engines, each once.</summary>
internal sealed class ModelCatalogue(Fleet fleet, ModelNames names)
{
    /// <summary>Reads them, in the order of their names.</summary>
    public IReadOnlyList<CatalogueModel> Read()
    {
        var now = fleet.Now;
        var chains = names.All.ToList();
        return
        [
            .. fleet.Read(instances => instances.SelectMany(instance => HeldBy(instance, now)).ToList())
                .GroupBy(held => held.Model, StringComparer.Ordinal)
                .OrderBy(model => model.Key, StringComparer.Ordinal)
                .Select(model => new CatalogueModel(
                    model.Key,
                    model.Max(held => held.Size),
                    model.Max(held => held.Context),
                    model.Min(held => held.LastUsedSeconds),
                    model.Any(held => held.Completes != false),
                    [.. model],
                    [.. chains.Where(chain => chain.FullNames.Contains(model.Key))])),
        ];
    }

    /// <summary>The engines that models can be pulled to.</summary>
    public IReadOnlyList<string> Pullable() =>
    [
        .. fleet.Read(instances => instances.Where(instance => instance.Kind is EngineKind.Ollama && instance.Circuit.State != CircuitState.Open)
            .Select(instance => instance.Name).ToList()),
    ];

    /// <summary>The names that clients may use beside those of models.</summary>
    public IReadOnlyList<NamedChain> Names() => [.. names.All.OrderBy(chain => chain.Name, StringComparer.Ordinal)];

    private static IEnumerable<HeldModel> HeldBy(Instance instance, long now)
    {
        var stored = instance.Stored?.Values.Where(model => instance.Models.Allows(model.Name)).ToDictionary(model => model.Name, StringComparer.Ordinal) ?? [];
        var resident = instance.Slots.Values.Where(slots => slots.IsResident || slots.IsLoading).Select(slots => slots.Model);
        foreach (var model in stored.Keys.Union(resident))
        {
            var (onDisk, slots) = (stored.GetValueOrDefault(model), instance.Slots.GetValueOrDefault(model));
            yield return new(
                model,
                instance.Name,
                instance.Kind is EngineKind.Ollama,
                slots?.IsResident == true,
                slots?.IsLoading == true,
                onDisk?.Size > 0 ? onDisk.Size : slots?.Resident?.Size,
                slots?.Resident?.ContextLength,
                slots is { LastUsed: > 0 } ? (now - slots.LastUsed) / 1000d : null,
                onDisk?.Completes);
        }
    }
}

/// <summary>A model, at all engines that have it.</summary>
/// <param name="Name">Its full name.</param>
/// <param name="Size">Bytes; <see langword="null"/> where no engine says.</param>
/// <param name="Context">Tokens that a prompt and its answer may have together, where it is in memory.</param>
/// <param name="LastUsedSeconds">How long ago it was used; <see langword="null"/> if it was not, since the gateway's start.</param>
/// <param name="Completes">Whether it may generate text.</param>
/// <param name="Engines">The engines that have it.</param>
/// <param name="Chains">The names that lead to it.</param>
internal sealed record CatalogueModel(
    string Name, long? Size, long? Context, double? LastUsedSeconds, bool Completes, IReadOnlyList<HeldModel> Engines, IReadOnlyList<NamedChain> Chains)
{
    /// <summary>Whether an engine has it whose models are managed here.</summary>
    public bool IsManaged => Engines.Any(held => held.IsManaged);

    /// <summary>Whether an engine has it in memory.</summary>
    public bool IsInMemory => Engines.Any(held => held.IsInMemory);

    /// <summary>The engines from which it would be deleted.</summary>
    public string ManagedBy => string.Join(", ", Engines.Where(held => held.IsManaged).Select(held => held.Engine));
}

/// <summary>A model of one engine.</summary>
/// <param name="Model">Its full name.</param>
/// <param name="Engine">The engine.</param>
/// <param name="IsManaged">Whether the engine's models can be pulled, loaded and deleted: only those of Ollama can.</param>
/// <param name="IsInMemory">Whether it is in memory.</param>
/// <param name="IsLoading">Whether it is being loaded.</param>
/// <param name="Size">Bytes on disk, or in memory where the engine has no disk.</param>
/// <param name="Context">Tokens of its context.</param>
/// <param name="LastUsedSeconds">How long ago it was used there.</param>
/// <param name="Completes">Whether it generates text.</param>
internal sealed record HeldModel(
    string Model, string Engine, bool IsManaged, bool IsInMemory, bool IsLoading, long? Size, long? Context, double? LastUsedSeconds, bool? Completes);
