using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;

namespace Hazumu.Gateway.Translation;

/// <summary>Answers reads of Ollama's API about models from the engine's own reports.</summary>
/// <remarks>
/// llama-server's list has the size, the parameters and the context of a model (<c>meta</c>), vLLM's the context
/// (<c>max_model_len</c>). Values that an engine does not report are empty or zero.
/// </remarks>
internal static class NativeReads
{
    /// <summary>The version of Ollama's API that is answered here: clients choose by it what they may request.</summary>
    public const string Version = "0.32.15";

    /// <summary>The answer to <c>GET /api/tags</c>.</summary>
    public static JsonObject Tags(JsonArray list) => new()
    {
        ["models"] = new JsonArray([.. Models(list).Select(model => (JsonNode)Describe(model))]),
    };

    /// <summary>The answer to <c>GET /api/ps</c>: engines of these kinds keep their models loaded, but for llama-server with several.</summary>
    public static JsonObject Running(JsonArray list, TimeProvider clock) => new()
    {
        ["models"] = new JsonArray([.. Models(list).Where(IsLoaded).Select(model =>
        {
            var running = Describe(model);
            running.Remove("modified_at");
            running["expires_at"] = clock.GetUtcNow().UtcDateTime.AddYears(100);
            running["size_vram"] = 0;
            running["context_length"] = Context(model);
            return (JsonNode)running;
        })]),
    };

    /// <summary>The answer to <c>POST /api/show</c>.</summary>
    /// <param name="list">The engine's models.</param>
    /// <param name="id">The engine's id of the model.</param>
    /// <param name="props">llama-server's answer to <c>GET /props</c>; <see langword="null"/> without.</param>
    public static JsonObject Show(JsonArray list, string id, JsonNode? props)
    {
        var model = Models(list).FirstOrDefault(model => model.Text("id") == id) ?? new JsonObject { ["id"] = id };
        var shown = new JsonObject
        {
            ["modelfile"] = "",
            ["template"] = props.Text("chat_template") ?? "",
            ["details"] = Details(model),

            // Clients look for the context under the architecture's name, which no engine of these kinds reports.
            ["model_info"] = new JsonObject
            {
                ["general.architecture"] = "unknown",
                ["general.parameter_count"] = model.Object("meta").Number("n_params") ?? 0,
                ["unknown.context_length"] = props.Object("default_generation_settings").Number("n_ctx") ?? Context(model),
                ["unknown.embedding_length"] = model.Object("meta").Number("n_embd") ?? 0,
            },
            ["modified_at"] = ModifiedAt(model),
        };
        if (props is not null)
        {
            shown["capabilities"] = Capabilities(props);
        }

        return shown;
    }

    private static IEnumerable<JsonObject> Models(JsonArray list) => list.OfType<JsonObject>().Where(model => model.Text("id") is { Length: > 0 });

    private static JsonObject Describe(JsonObject model)
    {
        var id = model.Text("id")!;
        return new JsonObject
        {
            ["name"] = ModelIds.NameOf(id),
            ["model"] = ModelIds.NameOf(id),
            ["modified_at"] = ModifiedAt(model),
            ["size"] = model.Object("meta").Number("size") ?? 0,

            // Ollama's own client cuts its first twelve characters off without looking. It is the id's: no engine reports the file's.
            ["digest"] = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(id))),
            ["details"] = Details(model),
        };
    }

    private static JsonObject Details(JsonObject model)
    {
        var meta = model.Object("meta");
        return new JsonObject
        {
            ["parent_model"] = "",
            ["format"] = meta is null ? "" : "gguf",
            ["family"] = "",
            ["families"] = new JsonArray(),
            ["parameter_size"] = meta.Number("n_params") is { } count ? Parameters(count) : "",
            ["quantization_level"] = meta.Text("ftype") ?? "",
        };
    }

    private static DateTime ModifiedAt(JsonObject model) => DateTimeOffset.FromUnixTimeSeconds(model.Number("created") is > 0 and < 253402300800 and var created ? created : 0).UtcDateTime;

    private static long Context(JsonObject model) => model.Object("meta").Number("n_ctx") ?? model.Number("max_model_len") ?? 0;

    private static bool IsLoaded(JsonObject model) => model.Object("status").Text("value") is null or "loaded";

    private static JsonArray Capabilities(JsonNode props)
    {
        var template = props.Text("chat_template") ?? "";
        var capabilities = new JsonArray("completion");
        if (props.Object("chat_template_caps").Flag("supports_tools") ?? template.Contains("tools", StringComparison.Ordinal))
        {
            capabilities.Add("tools");
        }

        if (props.Object("modalities").Flag("vision") == true)
        {
            capabilities.Add("vision");
        }

        if (template.Contains("enable_thinking", StringComparison.Ordinal) || template.Contains("<think>", StringComparison.Ordinal))
        {
            capabilities.Add("thinking");
        }

        return capabilities;
    }

    // As Ollama writes them: 8.2B, 494.03M, 144K.
    private static string Parameters(long count) => count switch
    {
        >= 1_000_000_000 => FormattableString.Invariant($"{count / 1e9:0.#}B"),
        >= 1_000_000 => FormattableString.Invariant($"{count / 1e6:0.##}M"),
        >= 1_000 => FormattableString.Invariant($"{count / 1e3:0}K"),
        _ => FormattableString.Invariant($"{count}"),
    };
}
