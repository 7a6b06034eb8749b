namespace Hazumu.Hosting.Publishing;

/// <summary>Ollama's image for AMD's cards, by the tag that the Toolkit's <c>WithGPUSupport(AMD)</c> makes in run mode.</summary>
internal static class RocmImage
{
    /// <summary>The image that an instance has there.</summary>
    /// <param name="instance">The instance.</param>
    public static ContainerImageAnnotation Of(OllamaResource instance)
    {
        var image = instance.Annotations.OfType<ContainerImageAnnotation>().Last();
        return new() { Registry = image.Registry, Image = image.Image, Tag = $"{image.Tag}-rocm" };
    }
}
