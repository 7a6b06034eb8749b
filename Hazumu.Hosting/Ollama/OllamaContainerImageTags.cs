namespace Aspire.Hosting;

/// <summary>The engine's version is ours to choose: the Toolkit's default changes with the Toolkit.</summary>
internal static class OllamaContainerImageTags
{
    /// <remarks>0.32.15</remarks>
    public const string Tag = "0.32.15";
}
