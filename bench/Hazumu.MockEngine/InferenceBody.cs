using System.Buffers;
using System.Globalization;
using System.Text.Json;

namespace Hazumu.Mocks;

/// <summary>What the engine needs of a request's JSON.</summary>
internal struct InferenceBody
{
    public string? Model;

    /// <summary>The second name of a request: a copy's destination, a creation's base.</summary>
    public string? Other;

    public bool? Stream;
    public bool IncludeUsage;
    public bool HasPrompt;
    public int? MaxTokens;
    public TimeSpan? KeepAlive;

    /// <summary>Texts to embed.</summary>
    public int Inputs;

    /// <exception cref="JsonException">It is no JSON object.</exception>
    public static InferenceBody Parse(ReadOnlySequence<byte> json)
    {
        var reader = new Utf8JsonReader(json);
        var body = new InferenceBody();
        if (!reader.Read() || reader.TokenType != JsonTokenType.StartObject)
        {
            throw new JsonException("a JSON object is expected");
        }

        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            body.ReadProperty(ref reader);
        }

        // Whatever follows is not read, as in Go.
        return body;
    }

    private void ReadProperty(ref Utf8JsonReader reader)
    {
        if (reader.ValueTextEquals("model"u8) || reader.ValueTextEquals("source"u8))
        {
            Model = ReadString(ref reader) is { Length: > 0 } model ? model : Model;
        }
        else if (reader.ValueTextEquals("name"u8))
        {
            // The older field: Ollama takes it if "model" is empty, and its command line sends both.
            Model = ReadString(ref reader) is { Length: > 0 } name && string.IsNullOrEmpty(Model) ? name : Model;
        }
        else if (reader.ValueTextEquals("destination"u8) || reader.ValueTextEquals("from"u8))
        {
            Other = ReadString(ref reader);
        }
        else if (reader.ValueTextEquals("stream"u8))
        {
            Stream = ReadBool(ref reader);
        }
        else if (reader.ValueTextEquals("prompt"u8))
        {
            reader.Read();
            HasPrompt |= reader.TokenType != JsonTokenType.Null &&
                !(reader.TokenType == JsonTokenType.String && reader.ValueTextEquals(""u8));
            reader.Skip();
        }
        else if (reader.ValueTextEquals("messages"u8))
        {
            HasPrompt |= CountItems(ref reader) > 0;
        }
        else if (reader.ValueTextEquals("input"u8))
        {
            Inputs = CountItems(ref reader);
        }
        else if (reader.ValueTextEquals("max_tokens"u8) || reader.ValueTextEquals("max_completion_tokens"u8))
        {
            MaxTokens = ReadInt(ref reader);
        }
        else if (reader.ValueTextEquals("keep_alive"u8))
        {
            KeepAlive = ReadKeepAlive(ref reader);
        }
        else if (reader.ValueTextEquals("stream_options"u8))
        {
            ReadInner(ref reader, "include_usage"u8, ref this, static (ref body, ref inner) =>
                body.IncludeUsage = ReadBool(ref inner) ?? false);
        }
        else if (reader.ValueTextEquals("options"u8))
        {
            ReadInner(ref reader, "num_predict"u8, ref this, static (ref body, ref inner) =>
                body.MaxTokens = ReadInt(ref inner));
        }
        else
        {
            reader.Read();
            reader.Skip();
        }
    }

    private delegate void InnerReader(ref InferenceBody body, ref Utf8JsonReader reader);

    private static void ReadInner(
        ref Utf8JsonReader reader, ReadOnlySpan<byte> name, ref InferenceBody body, InnerReader read)
    {
        reader.Read();
        if (reader.TokenType != JsonTokenType.StartObject)
        {
            reader.Skip();
            return;
        }

        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            if (reader.ValueTextEquals(name))
            {
                read(ref body, ref reader);
            }
            else
            {
                reader.Read();
                reader.Skip();
            }
        }
    }

    private static string? ReadString(ref Utf8JsonReader reader)
    {
        reader.Read();
        if (reader.TokenType == JsonTokenType.String)
        {
            return reader.GetString();
        }

        reader.Skip();
        return null;
    }

    private static bool? ReadBool(ref Utf8JsonReader reader)
    {
        reader.Read();
        bool? value = reader.TokenType switch { JsonTokenType.True => true, JsonTokenType.False => false, _ => null };
        reader.Skip();
        return value;
    }

    private static int? ReadInt(ref Utf8JsonReader reader)
    {
        reader.Read();
        int? value = reader.TokenType == JsonTokenType.Number && reader.TryGetInt32(out var number) && number >= 0 ? number : null;
        reader.Skip();
        return value;
    }

    private static int CountItems(ref Utf8JsonReader reader)
    {
        reader.Read();
        if (reader.TokenType != JsonTokenType.StartArray)
        {
            var isNull = reader.TokenType == JsonTokenType.Null;
            reader.Skip();
            return isNull ? 0 : 1;
        }

        var items = 0;
        while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
        {
            items++;
            reader.Skip();
        }

        return items;
    }

    /// <summary>Seconds as a number, or Go's notation with one unit (<c>5m</c>); negative for ever.</summary>
    private static TimeSpan? ReadKeepAlive(ref Utf8JsonReader reader)
    {
        reader.Read();
        if (reader.TokenType == JsonTokenType.Number)
        {
            return TimeSpan.FromSeconds(Math.Clamp(reader.GetDouble(), -1, int.MaxValue));
        }

        var text = reader.TokenType == JsonTokenType.String ? reader.GetString()! : "";
        reader.Skip();
        var digits = text.TrimEnd('m', 's', 'h');
        if (!double.TryParse(digits, NumberStyles.Float, CultureInfo.InvariantCulture, out var value))
        {
            return null;
        }

        return text[digits.Length..] switch
        {
            "ms" => TimeSpan.FromMilliseconds(value),
            "m" => TimeSpan.FromMinutes(value),
            "h" => TimeSpan.FromHours(value),
            _ => TimeSpan.FromSeconds(value),
        };
    }
}
