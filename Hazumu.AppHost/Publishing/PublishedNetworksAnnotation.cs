namespace Hazumu.AppHost.Publishing;

/// <summary>Which networks a published container joins; one without this annotation joins the backend's alone.</summary>
/// <param name="Names">Of <see cref="Backend"/> and <see cref="Edge"/>.</param>
internal sealed record PublishedNetworksAnnotation(params IReadOnlyList<string> Names) : IResourceAnnotation
{
    /// <summary>The network of all but the edge: Compose's default one.</summary>
    public const string Backend = "default";

    /// <summary>The network of the edge and of what it passes requests to.</summary>
    public const string Edge = "edge";
}
