namespace Aspire.Hosting;

internal static class VllmContainerImageTags
{
    /// <remarks>docker.io</remarks>
    public const string Registry = "docker.io";

    /// <remarks>vllm/vllm-openai</remarks>
    public const string Image = "vllm/vllm-openai";

    /// <remarks>v0.11.0</remarks>
    public const string Tag = "v0.11.0";
}
