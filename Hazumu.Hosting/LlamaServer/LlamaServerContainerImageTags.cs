namespace Aspire.Hosting;

internal static class LlamaServerContainerImageTags
{
    /// <remarks>ghcr.io</remarks>
    public const string Registry = "ghcr.io";

    /// <remarks>ggml-org/llama.cpp</remarks>
    public const string Image = "ggml-org/llama.cpp";

    // The build of llama.cpp 0.7.0, which Debian has too.
    /// <remarks>server-b11669</remarks>
    public const string Tag = "server-b11669";
}
