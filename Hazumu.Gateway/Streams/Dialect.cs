namespace Hazumu.Gateway.Streams;

/// <summary>The API that a client speaks; the gateway's own errors are in it.</summary>
internal enum Dialect
{
    /// <summary>Ollama's own: <c>/api/*</c>, streamed as NDJSON. https://docs.ollama.com/api</summary>
    Native,

    /// <summary>OpenAI's: <c>/v1/*</c>, streamed as server-sent events.</summary>
    OpenAI,

    /// <summary>Anthropic's: <c>/v1/messages</c>, streamed as server-sent events.</summary>
    Anthropic,
}

/// <summary>Finds dialects.</summary>
internal static class Dialects
{
    /// <summary>The dialect that a path belongs to, known route or not.</summary>
    public static Dialect Of(string path) =>
        path.StartsWith("/v1/messages", StringComparison.Ordinal) ? Dialect.Anthropic
        : path.StartsWith("/v1/", StringComparison.Ordinal) ? Dialect.OpenAI
        : Dialect.Native;
}
