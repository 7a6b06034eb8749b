using System.Buffers;
using System.Text.Json.Nodes;

namespace Hazumu.Gateway.Translation;

/// <summary>Writes an engine's answer in the client's dialect, piece by piece as <see cref="AnswerReader"/> reads it.</summary>
internal abstract class AnswerWriter
{
    /// <summary>The written bytes that are not sent yet.</summary>
    public ArrayBufferWriter<byte> Output { get; } = new();

    /// <summary>The media type of what is written.</summary>
    public abstract string MediaType { get; }

    /// <summary>The error that the engine reported in its stream instead of an answer, if any.</summary>
    public string? Error { get; private set; }

    /// <summary>Writes a piece of the answer's text.</summary>
    /// <param name="text">The text.</param>
    /// <param name="logprobs">The probabilities of its tokens, as OpenAI's API gives them; <see langword="null"/> without.</param>
    public abstract void WriteText(string text, JsonArray? logprobs);

    /// <summary>Writes a piece of what the model thinks before it answers.</summary>
    public abstract void WriteThinking(string text);

    /// <summary>Begins a call of a tool.</summary>
    public abstract void BeginToolCall(string id, string name);

    /// <summary>Writes a piece of a call's arguments: a part of a JSON object's text.</summary>
    public abstract void WriteArguments(string json);

    /// <summary>Ends a call of a tool.</summary>
    /// <param name="isCutOff">Whether the answer has reached its limit, so that the arguments may be incomplete.</param>
    public abstract void EndToolCall(bool isCutOff);

    /// <summary>Ends the answer.</summary>
    public abstract void WriteEnd(AnswerEnd end);

    /// <summary>Writes an error that the engine has reported in its stream; nothing follows.</summary>
    public void WriteError(string message)
    {
        Error = message;
        WriteErrorInStream(message);
    }

    /// <summary>Writes an error where clients of this dialect look for it in a stream.</summary>
    protected abstract void WriteErrorInStream(string message);
}

/// <summary>How an answer has ended.</summary>
/// <param name="Reason">Why, in OpenAI's words: <c>stop</c>, <c>length</c>, <c>tool_calls</c>, <c>content_filter</c>.</param>
/// <param name="PromptTokens">Tokens of the prompt; zero where the engine does not report them.</param>
/// <param name="CachedTokens">Those of them that came from the cache.</param>
/// <param name="OutputTokens">Tokens of the answer.</param>
/// <param name="Total">The whole time.</param>
/// <param name="Prompt">The time for the prompt: as the engine reports it, else until the first piece.</param>
/// <param name="Output">The time for the answer: as the engine reports it, else from the first piece to the last.</param>
internal readonly record struct AnswerEnd(string Reason, long PromptTokens, long CachedTokens, long OutputTokens, TimeSpan Total, TimeSpan Prompt, TimeSpan Output);
