namespace Hazumu.Hosting.Publishing;

/// <summary>The image of a project: no registry has it, the .NET SDK builds it from the checkout.</summary>
/// <param name="Image">Its name. A registry named localhost keeps an engine from looking for a stranger's image of that
/// name.</param>
internal sealed record PublishedBuildAnnotation(string Image) : IResourceAnnotation;
