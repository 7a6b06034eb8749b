namespace Aspire.Hosting;

/// <summary>
/// The version is ours to choose: with the Toolkit's, 0.6.38, no variable gives the key of an Ollama connection.
/// </summary>
internal static class OpenWebUIContainerImageTags
{
    /// <remarks>ghcr.io</remarks>
    public const string Registry = "ghcr.io";

    /// <remarks>open-webui/open-webui</remarks>
    public const string Image = "open-webui/open-webui";

    /// <remarks>v0.12.4</remarks>
    public const string Tag = "v0.12.4";
}
