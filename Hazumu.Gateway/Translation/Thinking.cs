using System.Text.Json.Nodes;

namespace Hazumu.Gateway.Translation;

/// <summary>Turns a model's thinking on and off.</summary>
internal static class Thinking
{
    /// <summary>Adds it to a request of <c>/v1/chat/completions</c>.</summary>
    /// <remarks>
    /// llama-server and vLLM pass a switch on to the model's template, where models that can do both (Qwen 3) look for it. OpenAI's API has
    /// the effort alone.
    /// </remarks>
    /// <param name="request">The request.</param>
    /// <param name="isOn">Whether the model is to think.</param>
    /// <param name="level">How much: <c>low</c>, <c>medium</c>, <c>high</c>; <see langword="null"/> for what the model does by itself.</param>
    /// <param name="kind">The engine's kind.</param>
    public static void Add(JsonObject request, bool isOn, string? level, EngineKind kind)
    {
        if (kind is EngineKind.LlamaServer or EngineKind.Vllm)
        {
            request["chat_template_kwargs"] = new JsonObject { ["enable_thinking"] = isOn };
        }
        else if (!isOn)
        {
            level = "none";
        }

        if (level is not null)
        {
            request["reasoning_effort"] = level;
        }
    }
}
