using System.Text.Json;
using System.Text.Json.Nodes;

namespace Hazumu.Gateway.Translation;

/// <summary>Translates requests of Ollama's API into OpenAI's.</summary>
/// <remarks>
/// Source of the fields: Ollama's <c>api/types.go</c> (0.32.15). Members that only llama-server and vLLM accept are not
/// sent to other engines, which may reject the request.
/// </remarks>
internal static class NativeRequest
{
    // Options that OpenAI's API has, and the names there.
    private static readonly (string Option, string Name)[] s_common =
    [
        ("temperature", "temperature"),
        ("top_p", "top_p"),
        ("seed", "seed"),
        ("num_predict", "max_tokens"),
        ("stop", "stop"),
        ("presence_penalty", "presence_penalty"),
        ("frequency_penalty", "frequency_penalty"),
    ];

    // https://github.com/ggml-org/llama.cpp/blob/master/tools/server/README.md
    private static readonly (string Option, string Name)[] s_llamaServer =
    [
        ("top_k", "top_k"),
        ("min_p", "min_p"),
        ("typical_p", "typical_p"),
        ("repeat_penalty", "repeat_penalty"),
        ("repeat_last_n", "repeat_last_n"),
        ("num_keep", "n_keep"),
    ];

    // https://docs.vllm.ai/en/latest/serving/openai_compatible_server.html
    private static readonly (string Option, string Name)[] s_vllm =
    [
        ("top_k", "top_k"),
        ("min_p", "min_p"),
        ("repeat_penalty", "repetition_penalty"),
    ];

    private const int LargestCompletion = 4096;

    private static readonly HashSet<string> s_integers = ["seed", "num_predict", "top_k", "repeat_last_n", "num_keep"];

    /// <summary>Whether a request only loads its model, or takes it out of memory.</summary>
    public static bool IsEmpty(JsonObject body, bool isChat) =>
        isChat ? body.Array("messages") is not { Count: > 0 } : body.Text("prompt") is not { Length: > 0 } && body.Array("images") is not { Count: > 0 };

    /// <summary>Whether a request takes its model out of memory when it is answered.</summary>
    public static bool Unloads(JsonObject body) => body.Number("keep_alive") == 0 || body.Text("keep_alive") is "0" or "0s" or "0m" or "0h";

    /// <summary>Whether a client wants an answer in pieces.</summary>
    public static bool WantsStream(JsonObject body) => body.Flag("stream") != false;

    /// <summary>A request of <c>/v1/chat/completions</c> for one of <c>/api/chat</c>.</summary>
    /// <param name="body">The client's request, which is taken apart.</param>
    /// <param name="model">The model's name at the engine.</param>
    /// <param name="kind">The engine's kind.</param>
    /// <exception cref="TranslationException">It cannot be said there.</exception>
    public static JsonObject Chat(JsonObject body, string model, EngineKind kind)
    {
        var request = ChatForm.Begin(model, "messages", NativeMessages.Translate(body.Array("messages")!, kind));
        if (body.Array("tools") is { Count: > 0 })
        {
            request["tools"] = body.Take("tools");
        }

        AddChatOptions(request, body, kind);
        return request;
    }

    /// <summary>A request of <c>/v1/chat/completions</c> for one of <c>/api/generate</c> that the model's template is applied to.</summary>
    public static JsonObject Generate(JsonObject body, string model, EngineKind kind)
    {
        var messages = new JsonArray();
        if (body.Text("system") is { Length: > 0 } system)
        {
            messages.Add(ChatForm.Message("system", system));
        }

        messages.Add(ChatForm.Message("user", NativeMessages.Content(body.Text("prompt") ?? "", body.Array("images"))));
        var request = ChatForm.Begin(model, "messages", messages);
        AddChatOptions(request, body, kind);
        return request;
    }

    /// <summary>A request of <c>/v1/completions</c> for one of <c>/api/generate</c> with <c>raw</c> or <c>suffix</c>.</summary>
    public static JsonObject Complete(JsonObject body, string model, EngineKind kind)
    {
        if (body.Array("images") is { Count: > 0 })
        {
            throw new TranslationException(501, "This model server takes images in chats only; leave out 'raw' and 'suffix', or use /api/chat.");
        }

        var request = ChatForm.Begin(model, "prompt", body.Take("prompt"));
        if (body.Text("suffix") is { Length: > 0 } suffix)
        {
            // It would complete the prompt without regard to the suffix, and say nothing of it.
            request["suffix"] = kind != EngineKind.LlamaServer ? suffix : throw new TranslationException(501, "llama-server takes no 'suffix' here; use its own API, /infill.");
        }

        AddOptions(request, body, kind);
        if (kind != EngineKind.LlamaServer && !request.ContainsKey("max_tokens"))
        {
            // The default of OpenAI's API is 16 tokens here. vLLM takes null for what the context has room for; others may
            // refuse null, and a number that the context has no room for.
            request["max_tokens"] = kind == EngineKind.Vllm ? null : LargestCompletion;
        }

        if (Format(body) is { } format)
        {
            // llama-server passes over response_format here (b11669).
            (string Name, JsonNode? Value) constraint = kind == EngineKind.LlamaServer
                ? ("json_schema", format.Object("json_schema").Value("schema")?.DeepClone() ?? new JsonObject())
                : ("response_format", format);
            request[constraint.Name] = constraint.Value;
        }

        return request;
    }

    /// <summary>A request of <c>/v1/embeddings</c>.</summary>
    /// <param name="input">The texts.</param>
    /// <param name="body">The client's request.</param>
    /// <param name="model">The model's name at the engine.</param>
    /// <param name="kind">The engine's kind.</param>
    public static JsonObject Embed(JsonNode input, JsonObject body, string model, EngineKind kind)
    {
        var request = new JsonObject { ["model"] = model, ["input"] = input, ["encoding_format"] = "float" };
        if (kind == EngineKind.Vllm && body.Flag("truncate") != false)
        {
            // To the model's limit, as Ollama does by default.
            request["truncate_prompt_tokens"] = -1;
        }

        return request;
    }

    private static void AddChatOptions(JsonObject request, JsonObject body, EngineKind kind)
    {
        AddOptions(request, body, kind);
        if (Format(body) is { } format)
        {
            request["response_format"] = format;
        }

        if (body.Flag("logprobs") == true)
        {
            request["logprobs"] = true;
            if (body.Number("top_logprobs") is > 0 and var alternatives)
            {
                request["top_logprobs"] = alternatives;
            }
        }

        AddThinking(request, body.Value("think"), kind);
    }

    private static void AddOptions(JsonObject request, JsonObject body, EngineKind kind)
    {
        if (body.Text("template") is { Length: > 0 })
        {
            throw new TranslationException(501, "This model server applies the model's own template; leave out 'template'.");
        }

        if (body.Array("context") is { Count: > 0 })
        {
            throw new TranslationException(501, "This model server takes no 'context'; use /api/chat to continue a conversation.");
        }

        if (body.Object("options") is not { } options)
        {
            return;
        }

        (string Option, string Name)[] own = kind switch
        {
            EngineKind.LlamaServer => s_llamaServer,
            EngineKind.Vllm => s_vllm,
            _ => [],
        };
        foreach (var (option, name) in s_common.Concat(own))
        {
            if (options.Take(option) is not { } value)
            {
                continue;
            }

            if (value is JsonValue number && number.GetValueKind() == JsonValueKind.Number && s_integers.Contains(option))
            {
                value = (long)number.GetValue<double>();
            }

            // -1 and -2 mean no limit, and a seed of chance: what engines do without.
            if (option is not ("num_predict" or "seed") || value.GetValueKind() != JsonValueKind.Number || value.GetValue<long>() >= 0)
            {
                request[name] = value;
            }
        }
    }

    private static JsonObject? Format(JsonObject body) => body.Take("format") switch
    {
        null => null,
        JsonObject schema => ChatForm.Schema(schema),
        var text when text.AsText() is { } name => name switch
        {
            "" => null,
            "json" => new JsonObject { ["type"] = "json_object" },
            _ => throw InvalidFormat(text),
        },
        var other => throw InvalidFormat(other),
    };

    private static TranslationException InvalidFormat(JsonNode format) => new(400, $"invalid format: {format.ToJsonString()}; expected \"json\" or a valid JSON Schema object");

    // A template's switch where the engine has templates, and the effort where a level is given.
    private static void AddThinking(JsonObject request, JsonNode? think, EngineKind kind)
    {
        if (think is null)
        {
            return;
        }

        var (isOn, level) = (think.GetValueKind(), think.AsText()) switch
        {
            (JsonValueKind.True, _) => (true, null),
            (JsonValueKind.False, _) => (false, null),
            (_, "low" or "medium" or "high") => (true, think.AsText()),
            (_, "max") => (true, "high"),
            _ => throw new TranslationException(400, "think must be a boolean or string (\"high\", \"medium\", \"low\", \"max\", true, or false)"),
        };
        Thinking.Add(request, isOn, level, kind);
    }
}
