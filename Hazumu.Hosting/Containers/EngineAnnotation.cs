namespace Hazumu.Hosting.Containers;

/// <summary>Marks a resource as an engine: its container gets the label <see cref="ContainerLabels.Engine"/>, its targets the label <c>engine</c>.</summary>
/// <param name="Kind">The program that it is.</param>
internal sealed record EngineAnnotation(EngineKind Kind) : IResourceAnnotation
{
    /// <summary>The kind as labels have it, such as <c>llama-server</c>; <see langword="null"/> for what is no engine.</summary>
    public static string? KindOf(IResource resource) => resource.Annotations.OfType<EngineAnnotation>().SingleOrDefault() is { } engine ? SettingsReader.NameOf(engine.Kind) : null;
}
