using System.Text.Json.Nodes;

namespace Hazumu.Gateway.Translation;

/// <summary>Puts the messages of Ollama's API into OpenAI's.</summary>
internal static class NativeMessages
{
    /// <summary>The messages of a chat.</summary>
    /// <exception cref="TranslationException">A message is malformed.</exception>
    public static JsonArray Translate(JsonArray messages, EngineKind kind)
    {
        var translated = new JsonArray();

        // Calls whose results are still to come, in order: Ollama's results may name the tool alone, or nothing.
        var open = new List<(string Id, string Name)>();
        foreach (var message in messages)
        {
            var role = message.Text("role")?.ToLowerInvariant() ?? throw new TranslationException(400, "Each of 'messages' must be an object with a 'role'.");
            translated.Add(role switch
            {
                "tool" => ToolResult(message!, open),
                "assistant" => Assistant(message!, open, kind),
                _ => ChatForm.Message(role, Content(TextOf(message!), message.Array("images"))),
            });
        }

        return translated;
    }

    /// <summary>The content of a message: its text, or parts where there are images.</summary>
    public static JsonNode Content(string text, JsonArray? images)
    {
        if (images is not { Count: > 0 })
        {
            return text;
        }

        var parts = new JsonArray();
        if (text.Length > 0)
        {
            parts.Add(ChatForm.Text(text));
        }

        foreach (var image in images)
        {
            parts.Add(Attachment(image.AsText() ?? throw new TranslationException(400, "Each of 'images' must be a string in base64.")));
        }

        return parts;
    }

    private static JsonObject Assistant(JsonNode message, List<(string Id, string Name)> open, EngineKind kind)
    {
        var translated = ChatForm.Message("assistant", TextOf(message));
        if (message.Text("thinking") is { Length: > 0 } thinking && kind is EngineKind.LlamaServer or EngineKind.Vllm)
        {
            translated["reasoning_content"] = thinking;
        }

        if (message.Array("tool_calls") is not { Count: > 0 } calls)
        {
            return translated;
        }

        open.Clear();
        translated["tool_calls"] = new JsonArray([.. calls.Select((call, index) =>
        {
            var function = call.Object("function") ?? throw new TranslationException(400, "Each of 'tool_calls' must have a 'function'.");
            var (id, name) = (call.Text("id") is { Length: > 0 } own ? own : $"call_{index}", function.Text("name") ?? "");
            open.Add((id, name));
            return (JsonNode)ChatForm.Call(id, name, function.Object("arguments")?.WriteText() ?? function.Text("arguments") ?? "{}");
        })]);
        return translated;
    }

    private static JsonObject ToolResult(JsonNode message, List<(string Id, string Name)> open)
    {
        var id = message.Text("tool_call_id");
        if (string.IsNullOrEmpty(id))
        {
            var name = message.Text("tool_name") ?? message.Text("name");
            var index = open.FindIndex(call => call.Name == name);
            id = index >= 0 ? open[index].Id : open.Count > 0 ? open[0].Id : "call_0";
        }

        open.RemoveAll(call => call.Id == id);
        return ChatForm.Result(id, TextOf(message));
    }

    private static string TextOf(JsonNode message) => message.Value("content") is not { } content ? ""
        : content.AsText() ?? throw new TranslationException(400, "The 'content' of each of 'messages' must be a string; send pictures in 'images'.");

    // Ollama takes pictures and sounds alike and looks at their first bytes.
    private static JsonObject Attachment(string base64)
    {
        Span<byte> head = stackalloc byte[12];
        if (base64.Length < 16 || !Convert.TryFromBase64Chars(base64.AsSpan(0, 16), head, out _))
        {
            throw new TranslationException(400, "Each of 'images' must be a picture or a sound in base64.");
        }

        if (head.StartsWith("RIFF"u8) && head.EndsWith("WAVE"u8))
        {
            return new JsonObject { ["type"] = "input_audio", ["input_audio"] = new JsonObject { ["data"] = base64, ["format"] = "wav" } };
        }

        var type = head[1..].StartsWith("PNG"u8) ? "png"
            : head.StartsWith("GIF8"u8) ? "gif"
            : head.StartsWith("RIFF"u8) && head.EndsWith("WEBP"u8) ? "webp"
            : "jpeg";
        return ChatForm.Image($"data:image/{type};base64,{base64}");
    }
}
