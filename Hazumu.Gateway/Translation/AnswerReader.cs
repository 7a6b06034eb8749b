using System.Text.Json;
using System.Text.Json.Nodes;

namespace Hazumu.Gateway.Translation;

/// <summary>Reads the events of a stream of <c>/v1/chat/completions</c> or <c>/v1/completions</c>.</summary>
/// <remarks>
/// Beyond OpenAI's API: <c>reasoning_content</c> (llama-server, SGLang) or <c>reasoning</c> (vLLM) is what the model thinks, and
/// <c>timings</c> (llama-server) are durations in milliseconds. An error may come as an event in place of the answer's rest.
/// </remarks>
/// <param name="writer">Gets what is read.</param>
/// <param name="clock">Measures what the engine does not.</param>
internal sealed class AnswerReader(AnswerWriter writer, TimeProvider clock)
{
    private readonly long _began = clock.GetTimestamp();
    private long _firstPiece;
    private long _lastPiece;
    private long? _call;
    private string? _callId;
    private string? _reason;
    private JsonNode? _usage;
    private JsonNode? _timings;
    private bool _isComplete;

    /// <summary>Whether the answer, or an error in place of its rest, is complete.</summary>
    public bool HasEnded => _isComplete || writer.Error is not null;

    /// <summary>Reads the data of one event.</summary>
    /// <exception cref="IOException">It is not what an engine sends.</exception>
    public void Read(ReadOnlySpan<byte> data)
    {
        if (HasEnded)
        {
            return;
        }

        if (data.SequenceEqual("[DONE]"u8))
        {
            _reason ??= "stop";
            Complete();
            return;
        }

        JsonNode? chunk;
        try
        {
            chunk = JsonReading.Parse(data);
        }
        catch (JsonException error)
        {
            throw new IOException("The engine's stream has an event that is not JSON.", error);
        }

        if (EngineError.Find(chunk) is { } message)
        {
            writer.WriteError(message);
            return;
        }

        _usage = chunk.Object("usage") ?? _usage;
        _timings = chunk.Object("timings") ?? _timings;
        if (chunk.Array("choices") is [JsonObject choice, ..])
        {
            ReadChoice(choice);
        }
    }

    /// <summary>The stream has ended: so has the answer, if the engine has reported why.</summary>
    public void Complete()
    {
        if (HasEnded || _reason is null)
        {
            return;
        }

        EndToolCall();
        if (HasEnded)
        {
            return;
        }

        _isComplete = true;
        var details = _usage.Object("prompt_tokens_details");
        writer.WriteEnd(new AnswerEnd(
            _reason,
            _usage.Number("prompt_tokens") ?? 0,
            details.Number("cached_tokens") ?? 0,
            _usage.Number("completion_tokens") ?? 0,
            clock.GetElapsedTime(_began),
            Milliseconds("prompt_ms") ?? (_firstPiece == 0 ? TimeSpan.Zero : clock.GetElapsedTime(_began, _firstPiece)),
            Milliseconds("predicted_ms") ?? clock.GetElapsedTime(_firstPiece, _lastPiece)));
    }

    private TimeSpan? Milliseconds(string name) => _timings.Decimal(name) is >= 0 and < 1e12 and var value ? TimeSpan.FromMilliseconds(value) : null;

    private void ReadChoice(JsonObject choice)
    {
        var delta = choice.Object("delta");
        if ((delta.Text("reasoning_content") ?? delta.Text("reasoning")) is { Length: > 0 } thinking)
        {
            OnPiece();
            writer.WriteThinking(thinking);
        }

        if ((delta.Text("content") ?? choice.Text("text")) is { Length: > 0 } text)
        {
            OnPiece();
            EndToolCall();
            writer.WriteText(text, choice.Object("logprobs").Array("content"));
        }

        foreach (var call in delta.Array("tool_calls")?.OfType<JsonObject>() ?? [])
        {
            OnPiece();
            ReadToolCall(call);
        }

        _reason = choice.Text("finish_reason") ?? _reason;
    }

    // A call comes in pieces: the first has its id and name, all have parts of its arguments, and one index. Servers that
    // send calls whole may give each the index 0, or none.
    private void ReadToolCall(JsonObject call)
    {
        var index = call.Number("index") ?? 0;
        var function = call.Object("function");
        var id = call.Text("id") is { Length: > 0 } given ? given : null;
        if (_call != index || (id is not null && id != _callId))
        {
            EndToolCall();
            (_call, _callId) = (index, id);
            writer.BeginToolCall(id ?? $"call_{Guid.NewGuid():N}", function.Text("name") ?? "");
        }

        if (function.Text("arguments") is { Length: > 0 } arguments)
        {
            writer.WriteArguments(arguments);
        }
    }

    private void EndToolCall()
    {
        if (_call is not null)
        {
            _call = null;
            writer.EndToolCall(isCutOff: _reason == "length");
        }
    }

    private void OnPiece()
    {
        _lastPiece = clock.GetTimestamp();
        if (_firstPiece == 0)
        {
            _firstPiece = _lastPiece;
        }
    }
}
