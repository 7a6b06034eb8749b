using System.Buffers;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Hazumu.Gateway.Translation;

/// <summary>Puts answers of <c>/v1/embeddings</c> into those of <c>/api/embed</c>, or of <c>/api/embeddings</c>, its older form.</summary>
internal static class NativeEmbeddings
{
    /// <summary>Takes the texts out of a client's request.</summary>
    /// <returns>The texts; <see langword="null"/> where there are none, and the request only loads its model.</returns>
    public static JsonNode? TakeInput(JsonObject body, bool isOld)
    {
        var input = body.Take(isOld ? "prompt" : "input");
        return input switch
        {
            null or JsonArray { Count: 0 } => null,
            JsonArray texts when !isOld && texts.All(text => text.AsText() is not null) => input,
            _ => input.AsText() is { } text ? text.Length > 0 ? input : null : throw new TranslationException(400, "invalid input type"),
        };
    }

    /// <summary>The answer to a request without texts.</summary>
    public static JsonObject Loaded(string model, bool isOld) => isOld
        ? new JsonObject { ["embedding"] = new JsonArray() }
        : new JsonObject { ["model"] = model, ["embeddings"] = new JsonArray() };

    /// <summary>The answer in Ollama's form.</summary>
    /// <exception cref="InvalidOperationException">It is no list of embeddings; or another exception of <see cref="JsonElement"/>.</exception>
    /// <param name="answer">The engine's answer.</param>
    /// <param name="model">The model, as the client names it.</param>
    /// <param name="isOld">Whether it is a request of <c>/api/embeddings</c>.</param>
    /// <param name="dimensions">How many numbers a vector may have; <see langword="null"/> for all.</param>
    /// <param name="duration">How long the engine took.</param>
    public static byte[] Translate(JsonElement answer, string model, bool isOld, int? dimensions, TimeSpan duration)
    {
        var vectors = answer.GetProperty("data").EnumerateArray()
            .OrderBy(vector => vector.TryGetProperty("index", out var index) ? index.GetInt32() : 0)
            .Select(vector => vector.GetProperty("embedding"));
        var output = new ArrayBufferWriter<byte>();
        using (var json = new Utf8JsonWriter(output))
        {
            json.WriteStartObject();
            if (isOld)
            {
                json.WritePropertyName("embedding");
                vectors.First().WriteTo(json);
            }
            else
            {
                json.WriteString("model", model);
                json.WriteStartArray("embeddings");
                foreach (var vector in vectors)
                {
                    WriteNormalised(json, vector, dimensions ?? int.MaxValue);
                }

                json.WriteEndArray();
                json.WriteNumber("total_duration", (long)duration.TotalNanoseconds);
                if (answer.TryGetProperty("usage", out var usage) && usage.TryGetProperty("prompt_tokens", out var count))
                {
                    json.WriteNumber("prompt_eval_count", count.GetInt64());
                }
            }

            json.WriteEndObject();
        }

        return output.WrittenSpan.ToArray();
    }

    // Ollama's vectors have the length 1, also after they are cut (server/routes.go, EmbedHandler); engines leave it to the model.
    private static void WriteNormalised(Utf8JsonWriter json, JsonElement vector, int dimensions)
    {
        var numbers = vector.EnumerateArray().Take(dimensions).Select(number => number.GetSingle()).ToArray();
        var length = MathF.Max(MathF.Sqrt(numbers.Sum(number => number * number)), 1e-12f);
        json.WriteStartArray();
        foreach (var number in numbers)
        {
            json.WriteNumberValue(number / length);
        }

        json.WriteEndArray();
    }
}
