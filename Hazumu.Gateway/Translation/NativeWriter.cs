using System.Buffers;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Hazumu.Gateway.Translation;

/// <summary>Writes answers of <c>/api/chat</c> and <c>/api/generate</c>: lines of JSON, or one document.</summary>
/// <remarks>Source: <c>ChatResponse</c> and <c>GenerateResponse</c> of Ollama's <c>api/types.go</c> (0.32.15). Durations are nanoseconds.</remarks>
/// <param name="model">The model, as the client names it.</param>
/// <param name="isChat">Whether it is a chat, else a completion.</param>
/// <param name="isStream">Whether the pieces are sent as they come.</param>
/// <param name="clock">Gives the time.</param>
internal sealed class NativeWriter(string model, bool isChat, bool isStream, TimeProvider clock) : AnswerWriter
{
    // Go reads a time without unescaping it: with "\u002B" for "+", some clients fail.
    private static readonly JsonWriterOptions s_options = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    private readonly StringBuilder _text = new();
    private readonly StringBuilder _thinking = new();
    private readonly JsonArray _logprobs = [];
    private readonly JsonArray _calls = [];
    private readonly StringBuilder _arguments = new();
    private string _callId = "";
    private string _callName = "";
    private int _callIndex;

    /// <inheritdoc/>
    public override string MediaType => isStream ? "application/x-ndjson" : "application/json; charset=utf-8";

    /// <summary>The document that Ollama answers with where it only loads a model.</summary>
    public static byte[] Loaded(string model, bool isChat, TimeProvider clock)
    {
        var writer = new NativeWriter(model, isChat, isStream: false, clock);
        writer.Write("", "", null, null, json =>
        {
            json.WriteBoolean("done", true);
            json.WriteString("done_reason", "load");
        });
        return writer.Output.WrittenSpan.ToArray();
    }

    /// <inheritdoc/>
    public override void WriteText(string text, JsonArray? logprobs)
    {
        if (isStream)
        {
            WritePiece(text, "", null, logprobs);
            return;
        }

        _text.Append(text);
        foreach (var one in logprobs ?? [])
        {
            _logprobs.Add(one?.DeepClone());
        }
    }

    /// <inheritdoc/>
    public override void WriteThinking(string text)
    {
        if (isStream)
        {
            WritePiece("", text, null, null);
        }
        else
        {
            _thinking.Append(text);
        }
    }

    /// <inheritdoc/>
    public override void BeginToolCall(string id, string name)
    {
        (_callId, _callName) = (id, name);
        _arguments.Clear();
    }

    /// <inheritdoc/>
    public override void WriteArguments(string json) => _arguments.Append(json);

    /// <inheritdoc/>
    /// <remarks>
    /// Ollama's calls have an object where OpenAI's have its text. A call that the token limit has cut off is not a
    /// call, as in Ollama.
    /// </remarks>
    public override void EndToolCall(bool isCutOff)
    {
        var arguments = ParseArguments();
        if (arguments is null)
        {
            if (!isCutOff)
            {
                WriteError($"The model has called the tool '{_callName}' with arguments that are not a JSON object.");
            }

            return;
        }

        var call = new JsonObject
        {
            ["id"] = _callId,
            ["function"] = new JsonObject
            {
                ["index"] = _callIndex++,
                ["name"] = _callName,
                ["arguments"] = arguments,
            },
        };
        if (isStream)
        {
            WritePiece("", "", new JsonArray(call), null);
        }
        else
        {
            _calls.Add(call);
        }
    }

    /// <inheritdoc/>
    public override void WriteEnd(AnswerEnd end) => Write(_text.ToString(), _thinking.ToString(), _calls, _logprobs, json =>
    {
        json.WriteBoolean("done", true);
        json.WriteString("done_reason", end.Reason == "tool_calls" ? "stop" : end.Reason);
        WriteNumber(json, "total_duration", Nanoseconds(end.Total));
        WriteNumber(json, "prompt_eval_count", end.PromptTokens);
        WriteNumber(json, "prompt_eval_cached_count", end.CachedTokens);
        WriteNumber(json, "prompt_eval_duration", Nanoseconds(end.Prompt));
        WriteNumber(json, "eval_count", end.OutputTokens);
        WriteNumber(json, "eval_duration", Nanoseconds(end.Output));
    });

    /// <inheritdoc/>
    protected override void WriteErrorInStream(string message)
    {
        using (var json = new Utf8JsonWriter(Output, s_options))
        {
            json.WriteStartObject();
            json.WriteString("error", message);
            json.WriteEndObject();
        }

        Output.Write("\n"u8);
    }

    private JsonObject? ParseArguments()
    {
        if (_arguments.Length == 0)
        {
            return [];
        }

        try
        {
            return JsonReading.Parse(Encoding.UTF8.GetBytes(_arguments.ToString())) as JsonObject;
        }
        catch (JsonException)
        {
            return null;
        }
    }

    private void WritePiece(string text, string thinking, JsonArray? calls, JsonArray? logprobs) =>
        Write(text, thinking, calls, logprobs, static json => json.WriteBoolean("done", false));

    private void Write(string text, string thinking, JsonArray? calls, JsonArray? logprobs, Action<Utf8JsonWriter> writeRest)
    {
        using (var json = new Utf8JsonWriter(Output, s_options))
        {
            json.WriteStartObject();
            json.WriteString("model", model);
            json.WriteString("created_at", clock.GetUtcNow().UtcDateTime);
            if (isChat)
            {
                json.WriteStartObject("message");
                json.WriteString("role", "assistant");
            }

            json.WriteString(isChat ? "content" : "response", text);
            if (thinking.Length > 0)
            {
                json.WriteString("thinking", thinking);
            }

            WriteArray(json, "tool_calls", calls);
            if (isChat)
            {
                json.WriteEndObject();
            }

            WriteArray(json, "logprobs", logprobs);
            writeRest(json);
            json.WriteEndObject();
        }

        if (isStream)
        {
            Output.Write("\n"u8);
        }
    }

    private static void WriteArray(Utf8JsonWriter json, string name, JsonArray? array)
    {
        if (array is { Count: > 0 })
        {
            json.WritePropertyName(name);
            array.WriteTo(json);
        }
    }

    // As Ollama does, zero is left out.
    private static void WriteNumber(Utf8JsonWriter json, string name, long number)
    {
        if (number > 0)
        {
            json.WriteNumber(name, number);
        }
    }

    private static long Nanoseconds(TimeSpan duration) => (long)duration.TotalNanoseconds;
}
