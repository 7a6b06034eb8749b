using System.Text.Json.Nodes;

namespace Hazumu.Gateway.Translation;

/// <summary>Translates requests of Anthropic's <c>/v1/messages</c> into OpenAI's <c>/v1/chat/completions</c>.</summary>
/// <remarks>
/// Source: https://docs.anthropic.com/en/api/messages. Members for caching and billing (<c>cache_control</c>,
/// <c>service_tier</c>) are omitted.
/// </remarks>
internal static class MessagesRequest
{
    private static readonly (string Own, string Name)[] s_parameters =
    [
        ("max_tokens", "max_tokens"),
        ("temperature", "temperature"),
        ("top_p", "top_p"),
        ("stop_sequences", "stop"),
    ];

    /// <summary>Whether a client wants an answer in pieces.</summary>
    public static bool WantsStream(JsonObject body) => body.Flag("stream") == true;

    /// <summary>The request in OpenAI's form.</summary>
    /// <param name="body">The client's request, which is taken apart.</param>
    /// <param name="model">The model's name at the engine.</param>
    /// <param name="kind">The engine's kind.</param>
    /// <exception cref="TranslationException">It cannot be said there.</exception>
    public static JsonObject Translate(JsonObject body, string model, EngineKind kind)
    {
        var request = ChatForm.Begin(model, "messages", Messages(body, kind));
        foreach (var (own, name) in s_parameters)
        {
            if (body.Take(own) is { } value)
            {
                request[name] = value;
            }
        }

        if (kind is EngineKind.LlamaServer or EngineKind.Vllm && body.Take("top_k") is { } topK)
        {
            request["top_k"] = topK;
        }

        AddTools(request, body);
        AddOutput(request, body, kind);
        return request;
    }

    /// <summary>The messages of a request, the system's first.</summary>
    /// <exception cref="TranslationException">One cannot be said in OpenAI's form.</exception>
    public static JsonArray Messages(JsonObject body, EngineKind kind)
    {
        var translated = new JsonArray();
        if (TextOf(body.Value("system")) is { Length: > 0 } system)
        {
            translated.Add(ChatForm.Message("system", system));
        }

        foreach (var message in body.Array("messages") ?? throw Invalid("'messages' is required"))
        {
            var content = message.Value("content") is JsonArray blocks ? blocks : [ChatForm.Text(message.Text("content"))];
            if (message.Text("role") == "assistant")
            {
                translated.Add(Assistant(content, kind));
            }
            else
            {
                AddUser(translated, content, message.Text("role") ?? throw Invalid("each of 'messages' needs a 'role'"));
            }
        }

        return translated;
    }

    private static JsonObject Assistant(JsonArray blocks, EngineKind kind)
    {
        var calls = new JsonArray();
        foreach (var block in blocks.Where(block => block.Text("type") == "tool_use"))
        {
            calls.Add(ChatForm.Call(block.Text("id"), block.Text("name"), block.Object("input")?.WriteText() ?? "{}"));
        }

        var message = ChatForm.Message("assistant", TextOf(blocks));
        var thinking = string.Concat(blocks.Where(block => block.Text("type") == "thinking").Select(block => block.Text("thinking")));
        if (thinking.Length > 0 && kind is EngineKind.LlamaServer or EngineKind.Vllm)
        {
            message["reasoning_content"] = thinking;
        }

        if (calls.Count > 0)
        {
            message["tool_calls"] = calls;
        }

        return message;
    }

    // Results of tools are messages of their own there, which have text alone: their pictures follow as the user's.
    private static void AddUser(JsonArray translated, JsonArray blocks, string role)
    {
        var parts = new JsonArray();
        foreach (var block in blocks)
        {
            if (block.Text("type") != "tool_result")
            {
                parts.Add(Part(block));
                continue;
            }

            translated.Add(ChatForm.Result(block.Text("tool_use_id"), TextOf(block.Value("content"))));
            foreach (var picture in block.Array("content")?.Where(part => part.Text("type") == "image") ?? [])
            {
                parts.Add(Part(picture));
            }
        }

        if (parts.Count > 0)
        {
            translated.Add(ChatForm.Message(role, parts is [var only] && only.Text("type") == "text" ? only.Text("text") : parts));
        }
    }

    private static JsonObject Part(JsonNode? block) => (block.Text("type"), block.Object("source")) switch
    {
        ("text", _) => ChatForm.Text(block.Text("text")),
        ("image", { } source) when source.Text("type") == "base64" => ChatForm.Image($"data:{source.Text("media_type")};base64,{source.Text("data")}"),
        ("image", { } source) when source.Text("type") == "url" => ChatForm.Image(source.Text("url")),
        ("document", { } source) when source.Text("type") == "text" => ChatForm.Text(source.Text("data")),
        var (type, _) => throw new TranslationException(501, $"This model server takes no content of the type '{type}' from this source; send text or images."),
    };

    private static string TextOf(JsonNode? content) => content switch
    {
        JsonArray blocks => string.Concat(blocks.Where(block => block.Text("type") == "text").Select(block => block.Text("text"))),
        _ => content.AsText() ?? "",
    };

    private static void AddTools(JsonObject request, JsonObject body)
    {
        if (body.Array("tools") is not { Count: > 0 } tools)
        {
            return;
        }

        request["tools"] = new JsonArray([.. tools.Select(tool => (JsonNode)new JsonObject
        {
            ["type"] = "function",
            ["function"] = tool.Text("type") is null or "custom"
                ? new JsonObject { ["name"] = tool.Text("name"), ["description"] = tool.Text("description"), ["parameters"] = tool.Value("input_schema")?.DeepClone() }
                : throw new TranslationException(501, $"The tool '{tool.Text("name")}' runs at Anthropic; this model server takes tools with an 'input_schema' only."),
        })]);
        if (body.Object("tool_choice") is not { } choice)
        {
            return;
        }

        request["tool_choice"] = choice.Text("type") switch
        {
            "any" => "required",
            "tool" => new JsonObject { ["type"] = "function", ["function"] = new JsonObject { ["name"] = choice.Text("name") } },
            var type => type,
        };
        if (choice.Flag("disable_parallel_tool_use") == true)
        {
            request["parallel_tool_calls"] = false;
        }
    }

    private static void AddOutput(JsonObject request, JsonObject body, EngineKind kind)
    {
        var output = body.Object("output_config");
        if (output.Object("format") is { } format && format.Text("type") == "json_schema")
        {
            request["response_format"] = ChatForm.Schema(format.Value("schema")?.DeepClone());
        }

        var level = output.Text("effort") switch
        {
            null => null,
            "low" or "medium" => output.Text("effort"),
            _ => "high",
        };
        if (body.Object("thinking").Text("type") is { } type)
        {
            Thinking.Add(request, isOn: type != "disabled", type == "disabled" ? null : level, kind);
        }
        else if (level is not null)
        {
            request["reasoning_effort"] = level;
        }
    }

    private static TranslationException Invalid(string message) => new(400, message);
}
