namespace Hazumu.Hosting.Publishing;

/// <summary>The chart has no objects for the resource.</summary>
/// <param name="Instead">The part of a cluster that takes its place, for the chart's reader.</param>
internal sealed record NotInChartAnnotation(string Instead) : IResourceAnnotation
{
    /// <summary>
    /// The name of its image in the chart's values, where another component's pod has a container of it.
    /// </summary>
    public string? Image { get; init; }

    /// <summary>The files of its folders that such a container reads.</summary>
    public IReadOnlyList<string> Files { get; init; } = [];

    /// <summary>The annotation of a resource, or <see langword="null"/>.</summary>
    public static NotInChartAnnotation? Of(IResource resource) => resource.Annotations.OfType<NotInChartAnnotation>().LastOrDefault();
}
