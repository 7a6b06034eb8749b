using System.Text.Json.Nodes;

namespace Hazumu.Gateway.Translation;

/// <summary>The parts of OpenAI's requests that those of other dialects are put into.</summary>
internal static class ChatForm
{
    /// <summary>A request.</summary>
    /// <param name="model">The model's name at the engine.</param>
    /// <param name="input">The name of the model's input: <c>messages</c> or <c>prompt</c>.</param>
    /// <param name="value">The input.</param>
    public static JsonObject Begin(string model, string input, JsonNode? value) => new()
    {
        ["model"] = model,
        [input] = value,

        // In pieces always: that gives the durations, and ends the work of the engine when the client has gone.
        ["stream"] = true,
        ["stream_options"] = new JsonObject { ["include_usage"] = true },
    };

    /// <summary>A message.</summary>
    public static JsonObject Message(string role, JsonNode? content) => new() { ["role"] = role, ["content"] = content };

    /// <summary>A message with the result of a tool.</summary>
    public static JsonObject Result(string? id, string text) => new() { ["role"] = "tool", ["tool_call_id"] = id, ["content"] = text };

    /// <summary>The call of a tool in a message.</summary>
    public static JsonObject Call(string? id, string? name, string arguments) => new()
    {
        ["id"] = id,
        ["type"] = "function",
        ["function"] = new JsonObject { ["name"] = name, ["arguments"] = arguments },
    };

    /// <summary>A text among the parts of a message.</summary>
    public static JsonObject Text(string? text) => new() { ["type"] = "text", ["text"] = text };

    /// <summary>An image among the parts of a message.</summary>
    public static JsonObject Image(string? url) => new() { ["type"] = "image_url", ["image_url"] = new JsonObject { ["url"] = url } };

    /// <summary>The format of an answer that follows a schema.</summary>
    public static JsonObject Schema(JsonNode? schema) => new()
    {
        ["type"] = "json_schema",
        ["json_schema"] = new JsonObject { ["name"] = "answer", ["strict"] = true, ["schema"] = schema },
    };
}
