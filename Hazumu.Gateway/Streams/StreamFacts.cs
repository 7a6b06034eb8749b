namespace Hazumu.Gateway.Streams;

/// <summary>
/// The facts that a tap has read in an engine's answer. Durations are nanoseconds, as Ollama gives them; zero where the
/// dialect has none.
/// </summary>
/// <remarks>A mutable struct, kept in its request: the tap writes it on the hot path.</remarks>
internal struct StreamFacts
{
    /// <summary>Tokens of the prompt, those from the cache included.</summary>
    public long InputTokens;

    /// <summary>Tokens of the prompt that came from the cache.</summary>
    public long CachedTokens;

    /// <summary>Tokens that the model made.</summary>
    public long OutputTokens;

    /// <summary>Whether the engine reported token counts.</summary>
    public bool HasUsage;

    /// <summary>Time to load the model.</summary>
    public long LoadDuration;

    /// <summary>Time to read the prompt.</summary>
    public long PromptEvalDuration;

    /// <summary>Time to make the tokens.</summary>
    public long EvalDuration;

    /// <summary>The engine's whole time.</summary>
    public long TotalDuration;

    /// <summary>The model that answered, if the engine reported it; read once.</summary>
    public string? ResponseModel;

    /// <summary>Why generation ended: <c>stop</c>, <c>length</c>, <c>load</c>, <c>end_turn</c>.</summary>
    public string? FinishReason;

    /// <summary>Objects (NDJSON lines) or events of the stream, the closing one included; what the client does not get is not counted.</summary>
    public int Events;

    /// <summary>Whether the stream reported that it is complete: <c>done</c>, <c>[DONE]</c>, <c>message_stop</c>, or the end of a single JSON document.</summary>
    public bool IsComplete;

    /// <summary>Whether an object or event of the stream is an error, under whatever status.</summary>
    public bool HasError;
}
