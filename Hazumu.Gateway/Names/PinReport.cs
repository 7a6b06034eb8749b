namespace Hazumu.Gateway.Names;

/// <summary>A model that is kept in memory, and where it is.</summary>
/// <param name="Model">The model, as it is configured.</param>
/// <param name="When">When it is kept.</param>
/// <param name="Wanted">On how many instances it is to be now.</param>
/// <param name="Loaded">Where it is.</param>
/// <param name="Problem">Why it is on fewer; <see langword="null"/> where it is not.</param>
internal sealed record PinReport(string Model, string When, int Wanted, IReadOnlyList<string> Loaded, string? Problem)
{
    /// <summary>On how many instances it is missing.</summary>
    public int Missing => Math.Max(0, Wanted - Loaded.Count);

    /// <summary>Describes a model.</summary>
    public static PinReport Create(PinnedModel pin, int wanted, IReadOnlyList<string> loaded, string? problem) => new(
        pin.Model.Name,
        pin.LoadAt.Count == 0 ? "always" : $"{string.Join(", ", pin.Options.LoadAt)}, for {Duration.Format(pin.Options.KeepFor)}",
        wanted,
        loaded,
        problem);
}
