namespace Hazumu.Mocks;

/// <summary>An answer told byte by byte, given with <see cref="MockEngine.Script"/>.</summary>
/// <param name="Chunks">Each is written and flushed by itself.</param>
public sealed record MockScript(IReadOnlyList<ReadOnlyMemory<byte>> Chunks)
{
    /// <summary>Its status.</summary>
    public int Status { get; init; } = 200;

    /// <summary>Its headers; a <c>Content-Length</c> among them makes it unchunked.</summary>
    public IReadOnlyList<KeyValuePair<string, string>> Headers { get; init; } =
        [new("Content-Type", "application/x-ndjson")];

    /// <summary>Time between two chunks. Without any, chunks may travel together.</summary>
    public TimeSpan Pause { get; init; }

    /// <summary>Whether the connection is reset after the last chunk instead of a proper end.</summary>
    public bool ResetAtEnd { get; init; }
}
