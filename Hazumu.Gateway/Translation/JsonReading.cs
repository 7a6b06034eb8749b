using System.Buffers;
using System.Globalization;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Unicode;

namespace Hazumu.Gateway.Translation;

/// <summary>Reads and writes JSON. Properties that are missing or of another type count as not there.</summary>
/// <remarks>
/// It reads as Go's <c>encoding/json</c> does, which Ollama uses: names without regard to case, and U+FFFD in place of
/// what is no Unicode.
/// </remarks>
internal static class JsonReading
{
    // An object with a property twice would throw where it is read first.
    private static readonly JsonDocumentOptions s_options = new() { AllowDuplicateProperties = false };

    // Letters as they are: models read the arguments of their former calls as text.
    private static readonly JsonWriterOptions s_written = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>Parses a document.</summary>
    /// <exception cref="JsonException">It is no JSON.</exception>
    public static JsonNode? Parse(ReadOnlySpan<byte> json) => JsonNode.Parse(ReplaceInvalidText(json), documentOptions: s_options);

    /// <summary>Writes a document.</summary>
    /// <remarks>A serializer throws at 64 levels, which part of a document that was parsed may have in its new place.</remarks>
    public static ReadOnlyMemory<byte> Write(this JsonNode node)
    {
        var output = new ArrayBufferWriter<byte>();
        using (var json = new Utf8JsonWriter(output, s_written))
        {
            node.WriteTo(json);
        }

        return output.WrittenMemory;
    }

    /// <summary>A document's text.</summary>
    public static string WriteText(this JsonNode node) => Encoding.UTF8.GetString(node.Write().Span);

    /// <summary>A property's value; <see langword="null"/> where there is none.</summary>
    public static JsonNode? Value(this JsonNode? node, string name) =>
        node is JsonObject item && IndexOf(item, name) is >= 0 and var index ? item.GetAt(index).Value : null;

    /// <summary>A property that is an object.</summary>
    public static JsonObject? Object(this JsonNode? node, string name) => node.Value(name) as JsonObject;

    /// <summary>A property that is an array.</summary>
    public static JsonArray? Array(this JsonNode? node, string name) => node.Value(name) as JsonArray;

    /// <summary>A property that is a string.</summary>
    public static string? Text(this JsonNode? node, string name) => node.Value(name).AsText();

    /// <summary>A property that is a number, without its fraction.</summary>
    public static long? Number(this JsonNode? node, string name) => node.Decimal(name) is { } number ? (long)number : null;

    /// <summary>A property that is a number.</summary>
    public static double? Decimal(this JsonNode? node, string name) =>
        node.Value(name) is JsonValue value && value.GetValueKind() == JsonValueKind.Number && value.TryGetValue<double>(out var number) ? number : null;

    /// <summary>A property that is <c>true</c> or <c>false</c>.</summary>
    public static bool? Flag(this JsonNode? node, string name) => node.Value(name)?.GetValueKind() switch
    {
        JsonValueKind.True => true,
        JsonValueKind.False => false,
        _ => null,
    };

    /// <summary>The text of a string.</summary>
    public static string? AsText(this JsonNode? node) => node?.GetValueKind() == JsonValueKind.String ? node.GetValue<string>() : null;

    /// <summary>Takes a property's value out of its object, so that it can go into another.</summary>
    public static JsonNode? Take(this JsonObject item, string name)
    {
        if (IndexOf(item, name) is not (>= 0 and var index))
        {
            return null;
        }

        var value = item.GetAt(index).Value;
        item.RemoveAt(index);
        return value;
    }

    private static int IndexOf(JsonObject item, string name)
    {
        var index = item.IndexOf(name);
        for (var other = 0; index < 0 && other < item.Count; other++)
        {
            index = item.GetAt(other).Key.Equals(name, StringComparison.OrdinalIgnoreCase) ? other : -1;
        }

        return index;
    }

    // .NET parses such text, and throws where it is decoded.
    private static ReadOnlySpan<byte> ReplaceInvalidText(ReadOnlySpan<byte> json)
    {
        if (!Utf8.IsValid(json))
        {
            json = Encoding.UTF8.GetBytes(Encoding.UTF8.GetString(json));
        }

        if (json.IndexOf("\\u"u8) < 0)
        {
            return json;
        }

        byte[]? replaced = null;
        var at = 0;
        while (json[at..].IndexOf((byte)'\\') is >= 0 and var distance)
        {
            at += distance;
            var escaped = Escaped(json[at..]);
            if (char.IsHighSurrogate(escaped) && char.IsLowSurrogate(Escaped(json[(at + 6)..])))
            {
                at += 12;
            }
            else if (char.IsSurrogate(escaped))
            {
                replaced ??= json.ToArray();
                "\\ufffd"u8.CopyTo(replaced.AsSpan(at));
                at += 6;
            }
            else
            {
                at = Math.Min(at + 2, json.Length);
            }
        }

        return replaced ?? json;
    }

    private static char Escaped(ReadOnlySpan<byte> json) =>
        json.Length >= 6 && json.StartsWith("\\u"u8) && ushort.TryParse(json[2..6], NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var code)
            ? (char)code
            : default;
}
