namespace Hazumu.Hosting.Publishing;

/// <summary>The chart has no objects for the resource.</summary>
/// <param name="Instead">The part of a cluster that takes its place, for the chart's reader.</param>
internal sealed record NotInChartAnnotation(string Instead) : IResourceAnnotation
{
    /// <summary>The annotation of a resource, or <see langword="null"/>.</summary>
    public static NotInChartAnnotation? Of(IResource resource) => resource.Annotations.OfType<NotInChartAnnotation>().LastOrDefault();
}
