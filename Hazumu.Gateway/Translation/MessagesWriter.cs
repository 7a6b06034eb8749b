using System.Buffers;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Hazumu.Gateway.Streams;

namespace Hazumu.Gateway.Translation;

/// <summary>Writes answers of Anthropic's <c>/v1/messages</c>: events, or one document.</summary>
/// <remarks>
/// Source: https://docs.anthropic.com/en/docs/build-with-claude/streaming. The prompt's tokens are known at the end only and are reported
/// there, where Anthropic's clients read them; what came from the cache is counted apart, as Anthropic does.
/// </remarks>
/// <param name="model">The model, as the client names it.</param>
/// <param name="isStream">Whether the pieces are sent as they come.</param>
/// <param name="requestId">The request's id.</param>
internal sealed class MessagesWriter(string model, bool isStream, string requestId) : AnswerWriter
{
    private readonly JsonArray _blocks = [];
    private readonly StringBuilder _text = new();
    private readonly string _id = $"msg_{Guid.NewGuid():N}";
    private bool _hasBegun;
    private string? _open;
    private int _index = -1;

    /// <inheritdoc/>
    public override string MediaType => isStream ? "text/event-stream" : "application/json";

    /// <inheritdoc/>
    public override void WriteText(string text, JsonArray? logprobs) => Write("text", "text", text, static () => new() { ["type"] = "text", ["text"] = "" });

    /// <inheritdoc/>
    public override void WriteThinking(string text) =>
        Write("thinking", "thinking", text, static () => new() { ["type"] = "thinking", ["thinking"] = "", ["signature"] = "" });

    /// <inheritdoc/>
    public override void BeginToolCall(string id, string name)
    {
        CloseBlock();
        OpenBlock("tool_use", new JsonObject { ["type"] = "tool_use", ["id"] = id, ["name"] = name, ["input"] = new JsonObject() });
    }

    /// <inheritdoc/>
    public override void WriteArguments(string json) => WriteDelta("input_json_delta", "partial_json", json);

    /// <inheritdoc/>
    public override void EndToolCall(bool isCutOff)
    {
        CloseBlock();
        if (isStream || _text.Length == 0)
        {
            return;
        }

        if (ParseInput() is { } input)
        {
            _blocks[^1]!["input"] = input;
        }
        else if (isCutOff)
        {
            // 'stop_reason' reports the limit; half an input is no call.
            _blocks.RemoveAt(_blocks.Count - 1);
        }
        else
        {
            WriteError($"The model has called the tool '{_blocks[^1].Text("name")}' with arguments that are not a JSON object.");
        }
    }


    /// <inheritdoc/>
    public override void WriteEnd(AnswerEnd end)
    {
        Begin();
        CloseBlock();
        var reason = end.Reason switch
        {
            "stop" => "end_turn",
            "length" => "max_tokens",
            "tool_calls" => "tool_use",
            "content_filter" => "refusal",
            var other => other,
        };
        var usage = new JsonObject
        {
            ["input_tokens"] = end.PromptTokens - end.CachedTokens,
            ["cache_read_input_tokens"] = end.CachedTokens,
            ["output_tokens"] = end.OutputTokens,
        };
        if (!isStream)
        {
            var message = Message();
            (message["content"], message["stop_reason"], message["usage"]) = (_blocks, reason, usage);
            Output.Write(message.Write().Span);
            return;
        }

        WriteEvent("message_delta", new JsonObject { ["delta"] = new JsonObject { ["stop_reason"] = reason, ["stop_sequence"] = null }, ["usage"] = usage });
        WriteEvent("message_stop", []);
    }

    /// <inheritdoc/>
    protected override void WriteErrorInStream(string message)
    {
        Output.Write("event: error\ndata: "u8);
        Output.Write(ErrorBody.Write(Dialect.Anthropic, 500, message, requestId).WrittenSpan);
        Output.Write("\n\n"u8);
    }

    private JsonObject Message() => new()
    {
        ["id"] = _id,
        ["type"] = "message",
        ["role"] = "assistant",
        ["model"] = model,
        ["content"] = new JsonArray(),
        ["stop_reason"] = null,
        ["stop_sequence"] = null,
        ["usage"] = new JsonObject { ["input_tokens"] = 0, ["output_tokens"] = 0 },
    };

    private void Begin()
    {
        if (isStream && !_hasBegun)
        {
            _hasBegun = true;
            WriteEvent("message_start", new JsonObject { ["message"] = Message() });
        }
    }

    private void Write(string type, string field, string text, Func<JsonObject> createBlock)
    {
        if (_open != type)
        {
            CloseBlock();
            OpenBlock(type, createBlock());
        }

        WriteDelta($"{type}_delta", field, text);
    }

    private void OpenBlock(string type, JsonObject block)
    {
        Begin();
        _open = type;
        _index++;
        _text.Clear();
        if (isStream)
        {
            WriteEvent("content_block_start", new JsonObject { ["index"] = _index, ["content_block"] = block });
        }
        else
        {
            _blocks.Add(block);
        }
    }

    private void WriteDelta(string type, string field, string text)
    {
        if (isStream)
        {
            WriteEvent("content_block_delta", new JsonObject { ["index"] = _index, ["delta"] = new JsonObject { ["type"] = type, [field] = text } });
        }
        else
        {
            _text.Append(text);
        }
    }

    private void CloseBlock()
    {
        if (_open is not { } type)
        {
            return;
        }

        _open = null;
        if (isStream)
        {
            WriteEvent("content_block_stop", new JsonObject { ["index"] = _index });
        }
        else if (type != "tool_use")
        {
            _blocks[^1]![type] = _text.ToString();
        }
    }

    private JsonObject? ParseInput()
    {
        try
        {
            return JsonReading.Parse(Encoding.UTF8.GetBytes(_text.ToString())) as JsonObject;
        }
        catch (JsonException)
        {
            return null;
        }
    }

    private void WriteEvent(string name, JsonObject data)
    {
        data.Insert(0, "type", name);
        Output.Write(Encoding.UTF8.GetBytes($"event: {name}\ndata: {data.WriteText()}\n\n"));
    }
}
